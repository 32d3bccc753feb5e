/** Control of deliveries: who may change what, what survives a restart, and how the stage stops. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { DeliveryStage } from '../../src/delivery/deliveries.ts';
import { LakewardError } from '../../src/model/errors.ts';
import type { World } from './stage-fixture.ts';
import { inTime, makeWorld } from './stage-fixture.ts';

describe('the delivery stage', () => {
  let world: World;
  let stage: DeliveryStage;
  const spec = (change: object = {}) => stage.parse({ name: 'd', stream: 'events', format: 'ndjson', ...change });

  beforeEach(async () => {
    world = await makeWorld();
    await world.stream('events', 2);
    stage = await world.stage();
  });
  afterEach(() => world.close());

  test('creates a delivery once, and only on a stream that exists', async () => {
    expect(await stage.create(spec())).toMatchObject({ state: 'running', owner: 'api', rows: 0, entry: 0 });
    await expect(stage.create(spec())).rejects.toMatchObject({ code: 'delivery-exists' });
    await expect(stage.create(spec({ name: 'e', stream: 'none' }))).rejects.toMatchObject({ code: 'stream-not-found' });
    await expect(stage.status('e')).rejects.toMatchObject({ code: 'delivery-not-found' });
  });

  test('starts where it is told: earliest, latest, or a time', async () => {
    await world.put([1]);
    await world.clock.advance(10_000);
    await world.put([2]);
    const at = new Date(world.clock.nowMs()).toISOString();
    await stage.create(spec({ name: 'a', start: 'earliest' }));
    await stage.create(spec({ name: 'b', start: 'latest' }));
    await stage.create(spec({ name: 'c', start: at }));
    await world.put([3], { shard: 1 });
    for (const name of ['a', 'b', 'c']) await inTime(world.clock, stage.flush(name));
    expect(await world.landed('a/')).toEqual(['1', '2', '3']);
    expect(await world.landed('b/')).toEqual(['3']);
    expect(await world.landed('c/')).toEqual(['2', '3']);
  });

  test('changes format and rule while running, but not the ground a landing log stands on', async () => {
    await stage.create(spec());
    await world.put([1]);
    await stage.update(spec({ format: 'csv', flush: { records: 1 } }));
    await world.clock.settle();
    const { items } = await stage.files('d');
    expect(items[0]?.path).toMatch(/\.csv$/);
    for (const change of [{ prefix: 'other' }, { start: 'latest' }, { stream: 'more' }]) {
      await expect(stage.update(spec(change))).rejects.toMatchObject({ code: 'argument-invalid' });
    }
  });

  test('a paused delivery lands nothing, also after a restart, until it is resumed', async () => {
    await stage.create(spec({ flush: { records: 1 } }));
    expect(await stage.setPaused('d', true)).toMatchObject({ state: 'paused' });
    await world.put([1]);
    await stage.close();
    stage = await world.stage();
    await world.clock.advance(120_000);
    expect(await world.landed()).toEqual([]);
    expect((await stage.status())[0]).toMatchObject({ state: 'paused', pending: { records: 1 } });
    await expect(stage.flush('d')).rejects.toMatchObject({ code: 'delivery-paused' });
    await stage.setPaused('d', false);
    await world.clock.settle();
    expect(await world.landed()).toEqual(['1']);
  });

  test('forgets a removed delivery, keeps its files, and goes on where it was when it is made again', async () => {
    await stage.create(spec({ flush: { records: 1 } }));
    await world.put([1]);
    await world.clock.settle();
    await stage.remove('d');
    expect(await stage.status()).toEqual([]);
    expect(world.catalog.read().plan.size).toBe(0);
    await world.put([2]);
    await world.clock.advance(120_000);
    expect(await world.landed()).toEqual(['1']);
    await stage.create(spec({ flush: { records: 1 } }));
    await world.clock.settle();
    expect(await world.landed()).toEqual(['1', '2']);
    expect((await stage.files('d')).items.map((file) => `${file.planVersion}`).toSorted()).toEqual(['1', '2']);
  });

  test('says of a delivery made again on the same stream that it continues, so that its start has no effect', async () => {
    expect(await stage.create(spec({ flush: { records: 1 } }))).not.toHaveProperty('continues');
    await world.put([1]);
    await world.clock.settle();
    await stage.remove('d');
    await world.put([2]);
    const again = await stage.create(spec({ flush: { records: 1 }, start: 'latest' }));
    expect(again).toMatchObject({ continues: { entry: 1 } });
    expect((await stage.status('d'))[0]).not.toHaveProperty('continues');
    await world.clock.settle();
    expect(await world.landed()).toEqual(['1', '2']);
    await stage.remove('d');
    world.lake.read = () => Promise.reject(new LakewardError('lake-unavailable', 'away'));
    expect(await inTime(world.clock, stage.create(spec()))).not.toHaveProperty('continues');
  });

  test('resumed while what suspended it lasts, a delivery is answered as suspended with its trouble, not as running', async () => {
    await stage.create(spec({ flush: { records: 1 } }));
    const convert = world.converter.convert.bind(world.converter);
    world.converter.convert = () => Promise.reject(new LakewardError('schema-invalid', 'no such column'));
    await world.put([1]);
    await world.clock.settle();
    expect((await stage.status('d'))[0]).toMatchObject({ state: 'suspended' });
    const trouble = { code: 'schema-invalid', message: 'no such column' };
    expect(await stage.setPaused('d', false)).toMatchObject({ state: 'suspended', trouble });
    await stage.setPaused('d', true);
    await stage.setPaused('d', false);
    await world.clock.settle();
    expect((await stage.status('d'))[0]).toMatchObject({ state: 'suspended', trouble });
    world.converter.convert = convert;
    expect(await stage.setPaused('d', false)).toMatchObject({ state: 'running', rows: 1 });
  });

  test('a resume does not wait for a long landing', async () => {
    await stage.create(spec({ flush: { records: 1 } }));
    world.converter.convert = () => Promise.reject(new LakewardError('schema-invalid', 'no such column'));
    await world.put([1]);
    await world.clock.settle();
    world.converter.convert = (_job, _batches, options) =>
      new Promise((_resolve, reject) => {
        options?.signal?.addEventListener('abort', () => reject(options.signal?.reason));
      });
    const before = world.clock.monotonicMs();
    expect(await inTime(world.clock, stage.setPaused('d', false))).toMatchObject({ state: 'running', rows: 0 });
    expect(world.clock.monotonicMs() - before).toBeLessThanOrEqual(3100);
  });

  test('what the file declares only the file changes, and what it drops is forgotten', async () => {
    await stage.declare([spec({ flush: { records: 1 } }), spec({ name: 'e' })]);
    await expect(stage.update(spec())).rejects.toMatchObject({ code: 'owned-by-file' });
    await expect(stage.remove('d')).rejects.toMatchObject({ code: 'owned-by-file' });
    expect(await stage.setPaused('e', true)).toMatchObject({ state: 'paused', owner: 'file' });
    await world.put([1]);
    await world.clock.settle();
    await stage.declare([spec({ format: 'csv' })]);
    expect((await stage.status()).map((one) => [one.spec.name, one.spec.format])).toEqual([['d', 'csv']]);
    expect(await world.landed('d/')).toEqual(['1']);
    await expect(stage.declare([spec({ prefix: 'x' })])).rejects.toMatchObject({ code: 'argument-invalid' });
  });

  test('refuses a delivery whose folder overlaps with that of another: no record shows twice below one folder', async () => {
    await stage.create(spec({ prefix: 'lake/clicks' }));
    for (const prefix of ['lake/clicks', 'lake', 'lake/clicks/raw', 'LAKE/Clicks']) {
      const refused = stage.create(spec({ name: 'e', prefix }));
      await expect(refused).rejects.toMatchObject({
        code: 'argument-invalid',
        details: { problems: [{ path: 'prefix' }] },
      });
      await expect(refused).rejects.toThrow("delivery 'd'");
      await expect(stage.declare([spec({ name: 'e', prefix })])).rejects.toThrow("delivery 'd'");
    }
    await stage.create(spec({ name: 'e', prefix: 'lake/clicks2' }));
    await stage.remove('d');
    await stage.create(spec({ name: 'f', prefix: 'lake/clicks' }));
  });

  test('refuses names that differ only in case: on many disks they are one folder', async () => {
    await stage.create(spec());
    const refused = { code: 'argument-invalid', details: { problems: [{ path: 'name' }] } };
    await expect(stage.create(spec({ name: 'D', prefix: 'x' }))).rejects.toMatchObject(refused);
    await expect(stage.declare([spec({ name: 'D', prefix: 'x' })])).rejects.toMatchObject({
      details: { problems: [{ path: 'deliveries[0].name' }] },
    });
  });

  test('tells every problem of what the file declares, and then changes nothing', async () => {
    await stage.create(spec());
    const declared = stage.declare([
      spec({ prefix: 'other' }),
      spec({ name: 'a', prefix: 'p/q' }),
      spec({ name: 'b', prefix: 'p', stream: 'none' }),
      spec({ name: 'a', prefix: 'r' }),
    ]);
    const told = declared.catch((error: LakewardError) =>
      ((error.details?.['problems'] ?? []) as { path: string }[]).map(({ path }) => path).toSorted(),
    );
    expect(await told).toEqual([
      'deliveries[0].prefix',
      'deliveries[2].prefix',
      'deliveries[2].stream',
      'deliveries[3].name',
    ]);
    await expect(stage.declare([spec({ name: 'a', stream: 'none' })])).rejects.toMatchObject({
      code: 'stream-not-found',
    });
    expect((await stage.status()).map((one) => one.spec.name)).toEqual(['d']);
  });

  test('lands what waits when it is drained, and takes the time it is given at most', async () => {
    await stage.create(spec());
    await world.put([1, 2]);
    await inTime(world.clock, stage.drain({ withinMs: 10_000 }));
    expect(await world.landed()).toEqual(['1', '2']);

    stage = await world.stage();
    await world.put([3]);
    const before = world.clock.monotonicMs();
    world.converter.convert = (_job, _batches, options) =>
      new Promise((_resolve, reject) => {
        options?.signal?.addEventListener('abort', () => reject(options.signal?.reason));
      });
    await inTime(world.clock, stage.drain({ withinMs: 10_000 }));
    expect(world.clock.monotonicMs() - before).toBeLessThanOrEqual(10_100);
    expect(await world.landed()).toEqual(['1', '2']);
    expect(world.scratch.size).toBe(0);
  });

  test('two deliveries of one stream land it both', async () => {
    await stage.create(spec({ name: 'a', flush: { records: 2 } }));
    await stage.create(spec({ name: 'b', layout: '', flush: { records: 3 } }));
    await world.put([1, 2, 3]);
    await world.clock.settle();
    expect(await world.landed('a/')).toEqual(['1', '2', '3']);
    expect(await world.landed('b/')).toEqual(['1', '2', '3']);
    expect((await stage.files('b')).items[0]?.path).toMatch(/^b\/b-/);
  });
});
