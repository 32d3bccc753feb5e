import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { HASH_KEY_MAX, shardRouter, splitEvenly } from '../../src/model/hash-range.ts';
import { evenStarts, finishRound, openShards, planRound, storageShards } from '../../src/model/reshard.ts';
import { parseSequenceNumber, sequenceNumbersOf } from '../../src/model/sequence-number.ts';
import type { StreamDocument } from '../../src/model/stream.ts';
import { asStreamId } from '../../src/model/stream.ts';

function streamOf(starts: readonly bigint[]): StreamDocument {
  return {
    name: 's',
    id: asStreamId('s'),
    createdMs: 1000,
    retentionMs: 1,
    shards: starts.map((start, index) => ({
      index,
      startingHashKey: String(start),
      endingHashKey: String((starts[index + 1] ?? HASH_KEY_MAX + 1n) - 1n),
      createdMs: 1000,
      parents: [],
    })),
  };
}

/** All versions of the stream until the target is reached. */
function reached(stream: StreamDocument, target: readonly bigint[], nowMs: number): StreamDocument[] {
  const versions = [stream];
  for (let at: StreamDocument = { ...stream, reshard: planRound(stream, target) } as StreamDocument; ; ) {
    if (at.reshard === undefined) return versions;
    expect(versions.length).toBeLessThan(12);
    versions.push(at);
    const next = finishRound(at, new Map(at.reshard.parents.map((parent) => [parent, 7])), nowMs);
    expect(next.shards).toHaveLength(storageShards(at));
    versions.push(next);
    at = next;
  }
}

const starts = fc
  .uniqueArray(fc.bigInt({ min: 1n, max: HASH_KEY_MAX }), { maxLength: 20 })
  .map((some) => [0n, ...some.toSorted((a, b) => (a < b ? -1 : 1))]);

describe('a change of shards', () => {
  test('comes from any division to any other; every hash key has one open shard all the time, and no child more than two parents', () => {
    fc.assert(
      fc.property(starts, starts, (from, target) => {
        const versions = reached(streamOf(from), target, 2000);
        for (const version of versions) {
          // Throws for holes and overlaps.
          shardRouter(version.shards);
          expect(version.shards.map(({ index }) => index)).toEqual([...version.shards.keys()]);
          for (const { parents } of version.reshard?.children ?? []) {
            expect(parents.length).toBeGreaterThanOrEqual(1);
            expect(parents.length).toBeLessThanOrEqual(2);
          }
        }
        expect(openShards(versions.at(-1) as StreamDocument).map(({ start }) => start)).toEqual(target);
      }),
    );
  });

  test('gives every hash key of a closed shard to children of it, and higher sequence numbers to them', () => {
    fc.assert(
      fc.property(starts, starts, fc.integer({ min: 0, max: 5000 }), (from, target, nowMs) => {
        const last = reached(streamOf(from), target, nowMs).at(-1) as StreamDocument;
        for (const parent of last.shards.filter(({ closedMs }) => closedMs !== undefined)) {
          expect(parent.closedEnd).toBe(7);
          const children = last.shards
            .filter(({ parents }) => parents.includes(parent.index))
            .toSorted((a, b) => (BigInt(a.startingHashKey) < BigInt(b.startingHashKey) ? -1 : 1));
          expect(BigInt(children[0]?.startingHashKey ?? -1)).toBeLessThanOrEqual(BigInt(parent.startingHashKey));
          expect(BigInt(children.at(-1)?.endingHashKey ?? -1)).toBeGreaterThanOrEqual(BigInt(parent.endingHashKey));
          for (const [i, child] of children.entries()) {
            const next = children[i + 1];
            if (next !== undefined) expect(BigInt(child.endingHashKey) + 1n).toBe(BigInt(next.startingHashKey));
            const number = sequenceNumbersOf(child)(0);
            expect(BigInt(number)).toBeGreaterThan(BigInt(sequenceNumbersOf(parent)(Number.MAX_SAFE_INTEGER)));
            expect(parseSequenceNumber(number)).toMatchObject({ shard: child.index });
          }
        }
      }),
    );
  });

  test('that only splits, or scales by up to two, takes one round or two, and closes nothing that stays', () => {
    for (const [from, to, rounds] of [
      [1, 2, 1],
      [2, 3, 1],
      [4, 8, 1],
      [8, 4, 1],
      [4, 3, 1],
      [5, 3, 2],
      [3, 3, 0],
    ] as const) {
      const versions = reached(streamOf(evenStarts(from)), evenStarts(to), 2000);
      expect((versions.length - 1) / 2, `${from} to ${to}`).toBe(rounds);
    }
    // Between two rounds of a scaling nobody could write to what the first made.
    expect(reached(streamOf(evenStarts(5)), evenStarts(3), 2000)[2]?.reshard).toMatchObject({ unused: true });
    const three = streamOf(splitEvenly(3).map(({ start }) => start));
    const split = [...evenStarts(3), (evenStarts(3)[1] as bigint) + 5n].toSorted((a, b) => (a < b ? -1 : 1));
    expect(planRound(three, split)).toMatchObject({ parents: [1], children: [{ parents: [1] }, { parents: [1] }] });
    expect(planRound(three, [0n, evenStarts(3)[2] as bigint])).toMatchObject({
      parents: [0, 1],
      children: [{ parents: [0, 1] }],
    });
  });
});
