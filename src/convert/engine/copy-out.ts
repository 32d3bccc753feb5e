/**
 * From checked lines to files of the lake: one COPY a spool. Owns the SQL around the columns, whose own is in `column-sql.ts`. Every
 * name and path is quoted; nothing else of a record or a plan ever becomes SQL text.
 */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { DuckDBConnection } from '@duckdb/node-api';
import type { Column, ColumnPlan, ColumnType } from '../../model/column-plan.ts';
import { EXTRA_COLUMN } from '../../model/column-plan.ts';
import type { ColumnStatistics } from '../../model/data-file.ts';
import type { Compression, DataFormat, ParquetOptions } from '../../model/delivery.ts';
import { MIB } from '../../model/limits.ts';
import type { ConvertedFile } from '../../ports/converter.ts';
import { literal, name, readType, writeExpression } from './column-sql.ts';
import { guardedName, guardedText } from './formula-guard.ts';
import type { Spool } from './spools.ts';

export interface CopyJob {
  readonly plan: ColumnPlan;
  readonly format: DataFormat;
  readonly compression: Compression;
  readonly parquet?: ParquetOptions;
  readonly formulaGuard?: true;
  readonly directory: string;
  /** Key of a grouped line's partition number. */
  readonly numberKey: string;
}

const LINE_BYTES_MIN = 1024 * 1024;
/** As they lie in memory: wide rows would not fit an engine otherwise. */
const ROW_GROUP_BYTES_MAX = 128 * MIB;
/** Room is taken for all of them in every column; what a group of the engine's own size has. */
const DICTIONARY_VALUES_MAX = 24_576;

/** What a COPY writes: columns over rows. */
export interface Selection {
  readonly values: readonly (readonly [name: string, sql: string])[];
  /** What stands behind FROM; has the number of the partition under its key where lines have it. */
  readonly from: string;
  /** Rows by number of the partition, where they are fewer than were spooled. */
  readonly rows?: ReadonlyMap<number, number>;
}

/** Writes one spool, which lies in the working folder. Throws when a row was lost or cut off on the way. */
export async function copyOut(connection: DuckDBConnection, spool: Spool, job: CopyJob): Promise<ConvertedFile[]> {
  const values = [...job.plan.columns.map((column) => column.name), EXTRA_COLUMN];
  const converted = await copySelection(connection, spool, job, {
    values: values.map((column) => [column, writtenColumn(job, column)]),
    from: linesOf(spool, job),
  });
  const rows = converted.reduce((sum, file) => sum + file.rows, 0);
  if (rows !== spool.rows) throw new Error(`a COPY wrote ${rows} of ${spool.rows} rows`);
  return converted;
}

/** The files that the COPY of a selection makes. */
export async function copySelection(
  connection: DuckDBConnection,
  spool: Spool,
  job: CopyJob,
  selection: Selection,
): Promise<ConvertedFile[]> {
  const target = join(job.directory, spool.name.replace('.ndjson', ''));
  const path = spool.grouped ? target : `${target}.${extensionOf(job)}`;
  const result = await connection.runAndReadAll(copySql(spool, job, path, selection));
  const statistics =
    job.format === 'parquet'
      ? statisticsOf(result.getRowObjectsJson(), job.plan.transform?.output ?? job.plan.columns)
      : new Map<string, FileFacts>();
  const written = spool.grouped ? undefined : Number(result.getRowObjectsJson()[0]?.['Count']);
  const files = spool.grouped ? groupedFiles(spool, job, path) : [{ local: path, partition: spool.partitions[0] }];
  return files.flatMap(({ local, partition }) => {
    const facts = statistics.get(local);
    if (partition === undefined) return [];
    return {
      local,
      partition: partition.text,
      rows: facts?.rows ?? written ?? selection.rows?.get(partition.number) ?? partition.rows,
      bytes: statSync(local).size,
      eventMinMs: partition.eventMinMs,
      eventMaxMs: partition.eventMaxMs,
      columns: facts?.columns ?? [],
    };
  });
}

function copySql(spool: Spool, job: CopyJob, path: string, { values, from }: Selection): string {
  // The engine's JSON writer knows no partitions; a line of JSON is also a CSV line of one unquoted column.
  const written =
    job.format === 'ndjson'
      ? [`to_json({${values.map(([key, value]) => `${literal(key)}: ${value}`).join(', ')}})`]
      : values.map(([key, value]) => `${value} AS ${name(job.formulaGuard ? guardedName(key) : key)}`);
  const options = formatOptions(job);
  if (spool.grouped) {
    written.push(name(job.numberKey));
    options.push(`PARTITION_BY (${name(job.numberKey)})`, 'OVERWRITE_OR_IGNORE', `FILENAME_PATTERN 'part_{i}'`);
  }
  return `COPY (SELECT ${written.join(', ')} FROM ${from}) TO ${literal(path)} (${options.join(', ')})`;
}

/** The lines of a spool as a table; `more` are further keys with their types. */
export function linesOf(spool: Spool, job: CopyJob, more: Readonly<Record<string, string>> = {}): string {
  const read = job.plan.columns.map((column) => `${literal(column.name)}: ${literal(readType(column.type))}`);
  const keys = { [EXTRA_COLUMN]: 'VARCHAR', ...(spool.grouped ? { [job.numberKey]: 'INTEGER' } : {}), ...more };
  read.push(...Object.entries(keys).map(([key, type]) => `${literal(key)}: ${literal(type)}`));
  const source = [
    literal(spool.name),
    "format = 'newline_delimited'",
    "compression = 'uncompressed'",
    'hive_partitioning = false',
    `maximum_object_size = ${Math.max(LINE_BYTES_MIN, spool.longestLine * 2)}`,
    `columns = {${read.join(', ')}}`,
  ];
  return `read_json(${source.join(', ')})`;
}

