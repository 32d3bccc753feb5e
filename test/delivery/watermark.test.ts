/** Watermarks, closing units and late rows. */
import { describe, expect, test } from 'vitest';
import { manualClock } from '../../src/clock/manual-clock.ts';
import { progressBook } from '../../src/delivery/shard-progress.ts';
import type { ShardHighs } from '../../src/landing/shard-highs.ts';
import { asOffset, asShard } from '../../src/model/stream.ts';
import { closingUnit, countLateRows, nextWatermark, unitEndMs } from '../../src/delivery/watermark.ts';

const NOW = Date.UTC(2026, 0, 1, 12);
const base = { nowMs: NOW, idleAfterMs: 60_000, allowedLatenessMs: 10_000, previousMs: undefined };
const shard = (highMs: number | undefined, quietMs = 0, readToEnd = true) => ({
  highMs,
  readToEnd,
  lastRecordMs: NOW - quietMs,
});

describe('the watermark', () => {
  test('is the least of the shards less the allowed lateness', () => {
    expect(nextWatermark({ ...base, shards: [shard(NOW - 5000), shard(NOW - 9000)] })).toBe(NOW - 19_000);
  });

  test('is not held back by a shard that is read to its end and quiet', () => {
    expect(nextWatermark({ ...base, shards: [shard(NOW - 5000), shard(NOW - 900_000, 60_000)] })).toBe(NOW - 15_000);
    expect(nextWatermark({ ...base, shards: [shard(undefined, 60_000)] })).toBe(NOW - 10_000);
  });

  test('is held back by a quiet shard with records left to read', () => {
    expect(nextWatermark({ ...base, shards: [shard(NOW - 900_000, 900_000, false)] })).toBe(NOW - 910_000);
  });

  test('stands still while a busy shard is unknown, and never goes back', () => {
    expect(nextWatermark({ ...base, shards: [shard(undefined)] })).toBeUndefined();
    expect(nextWatermark({ ...base, previousMs: NOW - 1, shards: [shard(undefined)] })).toBe(NOW - 1);
    expect(nextWatermark({ ...base, previousMs: NOW - 1, shards: [shard(NOW - 5000)] })).toBe(NOW - 1);
  });

  test('never passes the clock, even with times in the future', () => {
    expect(nextWatermark({ ...base, shards: [shard(NOW + 3_600_000)] })).toBe(NOW - 10_000);
  });
});

describe('the end of a partition in time', () => {
  test.each([
    ['yyyy', '2027-01-01T00:00:00.000Z'],
    ['MM', '2027-01-01T00:00:00.000Z'],
    ['dd', '2027-01-01T00:00:00.000Z'],
    ['HH', '2027-01-01T00:00:00.000Z'],
    ['mm', '2026-12-31T23:31:00.000Z'],
  ] as const)('by %s', (unit, end) => {
    expect(new Date(unitEndMs(Date.UTC(2026, 11, 31, 23, 30, 59, 999), unit)).toISOString()).toBe(end);
  });

  test('holds before 1970', () => {
    expect(new Date(unitEndMs(-1, 'HH')).toISOString()).toBe('1970-01-01T00:00:00.000Z');
  });

  test('exists only for layouts whose units begin with the year and leave none out', () => {
    expect(closingUnit(['yyyy', 'MM', 'dd', 'HH'])).toBe('HH');
    expect(closingUnit(['yyyy'])).toBe('yyyy');
    expect(closingUnit(['MM', 'dd'])).toBeUndefined();
    expect(closingUnit([])).toBeUndefined();
  });
});

test('rows are late when their partition had ended by the watermark', () => {
  const files = [
    { rows: 3, eventMaxMs: NOW - 1 },
    { rows: 4, eventMaxMs: NOW },
  ];
  expect(countLateRows(files, 'HH', NOW)).toBe(3);
  expect(countLateRows(files, 'HH', NOW - 1)).toBe(0);
  expect(countLateRows(files, undefined, NOW)).toBe(0);
  expect(countLateRows(files, 'HH', undefined)).toBe(0);
});

