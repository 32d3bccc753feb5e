/** Several processes land one delivery: each its share, through hand-overs and stalls, and every record once. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { DeliveryStage } from '../../src/delivery/deliveries.ts';
import { LakewardError } from '../../src/model/errors.ts';
import type { DeliveryShare } from '../../src/ports/processes.ts';
import type { HandDealt } from './hand-dealt.ts';
import { handDealt } from './hand-dealt.ts';
import type { World } from './stage-fixture.ts';
import { inTime, makeWorld } from './stage-fixture.ts';

const MINUTE_MS = 60_000;

describe('a delivery shared by two processes', () => {
  let world: World;
  let deals: [HandDealt, HandDealt];
  let stages: [DeliveryStage, DeliveryStage];

  beforeEach(async () => {
    world = await makeWorld();
    await world.stream('events', 2);
  });
  afterEach(() => world.close());

  async function begin(first: 'all' | readonly number[], second: 'all' | readonly number[], spec: object = {}) {
    deals = [handDealt(first), handDealt(second)];
    stages = [await world.stage({ groups: deals[0].groups }), await world.stage({ groups: deals[1].groups })];
    const parsed = stages[0].parse({ name: 'd', stream: 'events', format: 'ndjson', layout: '', ...spec });
    await stages[0].create(parsed);
    await world.clock.settle();
  }
  /** Until what waits is old enough, and whoever came second for an entry's number has the next one. */
  const landings = () => world.clock.advance(MINUTE_MS + 1000);
  const entry = async () => (await stages[0].status('d'))[0]?.entry;

  test('is landed by each in its share, at the same time', async () => {
    await begin([0], [1]);
    await world.put([1, 2]);
    await world.put([3, 4], { shard: 1 });
    await landings();
    expect(await world.landed()).toEqual(['1', '2', '3', '4']);
    expect((await world.paths()).length).toBe(2);
  });

  test('is landed on by whoever gets a shard, from where the other one got to', async () => {
    await begin([0, 1], []);
    await world.put([1]);
    await world.put([2], { shard: 1 });
    await landings();
    deals[0].deal([0]);
    deals[1].deal([1]);
    let conversions = 0;
    world.converter.before = () => void (conversions += 1);
    await world.put([3]);
    await world.put([4], { shard: 1 });
    await landings();
    expect(await world.landed()).toEqual(['1', '2', '3', '4']);
    // None was superseded.
    expect(conversions).toBe(2);
  });

  test('counts the landing that was under way at a hand-over, or the new one, never both', async () => {
    await begin([0, 1], []);
    const gate = Promise.withResolvers<void>();
    world.converter.before = () => gate.promise;
    await world.put([1]);
    await world.put([2], { shard: 1 });
    await landings();
    world.converter.before = async () => undefined;
    deals[0].deal([0]);
    deals[1].deal([1]);
    await world.put([3], { shard: 1 });
    await landings();
    expect(await world.landed()).toEqual(['2', '3']);
    // The one that stalled wakes up with shards that are another's by now.
    gate.resolve();
    await landings();
    expect(await world.landed()).toEqual(['1', '2', '3']);
    expect(await stages[1].status('d')).toMatchObject([{ state: 'running', rows: 3, lostOffsets: 0 }]);
  });

  test('that drops duplicates is landed as a whole by who holds the first shard', async () => {
    await begin([1], [0], { dedupe: { key: 'id', window: '1h' } });
    await world.put([1, 2]);
    await world.put([3], { shard: 1 });
    await landings();
    expect(await world.landed()).toEqual(['1', '2', '3']);
    expect(await entry()).toBe(1);
  });

  test('is left to the others by a process that stops, once its landing under way is over', async () => {
    await begin([0], [1]);
    const gate = Promise.withResolvers<void>();
    world.converter.before = () => gate.promise;
    await world.put([1]);
    await landings();
    world.converter.before = async () => undefined;
    await world.put([2]);
    const drained = stages[0].drain({ withinMs: 5_000 });
    await world.clock.settle();
    expect(deals[0].left).toEqual([]);
    gate.resolve();
    await inTime(world.clock, drained);
    expect(deals[0].left).toContain('d');
    expect(await world.landed()).toEqual(['1']);
    deals[1].deal([0, 1]);
    await landings();
    expect(await world.landed()).toEqual(['1', '2']);
  });

  test('is landed to its end by a process that stops and has no others', async () => {
    await begin([0, 1], []);
    await world.put([1]);
    await inTime(world.clock, stages[0].drain({ withinMs: 5_000 }));
    expect(await world.landed()).toEqual(['1']);
  });

  test('is landed from shards that the stream gets later', async () => {
    await begin('all', []);
    const stream = world.catalog.read().stream.get('events');
    if (stream === undefined) throw new Error('no stream');
    const third = { ...stream.shards[0]!, index: 2, startingHashKey: '2', endingHashKey: '2' };
    await world.broker.open({ id: stream.id, shardCount: 3, retentionMs: stream.retentionMs });
    const document = { ...stream, shards: [...stream.shards, third] };
    await world.catalog.change(world.catalog.read().version, [{ kind: 'stream', key: 'events', document }]);
    await world.put([1], { shard: 2 });
    await landings();
    expect(await world.landed()).toEqual(['1']);
  });
});