export function formatOptions({
  format,
  compression,
  parquet = {},
}: Pick<CopyJob, 'format' | 'compression' | 'parquet'>): string[] {
  switch (format) {
    case 'parquet':
      return [
        'FORMAT parquet',
        `COMPRESSION ${compression}`,
        'RETURN_STATS',
        ...(compression === 'zstd' ? ['COMPRESSION_LEVEL 1'] : []),
        ...parquetOptions(parquet),
      ];
    case 'csv':
      return ['FORMAT csv', 'HEADER', "NEW_LINE '\\r\\n'", `COMPRESSION ${compression}`];
    default:
      return ['FORMAT csv', 'HEADER false', "QUOTE ''", "ESCAPE ''", "DELIMITER '\x01'", `COMPRESSION ${compression}`];
  }
}

function parquetOptions({ rowGroupRows, bloomFilters }: ParquetOptions): string[] {
  const options = [`ROW_GROUP_SIZE_BYTES ${ROW_GROUP_BYTES_MAX}`];
  if (rowGroupRows !== undefined) {
    options.push(`ROW_GROUP_SIZE ${rowGroupRows}`);
    options.push(`DICTIONARY_SIZE_LIMIT ${Math.min(DICTIONARY_VALUES_MAX, Math.floor(rowGroupRows / 5))}`);
  }
  if (bloomFilters === 'none') options.push('WRITE_BLOOM_FILTER false');
  else if (bloomFilters !== undefined) options.push(`BLOOM_FILTER_FALSE_POSITIVE_RATIO ${bloomFilters}`);
  return options;
}

export function extensionOf({ format, compression }: Pick<CopyJob, 'format' | 'compression'>): string {
  if (format === 'parquet' || compression === 'none') return format;
  return compression === 'zstd' ? `${format}.zst` : `${format}.gz`;
}

/** A column of the plan, or `_extra`, as the format has it, over a table of lines. */
export function writtenColumn(job: CopyJob, column: string): string {
  if (column === EXTRA_COLUMN) return job.format === 'ndjson' ? `CAST(${name(column)} AS JSON)` : name(column);
  const known = job.plan.columns.find((one) => one.name === column);
  if (known === undefined) throw new Error(`no column is named ${column}`);
  return guarded(job, known.type, writeExpression(known, job.format));
}

/** A value of a file, disarmed where that is asked for. */
export function guarded(job: CopyJob, type: ColumnType, value: string): string {
  return job.formulaGuard && type.kind === 'string' ? guardedText(value) : value;
}

/** Files of a grouped COPY lie in folders `key=number`. */
function groupedFiles(
  spool: Spool,
  job: CopyJob,
  path: string,
): { local: string; partition: Spool['partitions'][0] }[] {
  const byNumber = new Map(spool.partitions.map((partition) => [partition.number, partition]));
  return readdirSync(path).flatMap((folder) => {
    const partition = byNumber.get(Number(folder.slice(folder.lastIndexOf('=') + 1)));
    if (partition === undefined) throw new Error(`a COPY wrote an unknown partition into ${folder}`);
    const files = readdirSync(join(path, folder));
    if (files.length > 1 && job.format !== 'parquet')
      throw new Error(`a COPY cut ${folder} into ${files.length} files`);
    return files.map((file) => ({ local: join(path, folder, file), partition }));
  });
}

interface FileFacts {
  readonly rows: number;
  readonly columns: readonly ColumnStatistics[];
}

type Typed = Pick<Column, 'name' | 'type'>;

/** Facts by path, of what a COPY of Parquet answers. Without a plan for top-level columns alone. */
export function statisticsOf(rows: readonly Record<string, unknown>[], plan: readonly Typed[]): Map<string, FileFacts> {
  return new Map(
    rows.map((row) => {
      const columns = entriesOf(row['column_statistics']).flatMap(([names, facts]): ColumnStatistics[] => {
        const path = [...names.matchAll(/"((?:[^"]|"")*)"/g)].map(([, one = '']) => one.replaceAll('""', '"'));
        if (!oncePerRow(path, plan)) return [];
        const known = new Map(entriesOf(facts));
        const nulls = known.get('null_count');
        const min = known.get('min');
        const max = known.get('max');
        return [
          {
            column: path.join('.'),
            ...(nulls === undefined ? {} : { nulls: Number(nulls) }),
            ...(typeof min === 'string' ? { min } : {}),
            ...(typeof max === 'string' ? { max } : {}),
          },
        ];
      });
      return [String(row['filename']), { rows: Number(row['count']), columns }];
    }),
  );
}

/** False for what lies in lists and maps: its nulls and bounds are not those of rows. */
function oncePerRow([head, ...rest]: readonly string[], columns: readonly Typed[]): boolean {
  const type = columns.find(({ name }) => name === head)?.type;
  return type?.kind === 'struct' ? oncePerRow(rest, type.fields) : rest.length === 0;
}

/** The entries of a MAP as the engine gives it in JSON form. */
function entriesOf(map: unknown): [string, unknown][] {
  if (!Array.isArray(map)) return [];
  return (map as { key: unknown; value: unknown }[]).map(({ key, value }) => [String(key), value]);
}
