/** Deliveries of a stream whose shards change under them: new shards from their beginning, closed ones to their end and beyond. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { DeliveryStage } from '../../src/delivery/deliveries.ts';
import { evenStarts, finishRound, planRound } from '../../src/model/reshard.ts';
import { asShard } from '../../src/model/stream.ts';
import { createTelemetry } from '../../src/telemetry/telemetry.ts';
import type { World } from './stage-fixture.ts';
import { makeWorld } from './stage-fixture.ts';

const MINUTE_MS = 60_000;

describe('a delivery that lands from now on', () => {
  let world: World;
  let stage: DeliveryStage;
  const telemetry = createTelemetry({ level: 'silent' });

  beforeEach(async () => {
    world = await makeWorld();
    await world.stream('events');
    await world.put(['long ago']);
    stage = await world.stage({ telemetry });
    const flush = { records: 1 };
    await stage.create(
      stage.parse({ name: 'd', stream: 'events', format: 'ndjson', layout: '', start: 'latest', flush }),
    );
    await world.clock.advance(1000);
  });
  afterEach(() => world.close());

  /** The stream in so many shards, as it is when the change is over. */
  async function scale(count: number): Promise<void> {
    const { version, stream } = world.catalog.read();
    const document = stream.get('events');
    const reshard = document && planRound({ shards: document.shards.map(whole) }, evenStarts(count));
    if (document === undefined || reshard === undefined) throw new Error('nothing to change');
    const { id, retentionMs } = document;
    await world.broker.open({ id, retentionMs, shardCount: document.shards.length + reshard.children.length });
    const ends = await Promise.all(
      reshard.parents.map(
        async (parent) => [parent, await world.broker.locate(id, asShard(parent), 'latest')] as const,
      ),
    );
    const shards = document.shards.map(whole);
    const after = finishRound({ ...document, shards, reshard }, new Map(ends), world.clock.nowMs());
    await world.catalog.change(version, [{ kind: 'stream', key: 'events', document: after }]);
  }

  async function stragglers(): Promise<number> {
    const line = (await telemetry.exposition()).match(/^lakeward_delivery_stragglers_total\{.*\} (\d+)$/m);
    return Number(line?.[1] ?? 0);
  }

  test('lands all of the shards after a split, what waits in the parent too, and what a frozen writer stores there later', async () => {
    await world.put(['parent']);
    await scale(2);
    await world.put(['left'], { shard: 1 });
    await world.put(['right'], { shard: 2 });
    await world.clock.advance(MINUTE_MS);
    expect(await world.landed()).toEqual(['left', 'parent', 'right']);
    expect(await stragglers()).toBe(0);
    await world.put(['late', 'later'], { shard: 0 });
    await world.clock.advance(MINUTE_MS);
    expect(await world.landed()).toEqual(['late', 'later', 'left', 'parent', 'right']);
    expect(await stragglers()).toBe(2);
  });

  test('does so in another process too, from where the log says', async () => {
    await stage.close();
    await scale(3);
    await world.put(['one'], { shard: 1 });
    await world.put(['three'], { shard: 3 });
    await world.stage();
    await world.clock.advance(MINUTE_MS);
    expect(await world.landed()).toEqual(['one', 'three']);
  });
});

/** The fixture gives its shards no hash ranges. */
function whole<T extends { index: number }>(shard: T): T {
  return shard.index === 0 ? { ...shard, startingHashKey: '0', endingHashKey: String((1n << 128n) - 1n) } : shard;
}
