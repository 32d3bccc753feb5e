/**
 * From checked lines to files of the lake: one COPY a spool. Owns the SQL around the columns, whose own is in `column-sql.ts`. Every
 * name and path is quoted; nothing else of a record or a plan ever becomes SQL text.
 */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { DuckDBConnection } from '@duckdb/node-api';
import type { Column, ColumnPlan } from '../../model/column-plan.ts';
import { EXTRA_COLUMN } from '../../model/column-plan.ts';
import type { ColumnStatistics } from '../../model/data-file.ts';
import type { Compression, DataFormat } from '../../model/delivery.ts';
import type { ConvertedFile } from '../../ports/converter.ts';
import { literal, name, readType, writeExpression } from './column-sql.ts';
import { guardedName, guardedText } from './formula-guard.ts';
import type { Spool } from './spools.ts';

export interface CopyJob {
  readonly plan: ColumnPlan;
  readonly format: DataFormat;
  readonly compression: Compression;
  readonly formulaGuard?: true;
  readonly directory: string;
  /** Key of a grouped line's partition number. */
  readonly numberKey: string;
}

const LINE_BYTES_MIN = 1024 * 1024;

/** Writes one spool, which lies in the working folder. Throws when a row was lost or cut off on the way. */
export async function copyOut(connection: DuckDBConnection, spool: Spool, job: CopyJob): Promise<ConvertedFile[]> {
  const target = join(job.directory, spool.name.replace('.ndjson', ''));
  const path = spool.grouped ? target : `${target}.${extensionOf(job)}`;
  const result = await connection.runAndReadAll(copySql(spool, job, path));
  const statistics =
    job.format === 'parquet' ? statisticsOf(result.getRowObjectsJson(), job.plan) : new Map<string, FileFacts>();
  const files = spool.grouped ? groupedFiles(spool, job, path) : [{ local: path, partition: spool.partitions[0] }];
  const converted = files.flatMap(({ local, partition }) => {
    const facts = statistics.get(local);
    if (partition === undefined) return [];
    return {
      local,
      partition: partition.text,
      rows: facts?.rows ?? partition.rows,
      bytes: statSync(local).size,
      eventMinMs: partition.eventMinMs,
      eventMaxMs: partition.eventMaxMs,
      columns: facts?.columns ?? [],
    };
  });
  const rows = converted.reduce((sum, file) => sum + file.rows, 0);
  if (rows !== spool.rows) throw new Error(`a COPY wrote ${rows} of ${spool.rows} rows`);
  return converted;
}

function copySql(spool: Spool, job: CopyJob, path: string): string {
  const read = job.plan.columns.map((column) => `${literal(column.name)}: ${literal(readType(column.type))}`);
  read.push(`${literal(EXTRA_COLUMN)}: 'VARCHAR'`);
  const values = job.plan.columns.map((column) => {
    const value = writeExpression(column, job.format);
    return [column.name, job.formulaGuard && column.type.kind === 'string' ? guardedText(value) : value] as const;
  });
  const all = [...values, [EXTRA_COLUMN, extraExpression(job.format)] as const];
  // The engine's JSON writer knows no partitions; a line of JSON is also a CSV line of one unquoted column.
  const written =
    job.format === 'ndjson'
      ? [`to_json({${all.map(([key, value]) => `${literal(key)}: ${value}`).join(', ')}})`]
      : all.map(([key, value]) => `${value} AS ${name(job.formulaGuard ? guardedName(key) : key)}`);
  const options = formatOptions(job);
  if (spool.grouped) {
    read.push(`${literal(job.numberKey)}: 'INTEGER'`);
    written.push(name(job.numberKey));
    options.push(`PARTITION_BY (${name(job.numberKey)})`, 'OVERWRITE_OR_IGNORE', `FILENAME_PATTERN 'part_{i}'`);
  }
  const source = [
    literal(spool.name),
    "format = 'newline_delimited'",
    "compression = 'uncompressed'",
    'hive_partitioning = false',
    `maximum_object_size = ${Math.max(LINE_BYTES_MIN, spool.longestLine * 2)}`,
    `columns = {${read.join(', ')}}`,
  ];
  return `COPY (SELECT ${written.join(', ')} FROM read_json(${source.join(', ')})) TO ${literal(path)} (${options.join(', ')})`;
}

function formatOptions({ format, compression }: CopyJob): string[] {
  switch (format) {
    case 'parquet':
      return [
        'FORMAT parquet',
        `COMPRESSION ${compression}`,
        'RETURN_STATS',
        ...(compression === 'zstd' ? ['COMPRESSION_LEVEL 1'] : []),
      ];
    case 'csv':
      return ['FORMAT csv', 'HEADER', "NEW_LINE '\\r\\n'", `COMPRESSION ${compression}`];
    default:
      return ['FORMAT csv', 'HEADER false', "QUOTE ''", "ESCAPE ''", "DELIMITER '\x01'", `COMPRESSION ${compression}`];
  }
}

function extensionOf({ format, compression }: CopyJob): string {
  if (format === 'parquet' || compression === 'none') return format;
  return compression === 'zstd' ? `${format}.zst` : `${format}.gz`;
}

function extraExpression(format: DataFormat): string {
  return format === 'ndjson' ? `CAST(${name(EXTRA_COLUMN)} AS JSON)` : name(EXTRA_COLUMN);
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

function statisticsOf(rows: readonly Record<string, unknown>[], plan: ColumnPlan): Map<string, FileFacts> {
  return new Map(
    rows.map((row) => {
      const columns = entriesOf(row['column_statistics']).flatMap(([names, facts]): ColumnStatistics[] => {
        const path = [...names.matchAll(/"((?:[^"]|"")*)"/g)].map(([, one = '']) => one.replaceAll('""', '"'));
        if (!oncePerRow(path, plan.columns)) return [];
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
function oncePerRow([head, ...rest]: readonly string[], columns: readonly Column[]): boolean {
  const type = columns.find(({ name }) => name === head)?.type;
  return type?.kind === 'struct' ? oncePerRow(rest, type.fields) : rest.length === 0;
}

/** The entries of a MAP as the engine gives it in JSON form. */
function entriesOf(map: unknown): [string, unknown][] {
  if (!Array.isArray(map)) return [];
  return (map as { key: unknown; value: unknown }[]).map(({ key, value }) => [String(key), value]);
}
