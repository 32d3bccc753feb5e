/**
 * The converter on DuckDB: engines are processes of their own, so that a native crash or hang costs an engine and never the server,
 * and the server only moves bytes. Owns retries: a job whose engine dies is repeated on a fresh one, and when that dies too the
 * records it dies on are found and rejected. Nothing of a failed try is left in the job's folder.
 */
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ColumnPlan } from '../model/column-plan.ts';
import { EXTRA_COLUMN } from '../model/column-plan.ts';
import { LakewardError } from '../model/errors.ts';
import type { RecordBatch } from '../model/record-batch.ts';
import { asShard } from '../model/stream.ts';
import { compileLayout } from '../partition/layout.ts';
import type { CallOptions } from '../ports/call-options.ts';
import type { Clock } from '../ports/clock.ts';
import type { ConvertJob, ConvertResult, Converter, InferOptions } from '../ports/converter.ts';
import type { Telemetry } from '../ports/telemetry.ts';
import type { RowRange } from './crash-hunt.ts';
import { findDeadlyRows } from './crash-hunt.ts';
import { enginePool } from './engine-pool.ts';
import { EngineDeathError } from './engine-process.ts';
import { sliceBatch } from './frames.ts';
import type { ConvertAnswer, RecordPlace } from './protocol.ts';

export interface DuckdbConverterOptions {
  /** Engine processes. */
  readonly engines: number;
  /** Working memory of one engine; its process takes up to a third more. */
  readonly memoryBytes: number;
  readonly scratchFolder: string;
  readonly telemetry: Telemetry;
  readonly clock: Clock;
  /** Silence after which an engine counts as hung, ms. */
  readonly hangMs?: number;
  /** Test aids: texts that kill or hang an engine when a record holds them. */
  readonly crashMarker?: string;
  readonly hangMarker?: string;
}

const HANG_MS = 120_000;
/** Tries of one hunt: a few deadly records among a million. */
const HUNT_TRIES_MAX = 200;
/** Deaths of whole jobs before the job is given back. */
const DEATHS_MAX = 6;

export function duckdbConverter(options: DuckdbConverterOptions): Converter {
  const { telemetry, scratchFolder } = options;
  const pool = enginePool({ ...options, hangMs: options.hangMs ?? HANG_MS });
  const deaths = telemetry.counter({
    name: 'lakeward_convert_engine_deaths_total',
    help: 'Engine processes that died or hung during a conversion.',
  });
  let probes = 0;

  async function attempt(
    job: ConvertJob,
    batches: AsyncIterable<RecordBatch>,
    { deadly, signal }: { deadly: readonly RecordPlace[]; signal: AbortSignal | undefined },
  ): Promise<ConvertAnswer> {
    await emptyFolder(job.directory);
    return await pool.use(async (engine) => {
      const message = await engine.run({ kind: 'convert', job, deadly }, batches, signal);
      if (message.kind === 'converted') {
        pool.report(engine, message.rssBytes);
        return message.result;
      }
      const what = message.kind === 'failed' ? message.message : `an answer of kind ${message.kind}`;
      if (message.kind === 'failed' && !message.resource) throw new EngineDeathError(what);
      throw new LakewardError('convert-failed', `the engine could not convert: ${what}`);
    }, signal);
  }

  async function survives(
    job: ConvertJob,
    batches: AsyncIterable<RecordBatch>,
    signal?: AbortSignal,
  ): Promise<boolean> {
    const directory = join(scratchFolder, `probe-${probes++}`);
    await mkdir(directory, { recursive: true });
    try {
      await attempt({ ...job, directory }, batches, { deadly: [], signal });
      return true;
    } catch (error) {
      if (error instanceof EngineDeathError) return false;
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
    const signal = call?.signal;
    const deadly: RecordPlace[] = [];
    for (let died = 0; ; ) {
      try {
        const { eventHighMs, ...answer } = await attempt(job, batches, { deadly, signal });
        return {
          ...answer,
          rejected: answer.rejected,
          eventHighMs: new Map(eventHighMs.map(([shard, ms]) => [asShard(shard), ms])),
        };
      } catch (error) {
        if (!(error instanceof EngineDeathError)) throw asFailure(error, signal);
        deaths.add(1);
        telemetry.log.warn('engine died during a conversion', { deaths: ++died, reason: error.message });
        if (died > DEATHS_MAX) throw asFailure(error, signal);
        if (died > 1) deadly.push(...(await hunt(job, batches, { deadly, signal })));
      }
    }
  }

  async function hunt(
    job: ConvertJob,
    batches: AsyncIterable<RecordBatch>,
    { deadly, signal }: { deadly: readonly RecordPlace[]; signal: AbortSignal | undefined },
  ): Promise<RecordPlace[]> {
    const known = new Set(deadly.map(([shard, offset]) => `${shard}/${offset}`));
    let count = 0;
    for await (const batch of batches) count += batch.count;
    const probe = (range: RowRange): Promise<boolean> => survives(job, rowsOf(batches, range, known), signal);
    try {
      const rows = await findDeadlyRows({ from: 0, to: count }, probe, HUNT_TRIES_MAX);
      const found = rows === undefined ? [] : await placesOf(batches, rows);
      telemetry.log.warn('records that kill the engine', { found: found.length });
      return found;
    } catch (error) {
      throw asFailure(error, signal);
    }
  }

  async function infer(sample: readonly RecordBatch[], call?: InferOptions): Promise<ColumnPlan> {
    const fields = compileLayout(call?.layout ?? '').fields;
    const command = { kind: 'infer', eventTime: call?.eventTime ?? { from: 'arrival' }, fields } as const;
    try {
      return await pool.use(async (engine) => {
        const message = await engine.run(command, each(sample), call?.signal);
        if (message.kind === 'inferred') return message.plan;
        throw new Error(message.kind === 'failed' ? message.message : `an answer of kind ${message.kind}`);
      }, call?.signal);
    } catch (error) {
      throw asFailure(error, call?.signal);
    }
  }

  return { open: () => pool.open(), convert, infer, close: () => pool.close() };
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

/** The rows of a range but the known ones, as batches. */
async function* rowsOf(
  batches: AsyncIterable<RecordBatch>,
  range: RowRange,
  known: ReadonlySet<string>,
): AsyncGenerator<RecordBatch> {
  let row = 0;
  for await (const batch of batches) {
    let from = Math.max(0, range.from - row);
    const to = Math.min(batch.count, range.to - row);
    for (let i = from; i < to && known.size > 0; i++) {
      if (!known.has(`${batch.shard}/${batch.firstOffset + i}`)) continue;
      if (i > from) yield sliceBatch(batch, from, i);
      from = i + 1;
    }
    if (from < to) yield sliceBatch(batch, from, to);
    row += batch.count;
    if (row >= range.to) return;
  }
}

async function placesOf(batches: AsyncIterable<RecordBatch>, rows: readonly number[]): Promise<RecordPlace[]> {
  const places: RecordPlace[] = [];
  let row = 0;
  for await (const batch of batches) {
    for (const wanted of rows) {
      if (wanted >= row && wanted < row + batch.count) places.push([batch.shard, batch.firstOffset + wanted - row]);
    }
    row += batch.count;
  }
  return places;
}
