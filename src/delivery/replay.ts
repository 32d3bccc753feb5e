/**
 * Rejected rows run through the converter again, with today's plan: what fits now lands, the rest stays rejected as it is. Works in parts
 * of whole files of rejected rows, each in bounded memory and committed by one `replay` entry of the landing log, which is valid only
 * while those files are live: of two replays, or of one and its repetition after a crash, one lands a reject. A part that lost such a
 * race is looked up anew.
 *
 *   rows of a part ─► convert ─► which rows failed ─► files: what landed, and the rows that stay ─► stage ─► replay entry
 */
import type { AppendKeys, KnownKeys } from '../landing/known-keys.ts';
import type { LandingLog } from '../landing/landing-log.ts';
import type { RejectCount, RejectedFile, RejectedRow } from '../model/data-file.ts';
import type { DeliverySpec } from '../model/delivery.ts';
import { LakewardError, isLakewardError } from '../model/errors.ts';
import { MIB } from '../model/limits.ts';
import type { RecordBatch } from '../model/record-batch.ts';
import { compileLayout } from '../partition/layout.ts';
import type { ConvertResult } from '../ports/converter.ts';
import type { ReplayReport } from '../ports/deliveries.ts';
import { convertJob } from './convert-job.ts';
import { encryptedExtension } from './object-settings.ts';
import type { IdMemory } from './id-memory.ts';
import { keysJob, writeKeys } from './landing-run.ts';
import type { DeliveryMetrics } from './metrics.ts';
import { currentPlan } from './plan-keeper.ts';
import { isLive, lakeChunks, linesOf, parseRow } from './rejected-lines.ts';
import { batchesOf, type ReplayRow } from './replay-batches.ts';
import { type Fates, fates, rowsIn } from './replay-report.ts';
import type { ReplaySelection } from './replay-selection.ts';
import type { DeliveryRoom } from './room.ts';
import { type FileOfRejects, stageFiles } from './stage-files.ts';
import { closingUnit, countLateRows } from './watermark.ts';

export interface ReplayPlace {
  /** Of this replay alone. */
  readonly ids: IdMemory;
  readonly room: DeliveryRoom;
  readonly spec: DeliverySpec;
  readonly createdMs: number;
  readonly log: LandingLog;
  readonly metrics: DeliveryMetrics;
  readonly signal: AbortSignal;
}

/** A part ends with the file that makes it this large. */
const PART_BYTES = 64 * MIB;
const FILES_LISTED = 100;
/** After this long the answer is given, with the cursor to go on from. */
const WORK_MS = 20_000;
const TRIES_MAX = 10;
const LINE_END = new TextEncoder().encode('\n');
const CURSOR = /^([0-9a-z]{1,32}):(.*)$/i;

export async function replayRejected(at: ReplayPlace, selection: ReplaySelection): Promise<ReplayReport> {
  const { room } = at;
  const begun = CURSOR.exec(selection.after ?? '');
  if (selection.after !== undefined && begun === null) {
    throw new LakewardError('argument-invalid', `'after' is no cursor of a replay: '${selection.after}'`);
  }
  const run = begun?.[1] ?? room.clock.uuid().replaceAll('-', '');
  const total = fates();
  const report = (next: string | undefined): ReplayReport => reportOf(total, selection, next);
  const startedMs = room.clock.monotonicMs();
  let after = begun?.[2] ?? '';
  await at.log.refresh({ signal: at.signal });
  for (let tries = 0; ; ) {
    const part = await nextPart(at, selection, { run, after });
    if (part.files.length === 0) return report(undefined);
    if ((await replayPart(at, selection, { run, files: part.files, total })) === 'superseded') {
      tries += 1;
      if (tries < TRIES_MAX) continue;
      throw new LakewardError('lake-unavailable', `replays of '${at.spec.name}' overtake each other; try again`);
    }
    tries = 0;
    after = part.last;
    if (room.clock.monotonicMs() - startedMs >= WORK_MS) return report(`${run}:${after}`);
  }
}

function reportOf(total: Fates, { dryRun }: ReplaySelection, next: string | undefined): ReplayReport {
  const [replayed, failed] = [total.replayed(), total.failed()];
  const rows = { replayedRows: rowsIn(replayed), failedRows: rowsIn(failed) };
  return { dryRun, ...rows, replayed, failed, ...(next === undefined ? {} : { next }) };
}

