/**
 * One landing in two steps. `prepare` reads a range and converts it into a scratch folder: nothing outside has changed. `land`
 * stages the files and commits them with their range in one entry of the landing log, then records losses that follow the range. A
 * prepared landing that is superseded or dropped leaves nothing behind but stages, which the log's maintenance sweeps.
 */
import { type AppendKeys, filesFor, isCut, type KnownKeys } from '../landing/known-keys.ts';
import type { LandingLog } from '../landing/landing-log.ts';
import { highTable } from '../landing/shard-highs.ts';
import type { ColumnPlan } from '../model/column-plan.ts';
import type { DeliverySpec, FlushReason } from '../model/delivery.ts';
import { LakewardError } from '../model/errors.ts';
import { MIB } from '../model/limits.ts';
import type { RecordBatch } from '../model/record-batch.ts';
import type { Positions, ShardIndex, StreamDocument } from '../model/stream.ts';
import { compileLayout } from '../partition/layout.ts';
import type { ConvertDedupe, ConvertResult } from '../ports/converter.ts';
import type { Log } from '../ports/telemetry.ts';
import { closedShards, countStragglers } from './closed-shards.ts';
import { convertJob } from './convert-job.ts';
import type { IdMemory, LandingKeys } from './id-memory.ts';
import type { LandingBudget } from './landing-budget.ts';
import type { DeliveryMetrics, LandedFacts } from './metrics.ts';
import type { PlanGrowth } from './plan-growth.ts';
import { encryptedExtension, hiddenObjectOf } from './object-settings.ts';
import { holdsThrough } from './late-rows.ts';
import { currentPlan } from './plan-keeper.ts';
import type { RangeOutcome } from './range-reader.ts';
import { rangeReader } from './range-reader.ts';
import type { DeliveryRoom } from './room.ts';
import type { Progress, ProgressBook, ProgressFacts } from './shard-progress.ts';
import { wholeStream } from './others-ends.ts';
import { stageFiles } from './stage-files.ts';
import { closingUnit, countLateRows } from './watermark.ts';

/** A landing takes at least this much when it waits: catching up lands few large batches. */
const LANDING_BYTES = 256 * MIB;

export interface LandingRoom {
  readonly room: DeliveryRoom;
  readonly spec: DeliverySpec;
  /** When the delivery was created. */
  readonly createdMs: number;
  readonly stream: StreamDocument;
  readonly log: LandingLog;
  readonly progress: ProgressBook;
  /** Of a delivery whose inferred plan may grow. */
  readonly growth: PlanGrowth | undefined;
  readonly budget: LandingBudget;
  readonly ids: IdMemory;
  readonly metrics: DeliveryMetrics;
  readonly telemetryLog: Log;
  readonly signal: AbortSignal;
}

export interface PreparedLanding {
  readonly nonce: string;
  /** Absent when the range holds no records: a jump over unused or lost offsets. */
  readonly plan: ColumnPlan | undefined;
  readonly range: RangeOutcome;
  readonly order: LandingOrder;
  readonly converted: ConvertResult;
  /** Present when duplicates are dropped. */
  readonly keys: LandingKeys | undefined;
  readonly startedMs: number;
  drop(): Promise<void>;
}

export interface LandingOrder {
  readonly from: Positions;
  readonly ends: Positions;
  readonly reason: FlushReason;
  /** An operator lets these records through the error budget. */
  readonly letThrough?: true;
  /** The event ids known when everything before has landed; absent when it has. */
  readonly known?: KnownKeys | undefined;
}

