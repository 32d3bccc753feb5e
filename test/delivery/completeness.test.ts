/** Whether a partition or an hour is complete: what can be asked, and what is answered while rows land. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { spanOf } from '../../src/delivery/complete-span.ts';
import type { World } from './stage-fixture.ts';
import { inTime, makeWorld, triggeredScheduler } from './stage-fixture.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const HOURLY = 'year={yyyy}/month={MM}/day={dd}/hour={HH}/';

describe('a span of time', () => {
  test('is a partition, or the folders of several, or an hour', () => {
    const ten = spanOf(HOURLY, { hour: '2026-01-31T10' });
    const partition = 'year=2026/month=01/day=31/hour=10';
    expect(ten).toMatchObject({ endsAtMs: Date.UTC(2026, 0, 31, 11), folders: `${partition}/` });
    expect(spanOf(HOURLY, { partition })).toMatchObject({ endsAtMs: ten.endsAtMs, folders: ten.folders });
    const month = spanOf(HOURLY, { partition: 'year=2026/month=01/' });
    expect(month).toMatchObject({ endsAtMs: Date.UTC(2026, 1), folders: 'year=2026/month=01/' });
    expect(month.holds(partition)).toBe(true);
    expect(month.holds('year=2026/month=010/day=01/hour=00')).toBe(false);
  });

  test('of an hour is in every folder of that hour, whatever else the layout holds', () => {
    const mixed = spanOf('{region}/{yyyy}-{MM}-{dd}/{HH}/', { hour: '2026-01-31T10' });
    expect(mixed).toMatchObject({ folders: '', endsAtMs: Date.UTC(2026, 0, 31, 11) });
    expect(mixed.holds('eu/2026-01-31/10')).toBe(true);
    expect(mixed.holds('eu/2026-01-31/11')).toBe(false);
    const minutes = spanOf('{yyyy}/{MM}/{dd}/{HH}/{mm}/', { hour: '2026-01-31T10' });
    expect(minutes).toMatchObject({ folders: '2026/01/31/10/' });
    expect(minutes.holds('2026/01/31/10/59')).toBe(true);
  });

  test.each([
    [HOURLY, {}],
    [HOURLY, { hour: '2026-01-31T10', partition: 'year=2026' }],
    [HOURLY, { hour: '2026-01-31' }],
    [HOURLY, { hour: '2026-13-01T00' }],
    [HOURLY, { partition: 'year=2026/day=01' }],
    [HOURLY, { partition: 'year=2026/month=02/day=30' }],
    [HOURLY, { partition: '' }],
    ['product={product}/', { partition: 'product=p1' }],
    ['product={product}/', { hour: '2026-01-31T10' }],
    ['{yyyy}/{MM}/{dd}/', { hour: '2026-01-31T10' }],
  ])('that %s does not have is refused: %j', (layout, query) => {
    expect(() => spanOf(layout, query)).toThrow(expect.objectContaining({ code: 'argument-invalid' }) as Error);
  });
});

describe('a delivery', () => {
  let world: World;
  beforeEach(async () => {
    world = await makeWorld();
    await world.stream('events');
  });
  afterEach(() => world.close());

  test('answers who waits when the hour is complete, or when his time is over, with what it holds', async () => {
    const stage = await world.stage();
    await stage.create(
      stage.parse({
        name: 'd',
        stream: 'events',
        layout: '{yyyy}/{MM}/{dd}/{HH}/',
        format: 'ndjson',
        eventTime: { field: 'at', form: 'ms' },
        allowedLateness: '10m',
        flush: { records: 1, age: '1m' },
      }),
    );
    const hourMs = Math.ceil(world.clock.nowMs() / HOUR_MS) * HOUR_MS;
    await world.clock.advance(hourMs + 3 * HOUR_MS - world.clock.nowMs());
    const hour = new Date(hourMs).toISOString().slice(0, 13);
    const land = async (ids: readonly string[], at: number): Promise<void> => {
      await world.put(ids, { fields: { at } });
      await world.clock.advance(5000);
    };
    await land(['a', 'b'], hourMs + 30 * MINUTE_MS);
    expect(await stage.completeness('d', { hour })).toMatchObject({
      complete: false,
      rows: 2,
      endsAtMs: hourMs + HOUR_MS,
    });
    const early = stage.completeness('d', { hour }, { waitMs: 10_000 });
    await world.clock.advance(11_000);
    expect(await early).toMatchObject({ complete: false });
    const waiting = stage.completeness('d', { hour }, { waitMs: 30_000 });
    await land(['c'], hourMs + HOUR_MS + 10 * MINUTE_MS - 1);
    await land(['d'], hourMs + HOUR_MS + 10 * MINUTE_MS);
    await world.clock.advance(2000);
    expect(await waiting).toMatchObject({ complete: true, rows: 2, files: 1, watermarkMs: hourMs + HOUR_MS });
    await land(['late'], hourMs);
    expect(await stage.completeness('d', { hour })).toMatchObject({ complete: true, rows: 3, files: 2 });
    await expect(stage.completeness('nobody', { hour })).rejects.toMatchObject({ code: 'delivery-not-found' });
  });

  test('that is suspended keeps nobody waiting who does not insist', async () => {
    const stage = await world.stage();
    const name = 'd';
    await stage.create(
      stage.parse({ name, stream: 'events', format: 'ndjson', flush: { records: 1 }, rejects: { mode: 'suspend' } }),
    );
    await world.put(['a']);
    await world.clock.advance(5000);
    const query = { hour: new Date(world.clock.nowMs()).toISOString().slice(0, 13) };
    expect((await stage.completeness(name, query)).blocked).toBeUndefined();
    const waiting = stage.completeness(name, query, { waitMs: 3_600_000 });
    await world.putRaw(['no JSON']);
    await world.clock.advance(5000);
    expect((await stage.status(name))[0]).toMatchObject({ state: 'suspended' });
    const blocked = { by: 'suspended', message: expect.stringContaining('[row-rejected]') as string };
    expect(await waiting).toMatchObject({ complete: false, rows: 1, blocked });
    const insisting = stage.completeness(name, query, { waitMs: 10_000, anyway: true });
    await world.clock.advance(11_000);
    expect(await insisting).toMatchObject({ complete: false, blocked: { by: 'suspended' } });
  });

  test('completes the last hour, and hours without rows, when its stream has fallen silent, and forgets nothing by it', async () => {
    const scheduler = triggeredScheduler();
    const stage = await world.stage({ scheduler });
    const upkeep = (): Promise<void> => inTime(world.clock, scheduler.trigger('delivery maintenance d'));
    await stage.create(
      stage.parse({
        name: 'd',
        stream: 'events',
        layout: '{yyyy}/{MM}/{dd}/{HH}/',
        format: 'ndjson',
        flush: { records: 1, age: '1m' },
      }),
    );
    await upkeep();
    expect((await stage.status('d'))[0]).toMatchObject({ entry: 0 });
    const hourMs = Math.ceil(world.clock.nowMs() / HOUR_MS) * HOUR_MS;
    const hourOf = (ms: number): string => new Date(ms).toISOString().slice(0, 13);
    await world.clock.advance(hourMs + 30 * MINUTE_MS - world.clock.nowMs());
    await world.put(['a']);
    await world.clock.advance(5000);
    const [landed] = await stage.status('d');
    await world.clock.advance(39 * MINUTE_MS);
    await upkeep();
    expect(await stage.completeness('d', { hour: hourOf(hourMs) })).toMatchObject({ complete: false, entry: 1 });
    await world.clock.advance(2 * MINUTE_MS);
    await upkeep();
    expect(await stage.completeness('d', { hour: hourOf(hourMs) })).toMatchObject({
      complete: true,
      rows: 1,
      entry: 2,
    });
    await upkeep();
    const [quiet] = await stage.status('d');
    expect(quiet).toMatchObject({ entry: 2, rows: 1 });
    expect(quiet?.lastLandedMs).toBe(landed?.lastLandedMs);
    await world.clock.advance(2 * HOUR_MS);
    await upkeep();
    const empty = { hour: hourOf(hourMs + HOUR_MS) };
    expect(await stage.completeness('d', empty)).toMatchObject({ complete: true, rows: 0, files: 0, entry: 3 });
    await world.put(['b']);
    await upkeep();
    await world.clock.advance(5000);
    expect((await stage.status('d'))[0]).toMatchObject({ rows: 2, lateRows: 0 });
    expect(await world.landed('d')).toEqual(['a', 'b']);
  });
});
