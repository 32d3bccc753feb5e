/**
 * A day of traffic of which 5 % comes late, up to six hours, through the real log, holding, policy and compaction. Files are counted, not
 * converted: a row is a byte.
 */
import { expect, test } from 'vitest';
import { compactionMetrics } from '../../src/compaction/metrics.ts';
import { releaseHeld } from '../../src/compaction/release.ts';
import type { CompactionRoom } from '../../src/compaction/room.ts';
import { runCompaction } from '../../src/compaction/run.ts';
import { holdsThrough, releaseDue } from '../../src/delivery/late-rows.ts';
import { type LandingLog, openLandingLog } from '../../src/landing/landing-log.ts';
import type { CompactionRule, DeliverySpec, LateRule } from '../../src/model/delivery.ts';
import { asOffset, asShard } from '../../src/model/stream.ts';
import type { Converter } from '../../src/ports/converter.ts';
import { silentTelemetry } from '../../src/telemetry/silent.ts';
import { memoryLog } from '../landing/memory-log.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const LANDING_MS = 5 * MINUTE_MS;
const HOURS = 24;
const LATE_HOURS = 6;
/** Of one landing: those in time, and 5 % that lie in the hours before. */
const IN_TIME_ROWS = 1140;
const LATE_ROWS_AN_HOUR = 10;
const HOUR_ROWS = (HOUR_MS / LANDING_MS) * (IN_TIME_ROWS + LATE_HOURS * LATE_ROWS_AN_HOUR);
const LATE: LateRule = { holdMs: 15 * MINUTE_MS, bytes: 64 * 1024 ** 2 };

interface Day {
  /** The most files of one hour that a listing showed at any time, when it was closed. */
  readonly mostFiles: number;
  /** Of each hour, at the end. */
  readonly files: readonly number[];
  readonly rows: number;
  /** By releases and merges, a byte landed. */
  readonly rewritten: number;
}

/** Reads and writes texts in memory; what it writes is counted. */
function counting(wrote: (bytes: number) => void) {
  const local = new Map<string, string>();
  const scratch: CompactionRoom['scratch'] = {
    make: async () => 'scratch',
    async writePieces(path, pieces) {
      let text = '';
      for await (const piece of pieces) text += new TextDecoder().decode(piece);
      local.set(path, text);
      return text.length;
    },
    remove: async () => undefined,
  };
  const merge: Converter['merge'] = async ({ inputs }) => {
    const text = inputs.map((input) => local.get(input.local) ?? '').join('');
    wrote(text.length);
    return { local: text, bytes: text.length, columns: [], digest: { rows: text.length, checksum: 'c' } };
  };
  return { scratch, converter: { merge } as Converter };
}

/** One landing: a file of each hour that it has rows of. */
async function land(log: LandingLog, at: { hour: number; beginsMs: number; heldThroughMs: number | undefined }) {
  const nonce = log.nonce();
  const { hour, beginsMs, heldThroughMs = 0 } = at;
  const behind = Array.from({ length: LATE_HOURS + 1 }, (_, back) => hour - back);
  // The day is over: only time passes.
  const hours = hour < HOURS ? behind.filter((past) => past >= 0) : [];
  const files = await Promise.all(
    hours.map(async (past) => {
      const rows = past === hour ? IN_TIME_ROWS : LATE_ROWS_AN_HOUR;
      const closesAtMs = beginsMs + (past + 1) * HOUR_MS;
      const partition = `hour=${past}`;
      const directory = `${closesAtMs <= heldThroughMs ? log.heldFolder : ''}d/${partition}`;
      const name = `${nonce}-${past}.ndjson`;
      const handle = await log.stage(nonce, { local: 'x'.repeat(rows), name, directory });
      const times = { eventMinMs: closesAtMs - HOUR_MS, eventMaxMs: closesAtMs - 1, closesAtMs };
      const facts = { planVersion: 1, closedBecause: 'age' as const, columns: [] };
      return { ...facts, ...times, partition, rows, bytes: rows, handle };
    }),
  );
  const from = log.view().positions.get(asShard(0)) ?? asOffset(0);
  const to = asOffset(from + files.reduce((sum, { rows }) => sum + rows, 0));
  const ranges = new Map(files.length === 0 ? [] : [[asShard(0), { from, to }]]);
  const counts = { extraRows: 0, lateRows: 0, watermarkMs: beginsMs + hour * HOUR_MS };
  await log.commit({ nonce, ranges, planVersion: 1, files, rejected: [], ...counts });
}

