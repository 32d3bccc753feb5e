import { beforeEach, describe, expect, test } from 'vitest';
import { memoryBroker } from '../../src/broker/memory/memory-broker.ts';
import { createCatalog } from '../../src/catalog/catalog.ts';
import { type ManualClock, manualClock } from '../../src/clock/manual-clock.ts';
import { finishDeletions } from '../../src/ingest/stream-deletion.ts';
import type { Streams } from '../../src/ingest/streams.ts';
import { createStreams } from '../../src/ingest/streams.ts';
import { memoryStore } from '../../src/lake/memory/memory-store.ts';
import { LakewardError } from '../../src/model/errors.ts';
import { asShard } from '../../src/model/stream.ts';
import type { Broker } from '../../src/ports/broker.ts';
import type { Catalog } from '../../src/ports/catalog.ts';
import type { LakeStore } from '../../src/ports/lake-store.ts';

const DRAFT = { name: 's', shards: 1, retentionMs: 86_400_000 };
const { signal } = new AbortController();

describe('the storage of a stream', () => {
  let clock: ManualClock;
  let store: LakeStore;
  let broker: Broker;
  let catalog: Catalog;
  let streams: Streams;
  /** What removing storage runs into. */
  let fault: Error | undefined;
  /** Whether an object that is made is told to be. */
  let answers: boolean;
  let removed: string[];

  beforeEach(async () => {
    clock = manualClock();
    fault = undefined;
    answers = true;
    removed = [];
    const inner = memoryStore({ clock });
    const lost = () => Promise.reject(new LakewardError('lake-unavailable', 'no answer'));
    store = {
      ...inner,
      async create(...call) {
        const made = await inner.create(...call);
        return answers ? made : lost();
      },
      read: (...call) => (answers ? inner.read(...call) : lost()),
    };
    const bare = memoryBroker({ clock });
    broker = {
      ...bare,
      async remove(id) {
        if (fault !== undefined) throw fault;
        removed.push(id);
        await bare.remove(id);
      },
    };
    catalog = createCatalog({ store, clock, alone: true });
    await catalog.open();
    streams = createStreams({ broker, catalog, clock });
  });

  const isStored = (id: string): Promise<boolean> =>
    broker.locate(id as never, asShard(0), 'earliest').then(
      () => true,
      () => false,
    );

  test('goes with the stream, and no note of it stays', async () => {
    const { id } = await streams.create(DRAFT);
    await streams.remove('s', { force: false });
    expect(await isStored(id)).toBe(false);
    expect(catalog.read().deletion.size).toBe(0);
  });

  test('goes later, by whichever process, when who deleted the stream could not finish; the name is free meanwhile', async () => {
    const { id } = await streams.create(DRAFT);
    fault = new LakewardError('broker-unavailable', 'Kafka is away');
    await expect(streams.remove('s', { force: false })).rejects.toBe(fault);
    const anew = await streams.create(DRAFT);
    const other = createCatalog({ store, clock, alone: true });
    await other.open();
    await expect(finishDeletions({ broker, catalog: other }, signal)).rejects.toBe(fault);
    expect(await isStored(id)).toBe(true);
    fault = undefined;
    await finishDeletions({ broker, catalog: other }, signal);
    expect(removed).toEqual([id]);
    expect(other.read().deletion.size).toBe(0);
    expect(await isStored(anew.id)).toBe(true);
  });

  test('stays when nobody knows whether the stream was made', async () => {
    answers = false;
    const creating = streams.create(DRAFT).catch((error: unknown) => error);
    for (let i = 0; i < 20; i++) await clock.advance(1_000);
    expect(await creating).toMatchObject({ code: 'lake-unavailable' });
    answers = true;
    const other = createCatalog({ store, clock, alone: true });
    await other.open();
    expect(await isStored(other.read().stream.get('s')?.id ?? '')).toBe(true);
    expect(removed).toEqual([]);
  });

  test('goes when the name was taken meanwhile', async () => {
    const second = createStreams({ broker, catalog, clock });
    const both = await Promise.allSettled([streams.create(DRAFT), second.create(DRAFT)]);
    expect(both.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
    expect(removed).toHaveLength(1);
    expect(await isStored(streams.get('s').document.id)).toBe(true);
  });
});
