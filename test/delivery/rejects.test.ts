/** What becomes of rows that cannot land: modes, error budget, counts. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { DeliveryStage } from '../../src/delivery/deliveries.ts';
import type { World } from './stage-fixture.ts';
import { inTime, makeWorld } from './stage-fixture.ts';

let world: World;
let stage: DeliveryStage;
const spec = (rejects: unknown, change: object = {}) =>
  stage.parse({ name: 'd', stream: 'events', format: 'ndjson', flush: { records: 10 }, rejects, ...change });
const status = async (of = stage) => {
  const [only] = await of.status('d');
  if (only === undefined) throw new Error('no delivery');
  return only;
};
/** Records by number; those of `bad` are no JSON. */
const put = (from: number, count: number, bad: readonly number[] = []) =>
  world.putRaw(
    Array.from({ length: count }, (_, i) => (bad.includes(from + i) ? `bad ${from + i}` : `{"id":"${from + i}"}`)),
  );
const rejectedFiles = async () => (await world.paths()).filter((path) => path.startsWith('_rejected/'));
const resume = () => inTime(world.clock, stage.setPaused('d', false));

beforeEach(async () => {
  world = await makeWorld();
  await world.stream('events');
  stage = await world.stage();
});
afterEach(() => inTime(world.clock, world.close()));

describe('a delivery that suspends at the first rejected row', () => {
  test('commits nothing of the landing and says what, where, why and how to go on', async () => {
    await stage.create(spec('suspend'));
    await put(0, 10);
    await world.clock.settle();
    await put(10, 10, [13, 15]);
    await world.clock.settle();
    const { state, trouble, rows, rejectedRows } = await status();
    expect({ state, rows, rejectedRows, code: trouble?.code }).toEqual({
      state: 'suspended',
      rows: 10,
      rejectedRows: 0,
      code: 'row-rejected',
    });
    expect(trouble?.message).toMatch(/not-json at offset 13 of shard 0: x .*2 of this landing: 2 not-json.*mode.*skip/);
    expect(await rejectedFiles()).toEqual([]);
    expect(world.scratch.size).toBe(0);
  });

  test('meets the same row after a resume and after a restart, and lands it when its mode is another', async () => {
    await stage.create(spec('suspend'));
    await put(0, 10, [3]);
    await world.clock.settle();
    expect((await resume()).trouble?.code).toBe('row-rejected');
    await inTime(world.clock, stage.close());
    stage = await world.stage();
    await world.clock.settle();
    expect((await status()).trouble?.code).toBe('row-rejected');
    await inTime(world.clock, stage.update(spec('reject')));
    await world.clock.settle();
    expect(await status()).toMatchObject({ state: 'running', rows: 9, rejectedRows: 1 });
  });
});

test('a delivery that skips rejected rows counts them by reason and keeps none', async () => {
  await stage.create(spec({ mode: 'skip' }));
  await put(0, 10, [3, 4]);
  await world.clock.settle();
  expect(await rejectedFiles()).toEqual([]);
  expect(await status()).toMatchObject({
    state: 'running',
    rows: 8,
    rejectedRows: 0,
    rejects: { openRows: 0, skippedRows: 2, groups: [{ code: 'not-json', rejected: 0, skipped: 2, replayed: 0 }] },
  });
});

describe('an error budget', () => {
  const BUDGET = { budget: { share: 0.1, rows: 30 } };

  test('lets rejects within it pass, counted by reason over the life and lately', async () => {
    await stage.create(spec(BUDGET));
    await put(0, 10, [3]);
    await world.clock.settle();
    await put(10, 10, [13, 14]);
    await world.clock.settle();
    expect(await status()).toMatchObject({
      state: 'running',
      rows: 17,
      rejectedRows: 3,
      rejects: {
        openRows: 3,
        groups: [{ code: 'not-json', rejected: 3, skipped: 0, replayed: 0 }],
        lately: { landings: 2, rows: 20, groups: [{ code: 'not-json', rows: 3 }] },
      },
    });
  });

  test('suspends before the landing that breaks it, over several landings, in skip mode too', async () => {
    await stage.create(spec({ mode: 'skip', ...BUDGET }));
    await put(0, 10, [1, 2]);
    await world.clock.settle();
    await put(10, 10, [11, 12]);
    await world.clock.settle();
    const { state, rows, trouble } = await status();
    expect({ state, rows, code: trouble?.code }).toEqual({
      state: 'suspended',
      rows: 8,
      code: 'reject-budget-exceeded',
    });
    expect(trouble?.message).toMatch(
      /4 of 30 rows .* 10 %; in this landing 2 not-json, for example not-json at offset 11/,
    );
  });

  test('is not passed by a restart, which meets the same rows', async () => {
    await stage.create(spec(BUDGET));
    await put(0, 10, [1, 2]);
    await world.clock.settle();
    await put(10, 10, [11, 12]);
    await world.clock.settle();
    await inTime(world.clock, stage.close());
    await put(20, 5);
    stage = await world.stage();
    await world.clock.settle();
    expect(await status()).toMatchObject({ state: 'suspended', rows: 8, trouble: { code: 'reject-budget-exceeded' } });
  });

  test('lets through at a resume what waits then, and counts anew behind it', async () => {
    await stage.create(spec(BUDGET));
    await put(0, 10, [0, 1, 2, 3, 4]);
    await world.clock.settle();
    expect((await status()).state).toBe('suspended');
    expect(await resume()).toMatchObject({ state: 'running', rows: 5, rejectedRows: 5 });
    await put(10, 10, [10, 11, 12]);
    await world.clock.settle();
    expect(await status()).toMatchObject({ state: 'running', rows: 12, rejectedRows: 8 });
    await put(20, 10, [20]);
    await world.clock.settle();
    expect(await status()).toMatchObject({ state: 'suspended', rows: 12 });
    expect(await world.landed()).toHaveLength(12);
  });

  test('lets nothing through that came after the resume, also when the process ends before it lands', async () => {
    await stage.create(spec(BUDGET));
    await put(0, 10, [0, 1, 2, 3, 4]);
    await world.clock.settle();
    const gate = Promise.withResolvers<void>();
    world.converter.before = () => gate.promise;
    const resumed = stage.setPaused('d', false);
    await world.clock.settle();
    await put(10, 10, [10, 11, 12, 13, 14]);
    world.converter.before = undefined;
    const second = await world.stage();
    await world.clock.settle();
    expect(await status(second)).toMatchObject({ state: 'suspended', rows: 5, rejectedRows: 5 });
    gate.resolve();
    await inTime(world.clock, resumed);
  });
});

test('a specification names what is wrong with its reject rule', () => {
  expect(stage.parse({ name: 'd', stream: 's', rejects: 'skip' }).rejects).toEqual({ mode: 'skip' });
  expect(spec({ budget: {} }).rejects).toEqual({ mode: 'reject', budget: { share: 0.05, rows: 1000 } });
  expect(() => spec({ mode: 'drop', budget: { share: 5, rows: 0 } })).toThrow(
    /rejects.mode: "drop".*rejects.budget.share: 5.*rejects.budget.rows: 0/,
  );
});
