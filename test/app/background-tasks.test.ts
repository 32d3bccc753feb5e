import { beforeEach, describe, expect, test } from 'vitest';
import { backgroundTasks } from '../../src/app/background-tasks.ts';
import { memoryBroker } from '../../src/broker/memory/memory-broker.ts';
import { createCatalog } from '../../src/catalog/catalog.ts';
import { manualClock, type ManualClock } from '../../src/clock/manual-clock.ts';
import { memoryStore } from '../../src/lake/memory/memory-store.ts';
import { LakewardError } from '../../src/model/errors.ts';
import { asShard, asStreamId } from '../../src/model/stream.ts';
import type { Broker } from '../../src/ports/broker.ts';
import { createTelemetry } from '../../src/telemetry/telemetry.ts';
import { textBatch } from '../broker/text-batch.ts';

const ID = asStreamId('s');
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
/** Short: the catalog looks for changes in every second that passes. */
const RETENTION_MS = 2 * HOUR_MS;

describe('retention', () => {
  let clock: ManualClock;
  let broker: Broker;
  let warnings: string[];
  let run: () => Promise<void>;
  /** The store of the catalog cannot be asked. */
  let isAway: boolean;

  beforeEach(async () => {
    clock = manualClock();
    broker = memoryBroker({ clock });
    warnings = [];
    const destination = { write: (line: string) => void warnings.push(line) };
    const telemetry = createTelemetry({ level: 'warn', destination });
    isAway = false;
    const store = memoryStore({ clock });
    const read: typeof store.read = (...call) =>
      isAway ? Promise.reject(new LakewardError('lake-unavailable', 'away')) : store.read(...call);
    const catalog = createCatalog({ store: { ...store, read }, clock });
    await catalog.open();
    const document = { name: 's', id: ID, createdMs: 0, retentionMs: RETENTION_MS, shards: [] };
    await catalog.change(catalog.read().version, [{ kind: 'stream', key: 's', document }]);
    await broker.open({ id: ID, shardCount: 1, retentionMs: RETENTION_MS });
    const disk = () => Promise.resolve({ freeBytes: 1, reserveBytes: 1 });
    const jobs = backgroundTasks({ broker, catalog, clock, telemetry, disk, followTopics: async () => {} });
    const job = jobs.find(({ name }) => name === 'broker retention');
    run = async () => {
      await clock.advance(MINUTE_MS);
      await job?.run(new AbortController().signal, () => {}, false);
    };
    await broker.append(ID, textBatch([{ shard: 0, key: 'k', data: 'd' }], clock.nowMs()));
  });

  const kept = async (): Promise<boolean> => (await broker.locate(ID, asShard(0), 'earliest')) === 0;

  test('drops what is old when the clock runs evenly', async () => {
    await clock.advance(RETENTION_MS);
    await run();
    expect(await kept()).toBe(false);
    expect(warnings).toEqual([]);
  });

  test('drops nothing while it cannot be known whether the retention has become longer', async () => {
    isAway = true;
    await clock.advance(RETENTION_MS);
    await run();
    expect(await kept()).toBe(true);
    isAway = false;
    await run();
    expect(await kept()).toBe(false);
  });

  test('drops nothing while the clock is ahead for less than an hour, says so once, and goes on when it is back', async () => {
    clock.setNowMs(clock.nowMs() + 30 * DAY_MS);
    for (let minute = 0; minute < 50; minute++) await run();
    expect(await kept()).toBe(true);
    clock.setNowMs(clock.nowMs() - 30 * DAY_MS);
    await run();
    expect(await kept()).toBe(true);
    expect(warnings).toHaveLength(1);
    await clock.advance(RETENTION_MS);
    await run();
    expect(await kept()).toBe(false);
  });

  test('believes a jump of the clock that has held for an hour, counted anew when it jumps again', async () => {
    clock.setNowMs(clock.nowMs() + 30 * DAY_MS);
    for (let minute = 0; minute < 30; minute++) await run();
    clock.setNowMs(clock.nowMs() + DAY_MS);
    for (let minute = 0; minute < 60; minute++) await run();
    expect(await kept()).toBe(true);
    await run();
    expect(await kept()).toBe(false);
    expect(warnings).toHaveLength(2);
  });

  test('follows small corrections of the clock at once, however many', async () => {
    for (let step = 0; step < 200; step++) {
      clock.setNowMs(clock.nowMs() + 9 * MINUTE_MS);
      await run();
    }
    expect(await kept()).toBe(false);
    expect(warnings).toEqual([]);
  });
});