/** Throws what the broker, the converter and the catalog throw; the scratch folder is gone then. */
export async function prepareLanding(at: LandingRoom, order: LandingOrder): Promise<PreparedLanding> {
  const { room, spec, stream, signal } = at;
  const startedMs = room.clock.monotonicMs();
  const bytesMax = at.budget.bytesMax(Math.max(spec.flush.bytes, LANDING_BYTES));
  const reader = rangeReader({
    broker: room.broker,
    stream: stream.id,
    from: order.from,
    ends: order.ends,
    bytesMax,
    signal,
  });
  const sample = await reader.first();
  const nonce = at.log.nonce();
  const known = order.known ?? at.log.view().known;
  if (sample.length === 0) {
    for await (const batch of reader.batches) assertNone(batch);
    const range = reader.outcome();
    return {
      nonce,
      order,
      range,
      plan: undefined,
      converted: NOTHING,
      keys: await adoptKeys(at, { nonce, known, range, converted: NOTHING }),
      startedMs,
      drop: nothingToDrop,
    };
  }
  // Whoever sent these records may have registered their schemas in another process a moment before.
  await room.catalog.refresh({ signal });
  const plan = await currentPlan(
    { catalog: room.catalog, converter: room.converter, clock: room.clock, spec, createdMs: at.createdMs },
    { sample, landedVersion: at.log.view().planVersion, growth: at.growth, signal },
  );
  const directory = await room.scratch.make();
  const drop = (): Promise<void> => room.scratch.remove(directory);
  try {
    const dedupe = await keysJob(at, known);
    const job = { ...convertJob(spec, plan, directory), ...(dedupe === undefined ? {} : { dedupe }) };
    const converted = await room.converter.convert(job, reader.batches, { signal });
    at.budget.converted();
    const range = reader.outcome();
    const apart = (converted.rejected?.rows ?? 0) + (converted.dedupe?.duplicateRows ?? 0);
    const rows = converted.rows + converted.filteredRows + apart;
    if (rows !== range.records) {
      throw new LakewardError('convert-failed', `the converter gave ${rows} rows for ${range.records} records`);
    }
    const keys = await adoptKeys(at, { nonce, known, range, converted });
    return { nonce, order, range, plan, converted, keys, startedMs, drop };
  } catch (error) {
    at.budget.failed(error, reader.bytes());
    await at.ids.failed(error);
    await drop();
    throw error;
  }
}

type KeysPlace = Pick<LandingRoom, 'spec' | 'log' | 'ids' | 'signal'>;

/** What the converter is told of duplicates; the files of ids it needs are there then. */
export async function keysJob(at: KeysPlace, known: KnownKeys): Promise<ConvertDedupe | undefined> {
  const { spec, log, ids, signal } = at;
  if (spec.dedupe === undefined) return undefined;
  await ids.keep(known);
  return await ids.job(spec.dedupe, filesFor(known, spec.dedupe), (file, call) => log.readKeys(file, call), { signal });
}

async function adoptKeys(
  { spec, ids }: LandingRoom,
  made: Pick<PreparedLanding, 'nonce' | 'range' | 'converted'> & { readonly known: KnownKeys },
): Promise<LandingKeys | undefined> {
  if (spec.dedupe === undefined) return undefined;
  const { nonce, known, range, converted } = made;
  const { firstArrivalMs } = range;
  return await ids.adopt({
    nonce,
    rule: spec.dedupe,
    known,
    firstArrivalMs,
    extension: encryptedExtension(spec),
    converted: converted.dedupe,
  });
}

/** Stages and commits. `superseded`: another worker landed from the same positions; nothing of this one shows. */
export async function land(at: LandingRoom, prepared: PreparedLanding): Promise<'committed' | 'superseded'> {
  try {
    const outcome = prepared.range.ranges.size === 0 ? 'committed' : await commitRange(at, prepared);
    tellKnown(at);
    if (outcome === 'superseded' || prepared.range.gaps.length === 0) return outcome;
    return await commitLosses(at, prepared);
  } finally {
    await prepared.drop();
  }
}

