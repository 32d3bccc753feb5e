import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { followedBroker } from '../../src/app/followed-broker.ts';
import { memoryBroker } from '../../src/broker/memory/memory-broker.ts';
import { createCatalog } from '../../src/catalog/catalog.ts';
import { type ManualClock, manualClock } from '../../src/clock/manual-clock.ts';
import { memoryStore } from '../../src/lake/memory/memory-store.ts';
import { asStreamId } from '../../src/model/stream.ts';
import type { Broker, StreamStorage } from '../../src/ports/broker.ts';
import type { Catalog, CatalogEdit } from '../../src/ports/catalog.ts';
import { silentTelemetry } from '../../src/telemetry/silent.ts';
import { textBatch } from '../broker/text-batch.ts';
import { brokerSuite } from '../conformance/broker.suite.ts';
import { aStream, setStream } from '../conformance/catalog.suite.ts';

const { log } = silentTelemetry();

brokerSuite({
  name: 'memory, following a catalog',
  capabilities: { durable: false, pendingExact: true },
  storage: async () => ({
    open: async (clock) => {
      const catalog = createCatalog({ store: memoryStore({ clock }), clock, alone: true });
      await catalog.open();
      return followedBroker(memoryBroker({ clock }), { catalog, log });
    },
    cleanUp: async () => {},
  }),
});

describe('a broker that follows a catalog', () => {
  let clock: ManualClock;
  let catalog: Catalog;
  let broker: ReturnType<typeof followedBroker>;
  let calls: string[];
  /** Holds openings back until it resolves. */
  let gate: Promise<void>;
  let unfollow: () => void;

  beforeEach(async () => {
    clock = manualClock();
    calls = [];
    gate = Promise.resolve();
    catalog = createCatalog({ store: memoryStore({ clock }), clock, alone: true });
    await catalog.open();
    const bare = memoryBroker({ clock });
    const inner: Broker = {
      ...bare,
      async open(storage: StreamStorage) {
        calls.push(`open ${storage.id} ${storage.shardCount} ${storage.retentionMs}`);
        await gate;
        return bare.open(storage);
      },
      async release(id) {
        calls.push(`release ${id}`);
        await bare.release(id);
      },
      async remove(id) {
        calls.push(`remove ${id}`);
        await bare.remove(id);
      },
    };
    broker = followedBroker(inner, { catalog, log });
    unfollow = broker.follow();
  });
  afterEach(async () => {
    unfollow();
    await catalog.close();
    await broker.close();
  });

  const change = (...edits: CatalogEdit[]) => catalog.change(catalog.read().version, edits);
  const put = (name: string, shard = 0) =>
    broker.append(asStreamId(`id-${name}`), textBatch([{ shard, key: 'k', data: 'x' }], clock.nowMs()));
  const turn = () => clock.advance(0);
  const shards = [0, 1].map((index) => ({ ...aStream('s').shards[0], index })) as never;

  test('opens what another process made, once, also when it is asked for before', async () => {
    const held = Promise.withResolvers<void>();
    gate = held.promise;
    await change(setStream('s'));
    await turn();
    const early = Promise.all([put('s'), put('s')]);
    held.resolve();
    expect((await early).map(({ failures }) => failures)).toEqual([[], []]);
    expect(calls).toEqual(['open id-s 1 3600000']);
  });

  test('takes over more shards and another retention, the newest last', async () => {
    await change(setStream('s'));
    await change(setStream('s', { shards }));
    await change(setStream('s', { shards, retentionMs: 7_200_000 }));
    await put('s', 1);
    await turn();
    expect(calls).toEqual(['open id-s 1 3600000', 'open id-s 2 3600000', 'open id-s 2 7200000']);
  });

  test('gives up what another process deleted, and nothing that is only being made here', async () => {
    await change(setStream('old'));
    await broker.open({ id: asStreamId('id-new'), shardCount: 1, retentionMs: 3_600_000 });
    await change(setStream('other'), { kind: 'stream', key: 'old' });
    await turn();
    expect(calls.filter((call) => !call.startsWith('open'))).toEqual(['release id-old']);
    await expect(put('old')).rejects.toMatchObject({ code: 'stream-not-found' });
    expect(await put('new')).toMatchObject({ failures: [] });
  });

  test('loses no record of streams that a catalog put back to an earlier state does not know', async () => {
    await change(setStream('s'));
    await put('s');
    await change({ kind: 'stream', key: 's' });
    await turn();
    await change(setStream('s'));
    await turn();
    expect([...(await put('s')).offsets]).toEqual([1]);
    expect(calls).not.toContain('remove id-s');
  });

  test('says of a stream that is not in the catalog that it is not there', async () => {
    await expect(put('never')).rejects.toMatchObject({ code: 'stream-not-found' });
    expect(calls).toEqual([]);
  });
});