interface Part {
  readonly files: readonly RejectedFile[];
  /** Path of the last file looked at. */
  readonly last: string;
}

/** The next files that may hold rows to replay. What this run left behind it does not take again. */
async function nextPart(
  { log, signal }: ReplayPlace,
  selection: ReplaySelection,
  from: { readonly run: string; readonly after: string },
): Promise<Part> {
  const files: RejectedFile[] = [];
  let bytes = 0;
  let last = from.after;
  for (let more = true; more; ) {
    const page = await log.rejectedFiles({ after: last === '' ? undefined : last, limit: FILES_LISTED, signal });
    for (const file of page.items) {
      last = file.path;
      if (file.path.includes(from.run) || !selection.mayHold(file)) continue;
      files.push(file);
      bytes += file.bytes;
      if (bytes >= PART_BYTES) return { files, last };
    }
    more = page.next !== undefined;
  }
  return { files, last };
}

interface PartWork {
  readonly run: string;
  readonly files: readonly RejectedFile[];
  readonly total: Fates;
}

async function replayPart(
  at: ReplayPlace,
  selection: ReplaySelection,
  { run, files, total }: PartWork,
): Promise<'done' | 'superseded'> {
  const { room, spec, signal } = at;
  const batches: AsyncIterable<RecordBatch> = {
    [Symbol.asyncIterator]: () => batchesOf(selectedRows(at, files, selection)),
  };
  const directory = await room.scratch.make();
  try {
    const sample = await firstOf(batches);
    if (sample === undefined) return 'done';
    const plan = await currentPlan(
      { catalog: room.catalog, converter: room.converter, clock: room.clock, spec, createdMs: at.createdMs },
      { sample: [sample], landedVersion: at.log.view().planVersion, signal },
    );
    const { known } = at.log.view();
    const dedupe = await keysJob(at, known);
    const job = { ...convertJob(spec, plan, directory), ...(dedupe === undefined ? {} : { dedupe }) };
    const converted = await room.converter.convert(job, batches, { signal });
    const byFile = new Map(files.map((file) => [file.path, fates()]));
    for await (const { file, row, fits, failure } of judgedRows(at, { files, selection, converted })) {
      if (fits) byFile.get(file.path)?.fits(row);
      else if (failure !== undefined) byFile.get(file.path)?.fails(failure);
    }
    const part = fates();
    for (const one of byFile.values()) part.add(one);
    const moved = files.filter(({ path }) => (byFile.get(path)?.replayed().length ?? 0) > 0);
    if (moved.length > 0 && !selection.dryRun) {
      const work = { run, files, moved, selection, converted, directory, planVersion: plan.version, known };
      if ((await commitPart(at, work, part.replayed())) === 'superseded') return 'superseded';
    }
    total.add(part);
    return 'done';
  } catch (error) {
    // Another replay took a file while it was read.
    if (isLakewardError(error, 'not-found') && !(await allLive(at, files))) return 'superseded';
    throw error;
  } finally {
    await room.scratch.remove(directory);
  }
}

async function* selectedRows(
  { room, signal }: ReplayPlace,
  files: readonly RejectedFile[],
  selection: ReplaySelection,
): AsyncGenerator<ReplayRow> {
  for (const file of files) {
    for await (const line of linesOf(lakeChunks(room.lake, file, signal))) {
      const row = parseRow(line, file.path);
      const data = selection.bytesOf(row);
      if (data !== undefined) yield { row, data };
    }
  }
}

interface Judged {
  readonly files: readonly RejectedFile[];
  readonly selection: ReplaySelection;
  readonly converted: Pick<ConvertResult, 'rejected'>;
}
interface JudgedRow {
  readonly file: RejectedFile;
  readonly line: Uint8Array;
  readonly row: RejectedRow;
  /** Taken, and it lands now. */
  readonly fits: boolean;
  /** Taken, and why it does not. */
  readonly failure?: RejectedRow;
}

/** Rows that failed come in the order in which rows were given, so both are gone through side by side. */
async function* judgedRows(at: ReplayPlace, { files, selection, converted }: Judged): AsyncGenerator<JudgedRow> {
  const { room, signal } = at;
  const failures = failedRows(at, converted);
  let failure = (await failures.next()).value;
  for (const file of files) {
    for await (const line of linesOf(lakeChunks(room.lake, file, signal))) {
      const row = parseRow(line, file.path);
      if (selection.bytesOf(row) === undefined) yield { file, line, row, fits: false };
      else if (failure?.shard !== row.shard || failure.offset !== row.offset) yield { file, line, row, fits: true };
      else {
        yield { file, line, row, fits: false, failure };
        failure = (await failures.next()).value;
      }
    }
  }
  if (failure !== undefined) {
    throw new LakewardError('convert-failed', 'the rows that failed again are not in the order they were given in');
  }
}

