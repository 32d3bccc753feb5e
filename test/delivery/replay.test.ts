/** Rejected rows that are replayed: once, edited or not, whoever else does the same. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { DeliveryStage } from '../../src/delivery/deliveries.ts';
import { LakewardError } from '../../src/model/errors.ts';
import type { World } from './stage-fixture.ts';
import { inTime, makeWorld } from './stage-fixture.ts';

let world: World;
let stage: DeliveryStage;
const status = async () => {
  const [only] = await stage.status('d');
  if (only === undefined) throw new Error('no delivery');
  return only;
};
const put = (from: number, count: number, bad: readonly number[] = []) =>
  world.putRaw(
    Array.from({ length: count }, (_, i) => (bad.includes(from + i) ? `bad ${from + i}` : `{"id":"${from + i}"}`)),
  );
const openRows = async () => (await stage.rejected('d', { limit: 1000 })).items.map(({ offset }) => offset);
const rejectedFiles = async () => (await world.paths()).filter((path) => path.startsWith('_rejected/'));
const replay = (request: object = {}, of = stage) => inTime(world.clock, of.replay('d', request));
const edit = (offset: number, text = `{"id":"${offset}"}`) => ({
  shard: 0,
  offset,
  data: Buffer.from(text).toString('base64'),
});
/** From now on every text is a row: as after a schema was mended. */
const mended = () => {
  world.converter.lenient = true;
};

beforeEach(async () => {
  world = await makeWorld();
  await world.stream('events');
  stage = await world.stage();
  await stage.create(stage.parse({ name: 'd', stream: 'events', format: 'ndjson', flush: { records: 10 } }));
  await put(0, 10, [2, 3, 7]);
  await world.clock.settle();
  await world.clock.advance(5000);
  await put(10, 10, [11]);
  await world.clock.settle();
});
afterEach(() => inTime(world.clock, world.close()));

describe('a replay', () => {
  test('lands nothing and changes nothing while the rows do not fit', async () => {
    const before = await rejectedFiles();
    expect(await replay()).toEqual({
      dryRun: false,
      replayedRows: 0,
      replayed: [],
      failedRows: 4,
      failed: [{ code: 'not-json', rows: 4, example: { shard: 0, offset: 2, reason: 'x' } }],
    });
    expect(await rejectedFiles()).toEqual(before);
    expect(await status()).toMatchObject({ entry: 2, rows: 16, rejectedRows: 4, rejects: { openRows: 4 } });
  });

  test('lands every row that fits now, once, and shows them as open no more', async () => {
    mended();
    expect(await replay({ dryRun: true })).toMatchObject({ dryRun: true, replayedRows: 4, failedRows: 0 });
    expect(await openRows()).toEqual([2, 3, 7, 11]);
    expect(await replay()).toEqual({
      dryRun: false,
      replayedRows: 4,
      replayed: [{ code: 'not-json', rows: 4 }],
      failedRows: 0,
      failed: [],
    });
    expect(await world.landed()).toHaveLength(20);
    expect(await replay()).toMatchObject({ replayedRows: 0, failedRows: 0 });
    expect(await rejectedFiles()).toEqual([]);
    expect(await openRows()).toEqual([]);
    expect(await status()).toMatchObject({
      entry: 3,
      rows: 20,
      rejectedRows: 4,
      rejects: { openRows: 0, replayedRows: 4, groups: [{ code: 'not-json', rejected: 4, replayed: 4 }] },
    });
    expect(world.scratch.size).toBe(0);
  });

  test('lands edited rows alone, keeps the others as they were, and takes an edit once', async () => {
    const report = await replay({ edits: [edit(3), edit(7, 'still bad'), edit(999)] });
    expect(report).toMatchObject({ replayedRows: 1, failedRows: 1, failed: [{ example: { shard: 0, offset: 7 } }] });
    expect(await world.landed()).toContain('3');
    const { items } = await stage.rejected('d');
    expect(items.map(({ offset, data }) => [offset, Buffer.from(data, 'base64').toString()])).toEqual([
      [2, 'bad 2'],
      [7, 'bad 7'],
      [11, 'bad 11'],
    ]);
    expect(await replay({ edits: [edit(3)] })).toMatchObject({ replayedRows: 0, failedRows: 0 });
    expect(await world.landed()).toHaveLength(17);
  });

  test('takes rows by code and by arrival', async () => {
    mended();
    const [first] = (await stage.rejected('d')).items;
    const until = new Date(Date.parse(first?.arrival ?? '') + 1).toISOString();
    expect(await replay({ code: 'wrong-type' })).toMatchObject({ replayedRows: 0, failedRows: 0 });
    expect(await replay({ code: 'not-json', until })).toMatchObject({ replayedRows: 3 });
    expect(await openRows()).toEqual([11]);
    expect(await replay({ from: until })).toMatchObject({ replayedRows: 1 });
    await expect(replay({ code: 'nonsense', from: 'now', edits: [{}], more: 1 })).rejects.toThrow(
      /more.*code.*from.*edits\[0\]/,
    );
  });

  test('by two at once lands each row once', async () => {
    mended();
    const second = await world.stage();
    await world.clock.settle();
    const reports = await inTime(
      world.clock,
      Promise.all([stage.replay('d', {}), second.replay('d', {}), second.replay('d', { edits: [edit(3)] })]),
    );
    expect(reports.reduce((sum, { replayedRows }) => sum + replayedRows, 0)).toBe(4);
    expect(await world.landed()).toHaveLength(20);
  });

  test('that lost its answer can be repeated: what has landed is not landed again', async () => {
    mended();
    const create = world.lake.create.bind(world.lake);
    let broken = 0;
    world.lake.create = async (path, bytes, call) => {
      const outcome = await create(path, bytes, call);
      if (!path.includes('/log/') || broken++ > 20) return outcome;
      throw new LakewardError('lake-unavailable', 'the answer was lost');
    };
    await expect(replay()).rejects.toMatchObject({ code: 'lake-unavailable' });
    broken = 100;
    await replay();
    expect(await world.landed()).toHaveLength(20);
    expect(await openRows()).toEqual([]);
  });

  test('whose file the lake loses is taken back, and lands at the next try', async () => {
    mended();
    const publish = world.lake.publish.bind(world.lake);
    let losses = 1;
    world.lake.publish = async (handle, call) => {
      if (handle.final.startsWith('d/') && losses-- > 0) await world.lake.discard(handle);
      return publish(handle, call);
    };
    expect(await replay()).toMatchObject({ replayedRows: 4 });
    expect(await world.landed()).toHaveLength(20);
    expect(await status()).toMatchObject({ state: 'running', entry: 5, rows: 20, rejects: { openRows: 0 } });
    await put(20, 10);
    await world.clock.settle();
    expect(await world.landed()).toHaveLength(30);
  });

  test('works on a delivery that is paused, and a list goes on beside it', async () => {
    const page = await stage.rejected('d', { limit: 2 });
    await inTime(world.clock, stage.setPaused('d', true));
    await replay({ edits: [edit(2)] });
    const rest = await stage.rejected('d', { limit: 9, after: page.next as string });
    expect(rest.items.map(({ offset }) => offset)).toEqual(expect.arrayContaining([7, 11]));
    expect(await openRows()).toEqual([3, 7, 11]);
  });
});
