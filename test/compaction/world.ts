/** A delivery in a lake folder whose time a test moves: landings of real files, compaction with real engines, and a reader that only lists. */
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { tmpdir } from 'node:os';
import { STYLE } from '../../src/app/compaction-place.ts';
import { scratchFolders } from '../../src/app/scratch-folders.ts';
import { manualClock } from '../../src/clock/manual-clock.ts';
import { compactionMetrics } from '../../src/compaction/metrics.ts';
import type { CompactionRoom } from '../../src/compaction/room.ts';
import { runCompaction } from '../../src/compaction/run.ts';
import { dataFileName } from '../../src/delivery/file-name.ts';
import { openFileStore } from '../../src/lake/file/file-store.ts';
import { openLake } from '../../src/landing/lake-identity.ts';
import { type AppendDraft, type LandingLog, openLandingLog } from '../../src/landing/landing-log.ts';
import type { StepHook } from '../../src/landing/steps.ts';
import type { Column } from '../../src/model/column-plan.ts';
import type { CompactionRule, DeliverySpec } from '../../src/model/delivery.ts';
import { asOffset, asShard, asStreamId } from '../../src/model/stream.ts';
import type { CompactionRun } from '../../src/ports/compactions.ts';
import type { LakeStore } from '../../src/ports/lake-store.ts';
import { silentTelemetry } from '../../src/telemetry/silent.ts';
import { type Bench, batchOf, columns, INT64, parquetRows, source, STRING } from '../convert/records.ts';

export const MINUTE_MS = 60_000;
export const HOUR_MS = 60 * MINUTE_MS;

export const RULE: CompactionRule = {
  everyMs: 15 * MINUTE_MS,
  targetBytes: 128 * 1024 ** 2,
  afterMs: HOUR_MS,
  sort: ['id'],
  readers: 'listing',
};

export interface CompactionWorld {
  readonly store: LakeStore;
  readonly clock: ReturnType<typeof manualClock>;
  openLog(store?: LakeStore, step?: StepHook): Promise<LandingLog>;
  /** Lands rows as one file of a partition `hour=<n>`. */
  land(log: LandingLog, partition: string, ids: readonly number[], plan?: Plan): Promise<void>;
  /** The same of several partitions, in one landing. */
  landAll(log: LandingLog, rows: ReadonlyMap<string, readonly number[]>, plan?: Plan): Promise<void>;
  /** As a compactor has it. */
  room(how?: How): CompactionRoom;
  /** Compacts once; `store` and `step` as the compactor has them. */
  compact(how?: How): Promise<CompactionRun>;
  /** Where the lake lies. */
  readonly lake: string;
  /** `partition id` of every row that a listing shows, sorted, and the files. */
  listed(): Promise<{ readonly rows: string[]; readonly files: string[] }>;
  close(): Promise<void>;
}

export interface Plan {
  readonly version: number;
  readonly columns: readonly Column[];
}

export interface How {
  readonly rule?: Partial<CompactionRule>;
  readonly store?: LakeStore;
  readonly step?: StepHook;
  readonly stubborn?: Set<string>;
  readonly signal?: AbortSignal;
}

const PLAN: Plan = { version: 1, columns: columns({ id: INT64, text: STRING }) };

export const SPEC = {
  name: 'd',
  prefix: 'd',
  format: 'parquet',
  compression: 'zstd',
  eventTime: { from: 'arrival' },
} as DeliverySpec;

/** Engines are the caller's. */
export async function compactionWorld(
  made: Bench,
  { manifests = false }: { readonly manifests?: boolean } = {},
): Promise<CompactionWorld> {
  const folder = await mkdtemp(join(tmpdir(), 'compaction-'));
  const manual = manualClock();
  // Waits end at once.
  const clock = { ...manual, sleep: async () => undefined };
  const store = await openFileStore({ folder: join(folder, 'lake'), clock });
  const lakeId = await openLake(store, { clock });
  const scratch = scratchFolders({ folder: join(folder, 'scratch'), clock });
  await scratch.sweep();
  let offset = 0;

  function openLog(its = store, step?: StepHook): Promise<LandingLog> {
    return openLandingLog({
      store: its,
      clock,
      telemetry: silentTelemetry(),
      delivery: 'd',
      prefix: 'd',
      manifests,
      writer: 'w',
      lakeId,
      stream: { name: 's', id: asStreamId('s-1') },
      start: async () => new Map(),
      tuning: { tries: 3, sweepEveryMs: 0 },
      ...(step === undefined ? {} : { step }),
    });
  }

  function room({ store: lake = store, step }: How = {}): CompactionRoom {
    return {
      lake,
      converter: made.converter,
      clock,
      telemetry: silentTelemetry(),
      scratch,
      style: STYLE,
      openLog: () => openLog(lake, step),
    };
  }

  async function landAll(log: LandingLog, rows: ReadonlyMap<string, readonly number[]>, plan = PLAN): Promise<void> {
    const nonce = log.nonce();
    const given = await made.job({ plan: { ...plan, misfit: 'extra' }, layout: 'hour={hour}/' });
    const records = [...rows].flatMap(([partition, ids]) =>
      ids.map((id) => ({ id, text: `text ${id}`, hour: partition.slice('hour='.length) })),
    );
    const converted = await made.converter.convert(given, source(batchOf(records)));
    const firstArrivalMs = clock.nowMs();
    const files: AppendDraft['files'][number][] = [];
    for (const [n, { local, partition, rows: count }] of converted.files.entries()) {
      const name = dataFileName({ delivery: 'd', firstArrivalMs, nonce }, n, 'parquet');
      const handle = await log.stage(nonce, { local, name, directory: `d/${partition}` });
      const eventMinMs = Number(partition.slice('hour='.length)) * HOUR_MS;
      const times = { eventMinMs, eventMaxMs: eventMinMs + 1, closedBecause: 'age' as const };
      const facts = { partition, rows: count, bytes: handle.bytes, planVersion: plan.version, columns: [] };
      files.push({ ...facts, ...times, handle });
    }
    const from = asOffset(offset);
    offset += records.length;
    const ranges = new Map([[asShard(0), { from, to: asOffset(offset) }]]);
    await log.commit({ nonce, ranges, planVersion: plan.version, files, rejected: [], extraRows: 0, lateRows: 0 });
  }

  return {
    store,
    lake: join(folder, 'lake'),
    clock: manual,
    openLog,
    land: (log, partition, ids, plan) => landAll(log, new Map([[partition, ids]]), plan),
    landAll,
    room,
    compact: (how = {}) =>
      runCompaction({
        room: room(how),
        spec: SPEC,
        rule: { ...RULE, ...how.rule },
        metrics: compactionMetrics(silentTelemetry(), 'd'),
        stubborn: how.stubborn ?? new Set(),
        signal: how.signal ?? new AbortController().signal,
        report: () => undefined,
      }),
    async listed() {
      const root = join(folder, 'lake', 'd');
      await mkdir(root, { recursive: true });
      const files = (await readdir(root, { recursive: true })).filter((path) => path.endsWith('.parquet'));
      const rows: string[] = [];
      for (const path of files) {
        const partition = path.slice(0, path.lastIndexOf('/'));
        for (const row of await parquetRows(join(root, path))) rows.push(`${partition} ${String(row['id'])}`);
      }
      return { rows: rows.sort(), files: files.sort() };
    },
    close: () => rm(folder, { recursive: true, force: true }),
  };
}
