/**
 * The converter on DuckDB: engines are processes of their own, so that a native crash or hang costs an engine and never the server,
 * and the server only moves bytes. Owns retries: a job whose engine dies is repeated on a fresh one, and when that dies too the
 * records it dies on are found and rejected. A record is rejected for an engine's failure only when it fails by itself, again, and
 * the job works without it; every other failure gives the job back whole. Nothing of a failed try is left in the job's folder.
 */
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ColumnPlan, PlanTransform, Transform } from '../model/column-plan.ts';
import { EXTRA_COLUMN } from '../model/column-plan.ts';
import { LakewardError, isLakewardError } from '../model/errors.ts';
import type { RecordBatch } from '../model/record-batch.ts';
import type { SchemaText } from '../model/schema.ts';
import { asShard } from '../model/stream.ts';
import { compileLayout } from '../partition/layout.ts';
import type { CallOptions } from '../ports/call-options.ts';
import type { Clock } from '../ports/clock.ts';
import type {
  ConvertJob,
  ConvertResult,
  Converter,
  DropJob,
  DropResult,
  InferOptions,
  MergeJob,
  MergeResult,
} from '../ports/converter.ts';
import type { Telemetry } from '../ports/telemetry.ts';
import { findDeadlyRows } from './crash-hunt.ts';
import type { EnginePool } from './engine-pool.ts';
import { enginePool } from './engine-pool.ts';
import { EngineDeathError } from './engine-process.ts';
import type { TransformProblem } from './engine/transform-check.ts';
import type { Command, ConvertAnswer, Lack, Message, RecordPlace } from './protocol.ts';
import type { RowRange } from './row-ranges.ts';
import { schemaFile } from './schema-file.ts';
import { countRows, onlyRecord, placeKey, placesOf, rowsOf } from './row-ranges.ts';

export interface DuckdbConverterOptions {
  /** Engine processes. */
  readonly engines: number;
  /** Working memory of one engine; its process takes up to a third more. */
  readonly memoryBytes: number;
  readonly scratchFolder: string;
  readonly telemetry: Telemetry;
  readonly clock: Clock;
  /** Registered schemas, for records that are Avro; only ever more of them. None when absent. */
  readonly schemas?: () => readonly SchemaText[];
  /** Silence after which an engine counts as hung, ms. */
  readonly hangMs?: number;
  /** Test aids: texts on which an engine dies, hangs or fails when a record holds them. */
  readonly crashMarker?: string;
  readonly hangMarker?: string;
  readonly failMarker?: string;
}

const HANG_MS = 120_000;
/** Tries of one hunt: a few deadly records among a million. */
const HUNT_TRIES_MAX = 200;
/** Records of one conversion that may be rejected as deadly: so many, and no more than a tenth of it unless they are very few. */
const DEADLY_MAX = 100;
const DEADLY_FEW = 3;
/** Failures of whole jobs before the job is given back. */
const FAILURES_MAX = 8;
/** Engines ended from outside while they did one job. */
const KILLS_MAX = 3;

/** Batches of a job with what is known of them. */
interface Work {
  readonly job: ConvertJob;
  readonly batches: AsyncIterable<RecordBatch>;
  readonly deadly: readonly RecordPlace[];
  readonly signal: AbortSignal | undefined;
}