async function filesOf(log: LandingLog): Promise<{ readonly closed: number[]; readonly all: number[] }> {
  const counts = new Map<string, { files: number; open: boolean }>();
  await log.eachFile(({ file: { partition }, open }) => {
    counts.set(partition, { files: (counts.get(partition)?.files ?? 0) + 1, open });
  });
  const all = [...counts.values()];
  return { all: all.map(({ files }) => files), closed: all.filter(({ open }) => !open).map(({ files }) => files) };
}

async function day(afterMs: number, late?: LateRule): Promise<Day> {
  const { options, later, clock, store } = await memoryLog();
  const log = await openLandingLog(options);
  const telemetry = silentTelemetry();
  const { signal } = new AbortController();
  let rewritten = 0;
  const room: CompactionRoom = {
    lake: store,
    clock,
    telemetry,
    ...counting((bytes) => (rewritten += bytes)),
    style: { extension: () => '.ndjson', name: (_, { nonce }) => `${nonce}.ndjson`, kept: (_, file) => file },
    openLog: async () => log,
  };
  const shared = { everyMs: 15 * MINUTE_MS, sort: 'none', readers: 'listing' } as const;
  const rule: CompactionRule = { ...shared, targetBytes: HOUR_ROWS, afterMs };
  const base = {
    name: 'd',
    prefix: 'd',
    format: 'ndjson',
    compression: 'none',
    eventTime: { from: 'arrival' },
    layout: '{yyyy}/{MM}/{dd}/{HH}/',
  };
  const spec = { ...base, compaction: rule, ...(late === undefined ? {} : { late }) } as DeliverySpec;
  const holder = { clock, releaseHeld: (order: Parameters<typeof releaseHeld>[1]) => releaseHeld(room, order) };
  const metrics = compactionMetrics(telemetry, 'd');
  const beginsMs = clock.nowMs();
  let mostFiles = 0;
  for (let turn = 1; turn * LANDING_MS <= (HOURS + LATE_HOURS) * HOUR_MS; turn++) {
    later(LANDING_MS);
    const hour = Math.floor((turn * LANDING_MS - 1) / HOUR_MS);
    await land(log, { hour, beginsMs, heldThroughMs: holdsThrough(holder, spec, { view: log.view(), files: [] }) });
    await log.maintain();
    await releaseDue(holder, { log, spec, signal });
    mostFiles = Math.max(mostFiles, ...(await filesOf(log)).closed);
    if (turn % 3 > 0) continue;
    const order = { room, spec, rule, metrics, stubborn: new Set<string>(), signal, report: () => undefined };
    expect(await runCompaction(order)).toMatchObject({ outcome: 'done', groupsFailed: 0 });
  }
  let rows = 0;
  await log.eachFile(({ file }) => (rows += file.rows));
  expect(rows).toBe(log.view().totals.rows);
  return { mostFiles, files: (await filesOf(log)).all, rows, rewritten: rewritten / log.view().totals.bytes };
}

test.each([
  ['an hour of quiet', HOUR_MS],
  ['ten minutes of quiet', 10 * MINUTE_MS],
])('with late rows held an hour has few files before it is merged, after %s, and one then', async (_, afterMs) => {
  const [plain, held] = [await day(afterMs), await day(afterMs, LATE)];
  for (const { files, rewritten } of [plain, held]) {
    expect(files).toEqual(files.map(() => 1));
    expect(rewritten).toBeLessThan(2);
  }
  expect(held.rows).toBe(plain.rows);
  expect(held.mostFiles).toBeLessThan(plain.mostFiles / 2);
});
