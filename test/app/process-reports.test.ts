import { afterEach, beforeEach, expect, test } from 'vitest';
import { processReports, type ProcessReports } from '../../src/app/process-reports.ts';
import { type ManualClock, manualClock } from '../../src/clock/manual-clock.ts';
import { memoryStore } from '../../src/lake/memory/memory-store.ts';
import { LakewardError } from '../../src/model/errors.ts';
import { lakePath } from '../../src/model/lake-path.ts';
import type { LakeStore } from '../../src/ports/lake-store.ts';
import type { DeliveryShare, ProcessReport } from '../../src/ports/processes.ts';
import { silentTelemetry } from '../../src/telemetry/silent.ts';

const DAY_MS = 86_400_000;
let clock: ManualClock;
let store: LakeStore;
let open: ProcessReports[];
beforeEach(() => {
  clock = manualClock();
  store = memoryStore({ clock });
  open = [];
});
afterEach(() => Promise.all(open.map((one) => one.close())));

function aReport(id: string, changes: Partial<ProcessReport> = {}): ProcessReport {
  return {
    id,
    host: 'h',
    pid: 1,
    url: 'http://h',
    roles: ['deliver'],
    version: '1',
    startedMs: 1,
    catalogVersion: 1,
    catalogAgeMs: 0,
    memoryBytes: 1,
    deliveries: [],
    ...changes,
  };
}

async function member(id: string, report: Partial<ProcessReport> = {}, on = store): Promise<ProcessReports> {
  const { log } = silentTelemetry();
  const reports = processReports({ store: on, clock, log });
  open.push(reports);
  reports.start(async () => aReport(id, report));
  await clock.advance(0);
  return reports;
}

async function pass(seconds: number): Promise<void> {
  for (let i = 0; i < seconds; i += 1) await clock.advance(1_000);
}

const heard = async (reports: ProcessReports) => (await reports.list()).map(({ id, silent }) => [id, silent]);
const files = async () => (await store.list('_lakeward/processes/')).files.map(({ path }) => path);

test('every process knows every other, itself first, and one that stopped in order is gone at once', async () => {
  const [a, b] = [await member('a'), await member('b', { startedMs: 0 })];
  await pass(3);
  expect(await heard(a)).toEqual([
    ['a', false],
    ['b', false],
  ]);
  expect((await heard(b))[0]).toEqual(['b', false]);
  await a.close();
  await pass(3);
  expect(await heard(b)).toEqual([['b', false]]);
});

test('one that reports no more is silent, with since when, and forgotten after a day', async () => {
  const b = await member('b');
  await store.overwrite(lakePath('_lakeward/processes/a.json'), bytesOf({ v: 1, ...aReport('a') }));
  await pass(29);
  expect(await heard(b)).toContainEqual(['a', false]);
  await pass(20);
  const a = (await b.list()).find(({ id }) => id === 'a');
  expect(a?.silent).toBe(true);
  expect(a?.heardAgoMs).toBeGreaterThan(30_000);
  // A delivery of that name: its log is nobody's report.
  const entry = lakePath('_lakeward/processes/stream-id/log/0/00000000000000000000.json');
  await store.create(entry, bytesOf({}));
  clock.setNowMs(clock.nowMs() + DAY_MS);
  await pass(3_700);
  expect(await files()).toEqual(['_lakeward/processes/b.json', entry]);
});

test('machines whose clocks differ by hours are not silent to each other', async () => {
  const a = await member('a', { startedMs: clock.nowMs() - 5 * 3_600_000 });
  const other = manualClock();
  const ahead = processReports({ store, clock: other, log: silentTelemetry().log });
  open.push(ahead);
  ahead.start(async () => aReport('ahead'));
  other.setNowMs(clock.nowMs() + 5 * 3_600_000);
  await other.advance(0);
  await clock.advance(0);
  expect(await heard(a)).toContainEqual(['ahead', false]);
  expect(await heard(ahead)).toContainEqual(['a', false]);
});

test('without the lake a process still tells of itself, and reports again when the lake is back', async () => {
  let away = true;
  const fault = () => Promise.reject(new LakewardError('lake-unavailable', 'away'));
  const flaky: LakeStore = {
    ...store,
    overwrite: (...call) => (away ? fault() : store.overwrite(...call)),
    list: (...call) => (away ? fault() : store.list(...call)),
  };
  const a = await member('a', {}, flaky);
  expect(await heard(a)).toEqual([['a', false]]);
  expect(await files()).toEqual([]);
  away = false;
  await pass(11);
  expect(await files()).toEqual(['_lakeward/processes/a.json']);
});

test('a report is bounded: deliveries in trouble stay in it, and what they say is cut', async () => {
  const share = (i: number): DeliveryShare => ({ delivery: `d${i}`, state: 'running', shards: [0], records: i });
  const trouble = { code: 'lake-unavailable', message: 'x'.repeat(10_000), sinceMs: 1 } as const;
  const deliveries = [...Array.from({ length: 1_500 }, (_, i) => share(i)), { ...share(0), delivery: 'bad', trouble }];
  const a = await member('a', { deliveries });
  const [own] = await a.list();
  expect(own?.deliveries).toHaveLength(1_000);
  expect(own?.deliveries.find(({ delivery }) => delivery === 'bad')?.trouble?.message).toHaveLength(500);
  const [file] = await files();
  expect((await store.read(lakePath(file ?? '')))?.length).toBeLessThan(200_000);
});

test('a file that is no report of this version is nobody', async () => {
  const a = await member('a');
  for (const [name, content] of Object.entries({ b: '{"v":2}', c: 'not json', d: { v: 1, id: 5 } })) {
    await store.overwrite(lakePath(`_lakeward/processes/${name}.json`), bytesOf(content));
  }
  await pass(3);
  expect(await heard(a)).toEqual([['a', false]]);
});

function bytesOf(value: unknown): Uint8Array {
  return new TextEncoder().encode(typeof value === 'string' ? value : JSON.stringify(value));
}