export function duckdbConverter(options: DuckdbConverterOptions): Converter {
  const { telemetry, scratchFolder } = options;
  const pool = enginePool({ ...options, hangMs: options.hangMs ?? HANG_MS });
  const failures = telemetry.counter({
    name: 'lakeward_convert_engine_deaths_total',
    help: 'Engine processes that died, hung or refused the work during a conversion.',
  });
  const schemaPath = schemaFile(scratchFolder, options.schemas ?? (() => []));
  /** Landings do not wait for a merge, which may take minutes. Its engine starts with the first. */
  const merges = enginePool({
    ...options,
    engines: 1,
    scratchFolder: join(scratchFolder, 'merges'),
    hangMs: options.hangMs ?? HANG_MS,
  });
  let probes = 0;

  async function schemasNow(): Promise<{ schemas?: string }> {
    const schemas = await schemaPath.current();
    return schemas === undefined ? {} : { schemas };
  }

  async function attempt({ job, batches, deadly, signal }: Work): Promise<ConvertAnswer> {
    await emptyFolder(job.directory);
    const message = await answerTo({ kind: 'convert', job, deadly, ...(await schemasNow()) }, batches, signal);
    if (message.kind !== 'converted') throw new Error(`an answer of kind ${message.kind}`);
    return message.result;
  }

  /** Runs a command on some engine. Throws `EngineDeathError`, `EngineRefusalError`, and `convert-failed` for want of resources. */
  async function answerTo(
    command: Command,
    batches: AsyncIterable<RecordBatch>,
    signal: AbortSignal | undefined,
    engines: EnginePool = pool,
  ): Promise<Message> {
    return await engines.use(
      async (engine) => {
        const message = await engine.run(command, batches, signal);
        if (message.kind !== 'failed') {
          if ('rssBytes' in message) engines.report(engine, message.rssBytes);
          return message;
        }
        if (message.broken) await engine.kill();
        if (message.lack !== undefined) throw lacking(`the engine could not work: ${message.message}`, message.lack);
        throw new EngineRefusalError(message.message);
      },
      { signal, home: homeOf(command) },
    );
  }

  async function survives(work: Work): Promise<boolean> {
    const directory = join(scratchFolder, `probe-${probes++}`);
    await mkdir(directory, { recursive: true });
    try {
      await attempt({ ...work, job: { ...work.job, directory } });
      return true;
    } catch (error) {
      if (isSuspicion(error) && !(error instanceof EngineDeathError && error.fromOutside)) return false;
      throw error;
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  }

  async function convert(
    job: ConvertJob,
    batches: AsyncIterable<RecordBatch>,
    call?: CallOptions,
  ): Promise<ConvertResult> {
    checkJob(job);
    const deadly: RecordPlace[] = [];
    const work: Work = { job, batches, deadly, signal: call?.signal };
    for (let failed = 1; ; failed++) {
      try {
        const { eventHighMs, ...answer } = await attempt(work);
        // What JSON leaves out is told again.
        return {
          ...answer,
          rejected: answer.rejected,
          eventHighMs: new Map(eventHighMs.map(([shard, ms]) => [asShard(shard), ms])),
        };
      } catch (error) {
        const failure = asFailure(error, work.signal);
        if (lackOf(error) === 'memory' && deadly.length === 0) {
          const alone = await onlyRecord(batches);
          if (alone === undefined || !(await outgrows(work))) throw failure;
          telemetry.log.warn('a record that needs more memory than an engine has', { place: placeKey(alone) });
          deadly.push(alone);
          continue;
        }
        if (!isSuspicion(error)) throw failure;
        failures.add(1);
        telemetry.log.warn('engine failed during a conversion', { failures: failed, reason: error.message });
        if (failed >= FAILURES_MAX) throw failure;
        if (error instanceof EngineDeathError && error.fromOutside) {
          // Who ended it may have wanted memory for others: fewer records ask for less.
          if (failed >= KILLS_MAX) throw lacking(`the conversion failed: ${error.message}`, 'other', error);
          continue;
        }
        // A death may be an accident and is tried once more first; a refusal repeats itself.
        if (error instanceof EngineDeathError && failed === 1) continue;
        const found = await guiltyRows(work, error);
        if (found.length === 0) throw failure;
        deadly.push(...found);
      }
    }
  }

  /** Whether the one record of a job is too much for an engine that does nothing else, twice, while the job works without it. */
  async function outgrows(work: Work): Promise<boolean> {
    try {
      await prove(work.job, work.signal);
      await attempt(work);
      return false;
    } catch (error) {
      if (lackOf(error) !== 'memory') throw asFailure(error, work.signal);
    }
    await prove(work.job, work.signal);
    return true;
  }

  /** Records that fail by themselves while the job works without them. Throws `convert-failed` when the fault is the job's. */
  async function guiltyRows(work: Work, cause: Error): Promise<RecordPlace[]> {
    const { job, batches, deadly, signal } = work;
    const known = new Set(deadly.map(placeKey));
    const probe = (range: RowRange): Promise<boolean> =>
      survives({ ...work, deadly: [], batches: rowsOf(batches, range, known) });
    try {
      await prove(job, signal);
      const count = await countRows(batches);
      const guiltyMax = Math.max(DEADLY_FEW, Math.min(DEADLY_MAX, Math.floor(count / 10))) - deadly.length;
      const rows = await findDeadlyRows(count, probe, { triesMax: HUNT_TRIES_MAX, guiltyMax });
      if (rows === undefined) throw cause;
      // The engine may have become unable while the rows were tried.
      await prove(job, signal);
      telemetry.log.warn('records that the engine fails on', { found: rows.length });
      return await placesOf(batches, rows);
    } catch (error) {
      throw asFailure(error, signal);
    }
  }

  /** Throws when the engine cannot do the job even on a record without values. */
  async function prove(job: ConvertJob, signal: AbortSignal | undefined): Promise<void> {
    await emptyFolder(job.directory);
    await answerTo({ kind: 'prove', job }, each([]), signal);
  }

  async function infer(sample: readonly RecordBatch[], call?: InferOptions): Promise<ColumnPlan> {
    const fields = compileLayout(call?.layout ?? '').fields;
    const command = { kind: 'infer', eventTime: call?.eventTime ?? { from: 'arrival' }, fields } as const;
    const schemas = await schemasNow();
    try {
      const message = await answerTo({ ...command, ...schemas }, each(sample), call?.signal);
      if (message.kind !== 'inferred') throw new Error(`an answer of kind ${message.kind}`);
      return message.plan;
    } catch (error) {
      throw asFailure(error, call?.signal);
    }
  }

  async function checkTransform(
    transform: Transform,
    plan: ColumnPlan | undefined,
    call?: CallOptions,
  ): Promise<PlanTransform | undefined> {
    const command = { kind: 'check', transform, ...(plan === undefined ? {} : { plan }) } as const;
    try {
      const message = await answerTo(command, each([]), call?.signal);
      if (message.kind !== 'checked') throw new Error(`an answer of kind ${message.kind}`);
      const { problems, transform: made } = message.checked;
      if (problems.length > 0) throw transformInvalid(problems);
      return made;
    } catch (error) {
      if (error instanceof EngineDeathError && !error.fromOutside) {
        throw transformInvalid([{ path: '', reason: `the engine does not survive it: ${error.message}` }], error);
      }
      throw asFailure(error, call?.signal);
    }
  }

  async function merge(job: MergeJob, call?: CallOptions): Promise<MergeResult> {
    try {
      await emptyFolder(job.directory);
      const message = await answerTo({ kind: 'merge', job }, each([]), call?.signal, merges);
      if (message.kind !== 'merged') throw new Error(`an answer of kind ${message.kind}`);
      return message.result;
    } catch (error) {
      throw asFailure(error, call?.signal);
    }
  }

  async function dropRows(job: DropJob, call?: CallOptions): Promise<DropResult> {
    try {
      await emptyFolder(job.directory);
      const message = await answerTo({ kind: 'drop', job }, each([]), call?.signal, merges);
      if (message.kind !== 'dropped') throw new Error(`an answer of kind ${message.kind}`);
      return message.result;
    } catch (error) {
      throw asFailure(error, call?.signal);
    }
  }

  async function close(): Promise<void> {
    await Promise.all([pool.close(), merges.close()]);
  }

  return { open: () => pool.open(), convert, merge, dropRows, infer, checkTransform, close };
}

/** The engine lives and says that it cannot do what it was asked. */
class EngineRefusalError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'EngineRefusalError';
  }
}

