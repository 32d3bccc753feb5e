/** Batches, jobs and folders for converter tests, and what a converter made of them, read back without our own code. */
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { systemClock } from '../../src/clock/system-clock.ts';
import { duckdbConverter } from '../../src/convert/duckdb-converter.ts';
import type { DuckdbConverterOptions } from '../../src/convert/duckdb-converter.ts';
import type { Column, ColumnType } from '../../src/model/column-plan.ts';
import type { RejectedRow } from '../../src/model/data-file.ts';
import { MIB } from '../../src/model/limits.ts';
import type { RecordBatch } from '../../src/model/record-batch.ts';
import { asOffset, asShard } from '../../src/model/stream.ts';
import type { ConvertJob, ConvertResult, Converter } from '../../src/ports/converter.ts';
import { silentTelemetry } from '../../src/telemetry/silent.ts';

export const ARRIVAL_MS = Date.UTC(2026, 10, 21, 12);

export function batchOf(records: readonly (string | Uint8Array | object)[], shard = 0, firstOffset = 0): RecordBatch {
  const data = records.map((record) =>
    record instanceof Uint8Array ? record : Buffer.from(typeof record === 'string' ? record : JSON.stringify(record)),
  );
  const keys = records.map((_, i) => Buffer.from(`key-${i}`));
  const ends = (parts: readonly Uint8Array[]): Uint32Array => {
    let end = 0;
    return Uint32Array.from(parts, (part) => (end += part.length));
  };
  return {
    shard: asShard(shard),
    firstOffset: asOffset(firstOffset),
    count: records.length,
    keys: Buffer.concat(keys),
    keyEnds: ends(keys),
    data: Buffer.concat(data),
    dataEnds: ends(data),
    arrivals: new Float64Array(records.length).fill(ARRIVAL_MS),
  };
}

/** Batches that can be iterated again and again. */
export function source(...batches: RecordBatch[]): AsyncIterable<RecordBatch> {
  return {
    async *[Symbol.asyncIterator]() {
      yield* batches;
    },
  };
}

export function columns(types: Readonly<Record<string, ColumnType>>, nullable = true): Column[] {
  return Object.entries(types).map(([name, type]) => ({ name, type, nullable }));
}

export const STRING: ColumnType = { kind: 'string' };
export const INT64: ColumnType = { kind: 'int', bits: 64 };

export interface Bench {
  readonly folder: string;
  readonly converter: Converter;
  readonly job: (job: Partial<ConvertJob>) => Promise<ConvertJob>;
  /** Of a name that the engine would take for a pattern. */
  readonly emptyFolder: () => Promise<string>;
  /** A Parquet file of these records. */
  readonly parquet: (columns: readonly Column[], records: readonly object[], version?: number) => Promise<string>;
  readonly close: () => Promise<void>;
}

export async function bench(options: Partial<DuckdbConverterOptions> = {}): Promise<Bench> {
  const folder = await mkdtemp(join(tmpdir(), 'convert-'));
  const converter = duckdbConverter({
    engines: 1,
    memoryBytes: 256 * MIB,
    scratchFolder: join(folder, 'scratch'),
    telemetry: silentTelemetry(),
    clock: systemClock(),
    ...options,
  });
  let jobs = 0;
  let folders = 0;
  async function emptyFolder(): Promise<string> {
    const directory = join(folder, `files-[${folders++}]*`);
    await mkdir(directory);
    return directory;
  }
  async function jobOf(job: Partial<ConvertJob>): Promise<ConvertJob> {
    const directory = join(folder, `job-${jobs++}`);
    await mkdir(directory);
    return {
      plan: { version: 1, columns: columns({ id: INT64 }), misfit: 'reject' },
      layout: '',
      eventTime: { from: 'arrival' },
      eventFutureMs: 86_400_000,
      format: 'parquet',
      compression: 'zstd',
      directory,
      ...job,
    };
  }
  return {
    folder,
    converter,
    job: jobOf,
    emptyFolder,
    async parquet(plan, records, version = 1) {
      const given = await jobOf({
        plan: { version, misfit: 'extra', columns: plan },
        directory: await emptyFolder(),
      });
      const { files } = await converter.convert(given, source(batchOf(records)));
      return files[0]?.local ?? '';
    },
    close: async () => {
      await converter.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

export type Row = Record<string, unknown>;

export async function parquetRows(local: string): Promise<Row[]> {
  const file = await asyncBufferFromFile(local);
  return (await parquetReadObjects({ file, compressors, utf8: false })) as Row[];
}

/** Rows of all files in order of the files. */
export async function allRows(result: ConvertResult): Promise<Row[]> {
  const rows: Row[] = [];
  for (const file of result.files) rows.push(...(await parquetRows(file.local)));
  return rows;
}

export async function textOf(local: string): Promise<string> {
  const bytes = await readFile(local);
  return (local.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString();
}

export async function rejectedRows(result: ConvertResult): Promise<RejectedRow[]> {
  if (result.rejected === undefined) return [];
  return (await textOf(result.rejected.local))
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as RejectedRow);
}