async function* failedRows(
  { room }: ReplayPlace,
  { rejected }: Pick<ConvertResult, 'rejected'>,
): AsyncGenerator<RejectedRow, undefined> {
  if (rejected === undefined) return undefined;
  for await (const line of linesOf(room.scratch.readPieces(rejected.local))) yield parseRow(line, 'of a replay');
  return undefined;
}

interface CommitWork extends Judged {
  readonly run: string;
  /** Those of the files that have rows which land. */
  readonly moved: readonly RejectedFile[];
  readonly converted: ConvertResult;
  readonly directory: string;
  readonly planVersion: number;
  /** The event ids the rows were compared with. */
  readonly known: KnownKeys;
}

async function commitPart(
  at: ReplayPlace,
  work: CommitWork,
  replayed: readonly RejectCount[],
): Promise<'committed' | 'superseded'> {
  const { room, spec, log, signal } = at;
  const { run, moved: removed, converted, planVersion } = work;
  const { kept, firstArrivalMs } = await writeKept(at, work);
  const nonce = log.nonce();
  const order = { lake: room.lake, log, spec, nonce, firstArrivalMs, planVersion, reason: 'replay', signal } as const;
  const { files, rejected } = await stageFiles({ ...order, mark: run }, { files: converted.files, rejected: kept });
  const closes = closingUnit(compileLayout(spec.layout).units);
  const lateRows = countLateRows(converted.files, closes, log.view().watermarkMs);
  const { extraRows } = converted;
  const keys = await keysOf(at, work, nonce);
  const more = keys === undefined ? {} : { dedupe: keys };
  const draft = { nonce, planVersion, removed, replayed, files, rejected, extraRows, lateRows, ...more };
  const outcome = await log.commitReplay(draft, { signal });
  if (outcome === 'superseded') return outcome;
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  const facts = { rows: rowsIn(files), files: files.length, bytes, replayed: rowsIn(replayed) };
  at.metrics.replayed(facts);
  room.telemetry.log.info('rejected rows replayed', { delivery: spec.name, ...facts });
  return outcome;
}

/** The ids of the rows, durable before the entry names them. The window stays where landings have put it. */
async function keysOf(at: ReplayPlace, work: CommitWork, nonce: string): Promise<AppendKeys | undefined> {
  const rule = at.spec.dedupe;
  if (rule === undefined) return undefined;
  const { known, converted } = work;
  const adopted = {
    nonce,
    rule,
    known,
    firstArrivalMs: undefined,
    converted: converted.dedupe,
    extension: encryptedExtension(at.spec),
  };
  return writeKeys(at, { keys: await at.ids.adopt(adopted) });
}

/** The rows that stay, as they are, in one local file; nothing when all go. */
async function writeKept(
  at: ReplayPlace,
  work: CommitWork,
): Promise<{ readonly kept: FileOfRejects | undefined; readonly firstArrivalMs: number }> {
  const counts = fates();
  let firstArrivalMs = Number.POSITIVE_INFINITY;
  const moved = new Set(work.moved.map(({ path }) => path));
  async function* lines(): AsyncGenerator<Uint8Array> {
    for await (const { file, line, row, fits } of judgedRows(at, work)) {
      firstArrivalMs = Math.min(firstArrivalMs, Date.parse(row.arrival));
      if (fits || !moved.has(file.path)) continue;
      counts.fits(row);
      yield line;
      yield LINE_END;
    }
  }
  const local = `${work.directory}/kept.ndjson`;
  const bytes = await at.room.scratch.writePieces(local, lines());
  const reasons = counts.replayed();
  const rows = rowsIn(reasons);
  return { kept: rows === 0 ? undefined : { local, rows, bytes, reasons }, firstArrivalMs };
}

async function allLive({ log, signal }: ReplayPlace, files: readonly RejectedFile[]): Promise<boolean> {
  for (const file of files) if (!(await isLive(log, file, signal))) return false;
  return true;
}

async function firstOf<T>(items: AsyncIterable<T>): Promise<T | undefined> {
  for await (const item of items) return item;
  return undefined;
}