/** Failures that a record may be the cause of. */
function isSuspicion(error: unknown): error is EngineDeathError | EngineRefusalError {
  return error instanceof EngineDeathError || error instanceof EngineRefusalError;
}

/** A failure for want of something that fewer records need less of. */
function lacking(message: string, lack: Lack, cause?: Error): LakewardError {
  return new LakewardError('convert-failed', message, {
    cause,
    details: { resource: lack !== 'keys' && lack !== 'columns', lack },
  });
}

/** Whose event ids the command needs: an engine that knows them saves reading them. */
function homeOf(command: Command): string | undefined {
  return command.kind === 'convert' ? command.job.dedupe?.delivery : undefined;
}

function lackOf(error: unknown): unknown {
  return isLakewardError(error, 'convert-failed') ? error.details?.['lack'] : undefined;
}

function transformInvalid(problems: readonly TransformProblem[], cause?: Error): LakewardError {
  const told = problems.map(({ path, reason }) => `transform${path === '' ? '' : `.${path}`}: ${reason}`);
  return new LakewardError('transform-invalid', told.join('; '), { cause, details: { problems } });
}

/** Refuses what would fail in every try. */
function checkJob({ layout, plan }: ConvertJob): void {
  compileLayout(layout);
  const seen = new Set([EXTRA_COLUMN]);
  for (const { name } of plan.columns) {
    if (name === '') throw new LakewardError('schema-invalid', 'a column has no name');
    if (seen.has(name.toLowerCase())) {
      throw new LakewardError(
        'schema-invalid',
        `column '${name}' is there twice; names that differ in case only count as one`,
      );
    }
    seen.add(name.toLowerCase());
  }
}

function asFailure(error: unknown, signal: AbortSignal | undefined): unknown {
  if (error instanceof LakewardError || (signal?.aborted === true && error === signal.reason)) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new LakewardError('convert-failed', `the conversion failed: ${message}`, { cause: error });
}

async function emptyFolder(folder: string): Promise<void> {
  for (const name of await readdir(folder)) await rm(join(folder, name), { recursive: true, force: true });
}

async function* each(batches: readonly RecordBatch[]): AsyncGenerator<RecordBatch> {
  yield* batches;
}