describe('an operator who asks any of several processes', () => {
  let world: World;
  let deals: HandDealt[];
  let stages: DeliveryStage[];
  /** Knows of deliveries, lands none. */
  let onlooker: DeliveryStage;

  beforeEach(async () => {
    world = await makeWorld();
    await world.stream('events', 2);
    deals = [handDealt([0]), handDealt([1])];
    stages = await Promise.all(deals.map(({ groups }) => world.stage({ groups })));
    onlooker = await world.stage({
      delivers: false,
      elsewhere: async (name) => works.filter(({ delivery }) => delivery === name),
    });
    await onlooker.create(onlooker.parse({ name: 'd', stream: 'events', format: 'ndjson', layout: '' }));
    await world.clock.settle();
  });
  afterEach(() => world.close());
  let works: DeliveryShare[] = [];

  test('has everything landed by a flush, which resolves when all shards are there', async () => {
    await world.put([1, 2]);
    await world.put([3], { shard: 1 });
    for (const asked of [onlooker, ...stages]) {
      const before = await world.landed();
      await world.put([`x${before.length}`], { shard: 1 });
      const status = await inTime(world.clock, asked.flush('d'));
      expect((await world.landed()).length).toBe(status.rows);
      expect(status.pending.records).toBe(0);
      expect(status.rows).toBeGreaterThan(before.length);
    }
    expect((await world.landed()).length).toBe(6);
    expect((await onlooker.files('d')).items.reduce((sum, { rows }) => sum + rows, 0)).toBe(6);
  });

  test('is told when nobody lands what a flush asks for', async () => {
    deals[0]?.deal([]);
    await world.put([1]);
    await expect(inTime(world.clock, onlooker.flush('d'), 1000)).rejects.toMatchObject({ code: 'delivery-unattended' });
    deals[1]?.deal([0, 1]);
    await world.clock.settle();
    expect(await world.landed()).toEqual(['1']);
  });

  test('pauses and resumes it everywhere, and a worker in trouble elsewhere starts anew', async () => {
    await onlooker.setPaused('d', true);
    await world.put([1]);
    await world.clock.advance(2 * MINUTE_MS);
    expect(await world.landed()).toEqual([]);
    await expect(onlooker.flush('d')).rejects.toMatchObject({ code: 'delivery-paused' });
    world.converter.before = () => Promise.reject(new LakewardError('transform-invalid', 'no such column'));
    await inTime(world.clock, onlooker.setPaused('d', false));
    await world.clock.advance(2 * MINUTE_MS);
    works = await Promise.all(stages.map((stage) => stage.shares())).then((all) => all.flat());
    expect(works).toMatchObject([
      {
        delivery: 'd',
        state: 'suspended',
        shards: [0],
        trouble: { code: 'transform-invalid' },
        records: 1,
      },
      { delivery: 'd', state: 'running', shards: [1], records: 0 },
    ]);
    await expect(inTime(world.clock, onlooker.flush('d'))).rejects.toMatchObject({ code: 'transform-invalid' });
    world.converter.before = undefined;
    works = [];
    await inTime(world.clock, onlooker.setPaused('d', false));
    await world.clock.advance(2 * MINUTE_MS);
    expect(await world.landed()).toEqual(['1']);
  });
});