describe('the progress of shards over landings', () => {
  const MINUTE_MS = 60_000;
  const DAY_MS = 24 * 60 * MINUTE_MS;
  const options = { allowedLatenessMs: 10 * MINUTE_MS, idleAfterMs: 2 * MINUTE_MS };

  /** Each landing takes one record of every shard named, and rows of those in `good` among them. */
  const landings = (clock: ReturnType<typeof manualClock>) => {
    const book = progressBook({ clock, ...options });
    let watermarkMs: number | undefined;
    let highs: ShardHighs = new Map();
    let landed = 0;
    return (shards: readonly number[], good: readonly number[], closed: readonly number[] = []): number | undefined => {
      const [from, to] = [asOffset(landed), asOffset(++landed)];
      const now = (of: readonly number[]) => new Map(of.map((shard) => [asShard(shard), clock.nowMs()]));
      const range = {
        ranges: new Map(shards.map((shard) => [asShard(shard), { from, to }])),
        gaps: [],
        records: shards.length,
        bytes: 1,
        firstArrivalMs: clock.nowMs(),
        lastArrivalMs: now(shards),
      };
      const update = book.after({
        range,
        from: new Map(shards.map((shard) => [asShard(shard), from])),
        ends: new Map(shards.map((shard) => [asShard(shard), to])),
        eventHighMs: now(good),
        previousMs: watermarkMs,
        highs,
        closed: new Map(closed.map((shard) => [asShard(shard), to])),
      });
      highs = new Map([...highs, ...update.highs]);
      watermarkMs = update.watermarkMs;
      return watermarkMs;
    };
  };

  test('go on though a shard carries only rejected rows, from the start or after good ones', async () => {
    const clock = manualClock();
    const land = landings(clock);
    land([0, 1, 2], [0, 1]);
    for (let minute = 0; minute < 60; minute++) {
      await clock.advance(MINUTE_MS);
      land([0, 1, 2], [0]);
    }
    expect(land([0, 1, 2], [0])).toBe(clock.nowMs() - options.allowedLatenessMs);
  });

  test('do not wait for a shard that was closed and read to its end, and wait for those that came after it', async () => {
    const clock = manualClock();
    const land = landings(clock);
    const startMs = clock.nowMs();
    land([0], [0]);
    await clock.advance(10 * MINUTE_MS);
    // Children that nobody has seen a row of: they do not count as quiet because the delivery is old.
    expect(land([0, 1, 2], [0], [0])).toBe(startMs - options.allowedLatenessMs);
    await clock.advance(MINUTE_MS);
    land([1, 2], [1, 2], [0]);
    await clock.advance(MINUTE_MS);
    expect(land([0, 1], [1], [0])).toBe(clock.nowMs() - options.allowedLatenessMs);
  });

  test('do not run ahead of the time for good when they land while the clock is ahead', async () => {
    const clock = manualClock();
    const land = landings(clock);
    const startMs = clock.nowMs();
    land([0], [0]);
    clock.setNowMs(startMs + 30 * DAY_MS);
    expect(land([0], [0])).toBe(startMs - options.allowedLatenessMs);
    clock.setNowMs(startMs);
    await clock.advance(5 * MINUTE_MS);
    expect(land([0, 1], [1])).toBe(clock.nowMs() - options.allowedLatenessMs);
  });

  test('follow a jump of the clock that holds', async () => {
    const clock = manualClock();
    const land = landings(clock);
    clock.setNowMs(clock.nowMs() + 30 * DAY_MS);
    for (let minute = 0; minute <= 60; minute++) {
      land([0], [0]);
      await clock.advance(MINUTE_MS);
    }
    expect(land([0], [0])).toBe(clock.nowMs() - options.allowedLatenessMs);
  });
});
