/** The worker of a delivery: when it lands, what it does about faults, and that nothing lands twice or never. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { DeliveryStage } from '../../src/delivery/deliveries.ts';
import { LakewardError } from '../../src/model/errors.ts';
import type { StreamId } from '../../src/model/stream.ts';
import type { World } from './stage-fixture.ts';
import { inTime, makeWorld } from './stage-fixture.ts';

const MINUTE_MS = 60_000;

describe('a delivery', () => {
  let world: World;
  let stage: DeliveryStage;
  const spec = (change: object = {}) => stage.parse({ name: 'd', stream: 'events', format: 'ndjson', ...change });
  const only = async () => (await stage.status('d'))[0];

  beforeEach(async () => {
    world = await makeWorld();
    await world.stream('events', 2);
    stage = await world.stage();
  });
  afterEach(() => world.close());

  test('lands what waits when the oldest record is old enough, without further traffic', async () => {
    await stage.create(spec());
    await world.put([1, 2]);
    await world.put([3], { shard: 1 });
    await world.clock.advance(MINUTE_MS - 1);
    expect(await world.landed()).toEqual([]);
    await world.clock.advance(1);
    expect(await world.landed()).toEqual(['1', '2', '3']);
    const { items } = await stage.files('d');
    expect(items).toMatchObject([{ rows: 3, closedBecause: 'age', partition: 'year=2026/month=01/day=01/hour=00' }]);
    expect(items[0]?.path).toMatch(/^d\/year=2026\/.*\/d-20260101T000000000Z-[0-9a-f]{32}-0000\.ndjson$/);
    expect(await only()).toMatchObject({ state: 'running', rows: 3, files: 1, pending: { records: 0 } });
  });

  test('lands within the age also when the clock went back by an hour after the records came', async () => {
    await stage.create(spec());
    await world.put([1]);
    await world.clock.settle();
    world.clock.setNowMs(world.clock.nowMs() - 60 * MINUTE_MS);
    await world.put([2], { shard: 1 });
    await world.clock.advance(MINUTE_MS);
    expect(await world.landed()).toEqual(['1', '2']);
  });

  test('lands at once when bytes or records are enough', async () => {
    await stage.create(spec({ flush: { records: 3, bytes: '1KiB' } }));
    await world.put([1, 2, 3]);
    await world.clock.settle();
    expect(await world.landed()).toEqual(['1', '2', '3']);
    await world.put(['x'], { fields: { filler: 'y'.repeat(1024) } });
    await world.clock.settle();
    const { items } = await stage.files('d');
    expect(items.map((file) => file.closedBecause).toSorted()).toEqual(['bytes', 'records']);
  });

  test('is landed by a request, which resolves when the rows are visible', async () => {
    await stage.create(spec());
    await world.put([1, 2]);
    const status = await inTime(world.clock, stage.flush('d'));
    expect(await world.landed()).toEqual(['1', '2']);
    expect(status).toMatchObject({ rows: 2, entry: 1, pending: { records: 0 } });
    await inTime(world.clock, stage.flush('d'));
    expect((await only())?.entry).toBe(1);
  });

  test('a caller may stop waiting for a flush; the landing goes on', async () => {
    await stage.create(spec());
    const gate = Promise.withResolvers<void>();
    world.converter.before = () => gate.promise;
    await world.put([1]);
    const caller = new AbortController();
    const flush = stage.flush('d', { signal: caller.signal });
    await world.clock.settle();
    caller.abort(new Error('gone'));
    await expect(flush).rejects.toThrow('gone');
    gate.resolve();
    await world.clock.settle();
    expect(await world.landed()).toEqual(['1']);
  });

  test('puts rows that are no JSON apart, in the same entry, and shows them', async () => {
    await stage.create(spec());
    await world.putRaw(['{"id":"1"}', 'no json', '{"id":"2"}', '{{']);
    await inTime(world.clock, stage.flush('d'));
    expect(await only()).toMatchObject({ rows: 2, rejectedRows: 2, entry: 1 });
    const first = await stage.rejected('d', { limit: 1 });
    expect(first.items).toMatchObject([{ code: 'not-json', offset: 1 }]);
    const second = await stage.rejected('d', { limit: 1, after: first.next as string });
    expect(second.items).toMatchObject([{ code: 'not-json', offset: 3 }]);
    expect(second.next).toBeUndefined();
  });

  test('retries while the lake is away, says so, loses nothing, and heals by itself', async () => {
    await stage.create(spec({ flush: { records: 1 } }));
    const create = world.lake.create.bind(world.lake);
    let away = true;
    world.lake.create = async (...call) => {
      if (away) throw new LakewardError('lake-unavailable', 'away');
      return create(...call);
    };
    await world.put([1]);
    await world.clock.advance(20_000);
    expect(await only()).toMatchObject({ state: 'retrying', trouble: { code: 'lake-unavailable', message: 'away' } });
    expect(stage.complaints()).toMatchObject([{ delivery: 'd', trouble: { code: 'lake-unavailable' } }]);
    await expect(inTime(world.clock, stage.flush('d'))).rejects.toMatchObject({ code: 'lake-unavailable' });
    await world.put([2]);
    away = false;
    await world.clock.advance(MINUTE_MS);
    expect(await world.landed()).toEqual(['1', '2']);
    expect(await only()).toMatchObject({ state: 'running', rows: 2 });
    expect((await only())?.trouble).toBeUndefined();
    expect(world.scratch.size).toBe(0);
  });

  test('retries a failed conversion with growing pauses', async () => {
    await stage.create(spec({ flush: { records: 1 } }));
    const tries: number[] = [];
    world.converter.before = () => {
      tries.push(world.clock.monotonicMs());
      if (tries.length <= 4) throw new LakewardError('convert-failed', 'engine');
    };
    await world.put([1]);
    await world.clock.advance(MINUTE_MS);
    expect(await world.landed()).toEqual(['1']);
    const pauses = tries.slice(1).map((at, i) => at - (tries[i] ?? 0));
    expect(pauses).toHaveLength(4);
    for (const [i, pause] of pauses.entries()) {
      expect(pause).toBeGreaterThanOrEqual(250 * 2 ** i);
      expect(pause).toBeLessThanOrEqual(500 * 2 ** i);
    }
  });

  test('refuses a converter that gives fewer rows than records', async () => {
    await stage.create(spec());
    const convert = world.converter.convert.bind(world.converter);
    world.converter.convert = async (...call) => ({ ...(await convert(...call)), rows: 1 });
    await world.put([1, 2]);
    await expect(inTime(world.clock, stage.flush('d'))).rejects.toMatchObject({ code: 'convert-failed' });
    expect(await world.landed()).toEqual([]);
    expect(world.scratch.size).toBe(0);
  });

  test('is suspended when its stream was made anew, lands nothing from it, and a resume tries again', async () => {
    await stage.create(spec({ flush: { records: 1 } }));
    await world.put([1]);
    await world.clock.settle();
    const old = world.catalog.read().stream.get('events');
    await world.broker.remove(old?.id as StreamId);
    await world.stream('events', 2);
    await world.put([7]);
    await world.clock.advance(MINUTE_MS);
    expect(await only()).toMatchObject({ state: 'suspended', trouble: { code: 'incarnation-mismatch' } });
    expect(await world.landed()).toEqual(['1']);
    await expect(stage.flush('d')).rejects.toMatchObject({ code: 'incarnation-mismatch' });
    expect(await stage.setPaused('d', false)).toMatchObject({ state: 'suspended' });
    await stage.remove('d');
    await stage.create(spec({ flush: { records: 1 } }));
    await world.clock.settle();
    expect(await world.landed()).toEqual(['1', '7']);
  });

  test('is suspended when the stream ends before what has landed', async () => {
    await stage.create(spec({ flush: { records: 1 } }));
    await world.put([1, 2]);
    await world.clock.settle();
    await stage.setPaused('d', true);
    const id = world.catalog.read().stream.get('events')?.id as StreamId;
    await world.broker.remove(id);
    await world.broker.open({ id, shardCount: 2, retentionMs: 3_600_000 });
    await stage.setPaused('d', false);
    await world.clock.settle();
    expect(await only()).toMatchObject({ state: 'suspended', trouble: { code: 'incarnation-mismatch' } });
  });

  test('records what retention took as lost, once, and lands the rest', async () => {
    await stage.create(spec());
    await world.put([1, 2, 3]);
    await world.put([4], { shard: 1 });
    await stage.setPaused('d', true);
    world.clock.setNowMs(world.clock.nowMs() + 25 * 60 * MINUTE_MS);
    const id = world.catalog.read().stream.get('events')?.id as StreamId;
    await world.broker.retain(id, world.clock.nowMs());
    await world.put([5]);
    await stage.setPaused('d', false);
    await inTime(world.clock, stage.flush('d'));
    expect(await world.landed()).toEqual(['5']);
    await world.put([6], { shard: 1 });
    await inTime(world.clock, stage.flush('d'));
    expect(await world.landed()).toEqual(['5', '6']);
    expect(await only()).toMatchObject({ lostOffsets: 4, rows: 2 });
  });

  test('records a loss also when nothing comes after it', async () => {
    await stage.create(spec());
    await world.put([1, 2, 3]);
    await stage.setPaused('d', true);
    world.clock.setNowMs(world.clock.nowMs() + 25 * 60 * MINUTE_MS);
    await world.broker.retain(world.catalog.read().stream.get('events')?.id as StreamId, world.clock.nowMs());
    await stage.setPaused('d', false);
    await world.clock.settle();
    expect(await only()).toMatchObject({ lostOffsets: 3, rows: 0, entry: 1, state: 'running' });
    await world.clock.advance(MINUTE_MS);
    expect((await only())?.entry).toBe(1);
  });

  test('reads a range again for a converter that asks twice, and lands it once', async () => {
    await world.close();
    world = await makeWorld({ passes: 2 });
    await world.stream('events', 2);
    stage = await world.stage();
    await stage.create(spec());
    const many = Array.from({ length: 5000 }, (_, i) => i);
    await world.put(many);
    await world.put(['x'], { shard: 1 });
    world.converter.before = (_job, call) => (call === 1 ? world.put(['later']) : undefined);
    await inTime(world.clock, stage.flush('d'));
    expect(await world.landed()).toHaveLength(5001);
    await inTime(world.clock, stage.flush('d'));
    expect(await world.landed()).toEqual([...many.map(String), 'x', 'later'].toSorted());
  });

  test('keeps its inferred plan as version 1 in the catalog before the first file', async () => {
    await stage.create(spec());
    await world.put([1]);
    world.converter.before = () => {
      expect(world.catalog.read().plan.get('d')?.plan).toMatchObject({ version: 1, misfit: 'extra' });
    };
    await inTime(world.clock, stage.flush('d'));
    expect((await stage.files('d')).items[0]?.planVersion).toBe(1);
    expect(await only()).toMatchObject({ planVersion: 1 });
  });

  test('has a new plan version whenever its schema goes from declared to auto and back, and infers anew for auto', async () => {
    const fields = [{ name: 'id', type: 'string' }];
    const avro = { avro: { type: 'record', name: 'r', fields } };
    const infer = world.converter.infer.bind(world.converter);
    let inferred = 0;
    world.converter.infer = (sample, options) => {
      inferred += 1;
      return infer(sample, options);
    };
    await stage.create(spec({ schema: avro }));
    const seen: [number | undefined, string | undefined, number][] = [];
    for (const [i, schema] of [avro, 'auto', 'auto', avro, avro, 'auto'].entries()) {
      await stage.update(spec({ schema }));
      await world.put([i]);
      await inTime(world.clock, stage.flush('d'));
      const plan = world.catalog.read().plan.get('d')?.plan;
      expect(await only()).toMatchObject({ planVersion: plan?.version, rows: i + 1 });
      seen.push([plan?.version, plan?.misfit, inferred]);
    }
    expect(seen).toEqual([
      [1, 'reject', 0],
      [2, 'extra', 1],
      [2, 'extra', 1],
      [3, 'reject', 1],
      [3, 'reject', 1],
      [4, 'extra', 2],
    ]);
    const versions = (await stage.files('d')).items.map((file) => file.planVersion);
    expect(versions.toSorted((a, b) => a - b)).toEqual([1, 2, 2, 3, 3, 4]);
  });

  test('moves its watermark with event time and counts rows behind a closed hour as late', async () => {
    await stage.create(spec({ allowedLateness: '1m' }));
    const start = world.clock.nowMs();
    await world.clock.advance(90 * MINUTE_MS);
    await world.put([1], { fields: { at: start + 80 * MINUTE_MS } });
    await world.put([2], { shard: 1, fields: { at: start + 85 * MINUTE_MS } });
    await inTime(world.clock, stage.flush('d'));
    expect((await only())?.watermarkMs).toBe(start + 79 * MINUTE_MS);
    await world.put([3], { fields: { at: start + 59 * MINUTE_MS } });
    await world.put([4], { fields: { at: start + 60 * MINUTE_MS } });
    await inTime(world.clock, stage.flush('d'));
    expect(await only()).toMatchObject({ lateRows: 1, rows: 4 });
  });
});

describe('several workers on one delivery', () => {
  test('land every record once, whoever is first', async () => {
    const world = await makeWorld();
    await world.stream('events', 2);
    const one = await world.stage();
    await one.create(one.parse({ name: 'd', stream: 'events', format: 'ndjson', flush: { records: 5 } }));
    await world.stage();
    for (let round = 0; round < 10; round += 1) {
      const ids = Array.from({ length: 5 }, (_, i) => `${round}-${i}`);
      await world.put(ids, { shard: round % 2 });
      await world.clock.advance(round % 3 === 0 ? 0 : 700);
    }
    await world.clock.advance(2 * MINUTE_MS);
    const landed = await world.landed();
    expect(landed).toHaveLength(50);
    expect(new Set(landed).size).toBe(50);
    expect((await one.status('d'))[0]).toMatchObject({ state: 'running', rows: 50 });
    await world.close();
  });

  test('a sleeper that wakes after another landed its range shows nothing and goes on', async () => {
    const world = await makeWorld();
    await world.stream('events');
    const sleeper = await world.stage();
    await sleeper.create(sleeper.parse({ name: 'd', stream: 'events', format: 'ndjson', flush: { records: 2 } }));
    const wake = Promise.withResolvers<void>();
    world.converter.before = (_job, call) => (call === 1 ? wake.promise : undefined);
    await world.put([1, 2]);
    await world.clock.settle();
    const other = await world.stage();
    await world.clock.advance(1000);
    expect(await world.landed()).toEqual(['1', '2']);
    wake.resolve();
    await world.clock.advance(1000);
    expect(await world.landed()).toEqual(['1', '2']);
    expect((await sleeper.status('d'))[0]).toMatchObject({ rows: 2, state: 'running' });
    await world.put([3, 4]);
    await world.clock.advance(1000);
    expect(await world.landed()).toEqual(['1', '2', '3', '4']);
    expect((await other.status('d'))[0]?.rows).toBe(4);
    await world.close();
  });
});

describe('a lake that loses a committed file before it is visible', () => {
  async function losing(): Promise<{ world: World; stage: DeliveryStage }> {
    const world = await makeWorld();
    await world.stream('events');
    const stage = await world.stage();
    const publish = world.lake.publish.bind(world.lake);
    let lost = false;
    world.lake.publish = async (handle, options) => {
      if (lost) return publish(handle, options);
      lost = true;
      await world.lake.discard(handle);
      return 'stage-lost';
    };
    await stage.create(stage.parse({ name: 'd', stream: 'events', format: 'ndjson' }));
    await world.put([1, 2]);
    await world.putRaw(['no json']);
    return { world, stage };
  }

  test('gets it made anew from the stream', async () => {
    const { world, stage } = await losing();
    await inTime(world.clock, stage.flush('d'));
    expect(await world.landed()).toEqual(['1', '2']);
    expect((await stage.rejected('d')).items).toMatchObject([{ code: 'not-json', offset: 2 }]);
    expect((await stage.status('d'))[0]).toMatchObject({ rows: 2, rejectedRows: 1, lostOffsets: 0, state: 'running' });
    expect(world.scratch.size).toBe(0);
    await world.close();
  });

  test('is told apart: rows that cannot come back are counted as lost', async () => {
    const { world, stage } = await losing();
    const id = world.catalog.read().stream.get('events')?.id as StreamId;
    const create = world.lake.create.bind(world.lake);
    world.lake.create = async (path, bytes, options) => {
      if (path.endsWith('1.json')) {
        world.clock.setNowMs(world.clock.nowMs() + 48 * 60 * MINUTE_MS);
        await world.broker.retain(id, world.clock.nowMs());
      }
      return create(path, bytes, options);
    };
    await inTime(world.clock, stage.flush('d')).catch(() => undefined);
    const status = (await stage.status('d'))[0];
    expect(status?.lostOffsets).toBeGreaterThan(0);
    await world.close();
  });
});
