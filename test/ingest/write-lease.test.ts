import { expect, test } from 'vitest';
import { manualClock } from '../../src/clock/manual-clock.ts';
import { WRITE_LEASE_MS, writeLease } from '../../src/ingest/write-lease.ts';
import { LakewardError } from '../../src/model/errors.ts';
import { evenStarts, planRound } from '../../src/model/reshard.ts';
import type { StreamDocument } from '../../src/model/stream.ts';
import { asStreamId } from '../../src/model/stream.ts';

const shards = [
  { index: 0, startingHashKey: '0', endingHashKey: String((1n << 128n) - 1n), createdMs: 0, parents: [] },
];
const document: StreamDocument = { name: 's', id: asStreamId('s'), createdMs: 0, retentionMs: 1, shards };
const { signal } = new AbortController();

/** The lake can be away; the storage has so many shards. */
function aLease() {
  const clock = manualClock();
  const world = { isLakeThere: true, stored: 1, questions: 0, confirmedMs: clock.monotonicMs() };
  const lease = writeLease({
    clock,
    catalog: {
      confirmedMs: () => world.confirmedMs,
      refresh: async () => {
        if (!world.isLakeThere) throw new LakewardError('lake-unavailable', 'away for the test');
        world.confirmedMs = clock.monotonicMs();
      },
    },
    shared: {
      storedShards: async () => {
        world.questions += 1;
        return world.stored;
      },
    },
  });
  return { clock, world, lease };
}

test('records may be appended for so long as the catalog was known to be the newest lately, and after asking again', async () => {
  const { clock, lease } = aLease();
  await clock.advance(WRITE_LEASE_MS - 1);
  expect(lease(document)).toBeUndefined();
  await clock.advance(1);
  const wait = lease(document);
  await wait?.(signal);
  expect(wait).toBeDefined();
  expect(lease(document)).toBeUndefined();
});

test('while the lake is away, storage that has not grown tells that no change of shards has begun', async () => {
  const { clock, world, lease } = aLease();
  world.isLakeThere = false;
  await clock.advance(WRITE_LEASE_MS);
  await Promise.all([lease(document)?.(signal), lease(document)?.(signal)]);
  expect(world.questions).toBe(1);
  expect(lease(document)).toBeUndefined();
  await clock.advance(WRITE_LEASE_MS);
  expect(lease(document)).toBeDefined();
});

test('storage that has grown tells that the shards known may be closed by now: nothing is appended until the catalog is there', async () => {
  const { clock, world, lease } = aLease();
  world.isLakeThere = false;
  world.stored = 3;
  await clock.advance(WRITE_LEASE_MS);
  const asked = lease(document)?.(signal);
  await clock.advance(1000);
  await asked;
  expect(lease(document)).toBeDefined();
  // A round that is known has its storage; its parents are kept from appends by other means.
  const reshard = planRound(document, evenStarts(2));
  const inRound = { ...document, ...(reshard !== undefined && { reshard }) };
  await lease(inRound)?.(signal);
  expect(lease(inRound)).toBeUndefined();
  expect(lease(document)).toBeDefined();
});