async function commitRange(at: LandingRoom, prepared: PreparedLanding): Promise<'committed' | 'superseded'> {
  const { room, spec, log, signal } = at;
  const { nonce, range, converted } = prepared;
  const { reason, from, ends } = prepared.order;
  const planVersion = prepared.plan?.version ?? log.view().planVersion;
  const firstArrivalMs = range.firstArrivalMs ?? room.clock.nowMs();
  const heldThroughMs = holdsThrough(room, spec, { view: log.view(), files: converted.files });
  const order = { lake: room.lake, log, spec, nonce, firstArrivalMs, planVersion, reason, signal, heldThroughMs };
  const skips = spec.rejects?.mode === 'skip';
  const { files, rejected } = await stageFiles(
    order,
    skips ? { files: converted.files, rejected: undefined } : converted,
  );
  const reasons = converted.rejected?.reasons ?? [];
  const keys = await writeKeys(at, prepared);

  const closed = closedShards(room.catalog.read(), at.stream);
  const whole = await wholeStream(at, { from, ends, closed }, { signal });
  const previousMs = log.view().watermarkMs;
  const lateRows = countLateRows(converted.files, closingUnit(compileLayout(spec.layout).units), previousMs);
  const { watermarkMs, highs } = progressOf(at, prepared, { ...whole, previousMs, closed });
  const outcome = await log.commit(
    {
      nonce,
      ranges: range.ranges,
      planVersion,
      files,
      rejected,
      extraRows: converted.extraRows,
      lateRows,
      ...(converted.filteredRows === 0 ? {} : { filteredRows: converted.filteredRows }),
      ...(watermarkMs === undefined ? {} : { watermarkMs }),
      ...(highs.size === 0 ? {} : { highs: highTable(highs) }),
      ...(skips && reasons.length > 0 ? { skipped: reasons } : {}),
      ...(prepared.order.letThrough === undefined ? {} : { letThrough: true as const }),
      ...(keys === undefined ? {} : { dedupe: keys }),
    },
    { signal },
  );
  at.metrics.landing(outcome, room.clock.monotonicMs() - prepared.startedMs);
  if (outcome === 'superseded') return outcome;
  at.growth?.landed(converted);
  const landed = {
    reason,
    rows: converted.rows,
    files: files.length,
    bytes: files.reduce((sum, file) => sum + file.bytes, 0),
    filteredRows: converted.filteredRows,
    extraRows: converted.extraRows,
    lateRows,
    stragglers: countStragglers(range.ranges, closed),
    duplicateRows: keys?.duplicateRows ?? 0,
    unkeyedRows: keys?.unkeyedRows ?? 0,
    rejects: skips ? [] : reasons,
    skips: skips ? reasons : [],
    lagMs: Math.max(0, room.clock.nowMs() - firstArrivalMs),
  };
  tellLanded(at, landed, converted.rejected?.rows ?? 0);
  return outcome;
}

function progressOf(
  { progress }: LandingRoom,
  { range, converted }: PreparedLanding,
  known: Pick<ProgressFacts, 'from' | 'ends' | 'highs' | 'previousMs' | 'closed'>,
): Progress {
  return progress.after({ ...known, range, eventHighMs: converted.eventHighMs });
}

function tellLanded({ metrics, telemetryLog }: LandingRoom, landed: LandedFacts, rejectedRows: number): void {
  metrics.landed(landed);
  telemetryLog.info('landed', { ...landed, rejects: undefined, skips: undefined, rejectedRows });
}

function tellKnown({ spec, log, metrics }: LandingRoom): void {
  if (spec.dedupe === undefined) return;
  const { known } = log.view();
  metrics.known({ keys: known.keys, cut: isCut(known) });
}

/** The ids of the rows, durable before the entry names them. */
export async function writeKeys(
  { spec, log, ids, signal }: KeysPlace,
  { keys }: Pick<PreparedLanding, 'keys'>,
): Promise<AppendKeys | undefined> {
  for (const file of keys?.appended.files ?? []) {
    await log.writeKeys({ name: file.name, content: await ids.content(file), ...hiddenObjectOf(spec) }, { signal });
  }
  return keys?.appended;
}

async function commitLosses(at: LandingRoom, { range }: PreparedLanding): Promise<'committed' | 'superseded'> {
  const outcome = await at.log.commitGap(range.gaps, { signal: at.signal });
  if (outcome === 'superseded') return outcome;
  const lost = range.gaps.reduce((sum, gap) => sum + (gap.to - gap.from), 0);
  at.metrics.lost(lost);
  at.telemetryLog.error('records were lost before they landed', { lostOffsets: lost, gaps: range.gaps });
  return outcome;
}

const NOTHING: ConvertResult = {
  files: [],
  rejected: undefined,
  rows: 0,
  filteredRows: 0,
  extraRows: 0,
  eventHighMs: new Map<ShardIndex, number>(),
};

async function nothingToDrop(): Promise<void> {}

function assertNone(batch: RecordBatch): never {
  throw new LakewardError('internal', `a range that began empty gave ${batch.count} records`);
}
