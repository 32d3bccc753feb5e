/**
 * From checked lines to files through the expressions of an operator. They run plainly, so clean data costs what they compute. When one
 * fails, the rows it fails on are found by trying each one by itself; the conversion is done again with these rejected. Which rows fail
 * depends on the rows alone.
 */
import { rmSync } from 'node:fs';
import type { DuckDBConnection } from '@duckdb/node-api';
import type { OutputColumn, PlanTransform } from '../../model/column-plan.ts';
import type { DataFormat } from '../../model/delivery.ts';
import type { ConvertedFile } from '../../ports/converter.ts';
import type { CopyJob, Selection } from './copy-out.ts';
import { name } from './column-sql.ts';
import { copySelection, guarded, linesOf, writtenColumn } from './copy-out.ts';
import type { Spool } from './spools.ts';
import { typedColumns } from './transform-check.ts';

export interface TransformJob extends CopyJob {
  readonly transform: PlanTransform;
  /** Key of a line's row number. */
  readonly rowKey: string;
}

/** Row number → the output column whose expression fails on it, or null for the filter. */
export type Failures = ReadonlyMap<number, string | null>;

export interface TransformedSpool {
  readonly files: readonly ConvertedFile[];
  /** Rows that the filter left out. */
  readonly filtered: number;
}

/** Failures that no row is the cause of. */
const NOT_THE_ROWS = /^(Out of Memory|IO|INTERNAL|FATAL|Interrupt|Permission|Binder|Catalog|Parser) Error/i;

/** The files of a spool, or the rows that an expression fails on: then what lies in the folder is of no use. */
export async function transformOut(
  connection: DuckDBConnection,
  spool: Spool,
  job: TransformJob,
): Promise<TransformedSpool | Failures> {
  const { transform } = job;
  const { values, from } = selectionOf(spool, job);
  const where = transform.where === undefined ? '' : ` WHERE ${transform.where}`;
  let files: readonly ConvertedFile[];
  try {
    files = await copyCounted(connection, spool, job, { values, from: `${from}${where}` });
  } catch (error) {
    if (NOT_THE_ROWS.test(error instanceof Error ? error.message : '')) throw error;
    const failures = await failedRows(connection, spool, job);
    if (failures.size === 0) throw error;
    return failures;
  }
  const written = files.reduce((sum, file) => sum + file.rows, 0);
  const filtered = spool.rows - written;
  const possible = transform.where === undefined ? filtered === 0 : filtered >= 0;
  if (!possible) throw new Error(`a COPY wrote ${written} of ${spool.rows} rows`);
  return { files, filtered };
}

/** The rows of a spool that an expression fails on, each tried by itself. Writes nothing. */
export async function failedRows(connection: DuckDBConnection, spool: Spool, job: TransformJob): Promise<Failures> {
  const { transform, rowKey } = job;
  const { values, from } = selectionOf(spool, job);
  // A struct around a value that is null is not null; around one that fails it is.
  const fails = (sql: string): string => `TRY({'value': ${sql}}) IS NULL`;
  const cases = values.flatMap(([, value], i) =>
    transform.output[i]?.of === undefined ? [`WHEN ${fails(value)} THEN ${i}`] : [],
  );
  if (transform.where !== undefined) {
    cases.unshift(`WHEN ${fails(transform.where)} THEN -1 WHEN TRY(${transform.where}) IS NOT TRUE THEN NULL`);
  }
  if (cases.length === 0) return new Map();
  const result = await connection.runAndReadAll(
    `SELECT * FROM (SELECT ${name(rowKey)}, CASE ${cases.join(' ')} END AS place FROM ${from}) WHERE place IS NOT NULL`,
  );
  const [rows = [], places = []] = result.getColumns();
  return new Map(rows.map((row, i) => [Number(row), transform.output[Number(places[i])]?.name ?? null]));
}

/** Output columns over the lines as expressions see them. */
function selectionOf(spool: Spool, job: TransformJob): Selection {
  const { transform, rowKey } = job;
  const keys = [name(rowKey), ...(spool.grouped ? [name(job.numberKey)] : [])];
  const lines = linesOf(spool, job, { [rowKey]: 'BIGINT' });
  const prefix = freePrefix(job);
  const kept = transform.output.flatMap(({ of }, i) =>
    of === undefined ? [] : [`${writtenColumn(job, of)} AS ${name(`${prefix}${i}`)}`],
  );
  const values = transform.output.map(
    (column, i) => [column.name, column.of === undefined ? valueOf(column, job) : name(`${prefix}${i}`)] as const,
  );
  return { values, from: `(SELECT ${[...keys, ...typedColumns(job.plan), ...kept].join(', ')} FROM ${lines})` };
}

/** Rows per file are counted where the format does not tell them; a file without rows is not kept. */
async function copyCounted(
  connection: DuckDBConnection,
  spool: Spool,
  job: CopyJob,
  { values, from }: Selection,
): Promise<ConvertedFile[]> {
  const told = job.format === 'parquet' || !spool.grouped;
  const rows = told ? undefined : await countRows(connection, spool, job, from);
  const selection = rows === undefined ? { values, from } : { values, from, rows };
  const files = await copySelection(connection, spool, job, selection);
  return files.filter((file) => {
    if (file.rows === 0) rmSync(file.local);
    return file.rows > 0;
  });
}

async function countRows(
  connection: DuckDBConnection,
  spool: Spool,
  job: CopyJob,
  from: string,
): Promise<ReadonlyMap<number, number>> {
  const result = await connection.runAndReadAll(`SELECT ${name(job.numberKey)}, count(*) FROM ${from} GROUP BY 1`);
  const counts = new Map(spool.partitions.map((partition) => [partition.number, 0]));
  for (const [key, count] of result.getRows()) counts.set(Number(key), Number(count));
  return counts;
}

/** Kept columns are written as without a transform, so they stand beside those that expressions see. */
function freePrefix({ plan }: CopyJob): string {
  let prefix = 'kept ';
  while (plan.columns.some((column) => column.name.toLowerCase().startsWith(prefix))) prefix += ' ';
  return prefix;
}

/** The SQL of a derived column as its format has it. */
function valueOf(column: OutputColumn, job: CopyJob): string {
  return guarded(job, column.type, textOf(column, job.format));
}

function textOf({ type, sql }: OutputColumn, format: DataFormat): string {
  if (type.kind === 'json') return format === 'ndjson' ? sql : `CAST(${sql} AS VARCHAR)`;
  if (format === 'parquet') return sql;
  switch (type.kind) {
    case 'timestamp':
      return `strftime(CAST(${sql} AS TIMESTAMP), '%Y-%m-%dT%H:%M:%S.%f${type.local ? '' : 'Z'}')`;
    case 'bytes':
      return `to_base64(${sql})`;
    case 'double':
      // JSON has no word for what is not finite.
      return format === 'ndjson' ? `CASE WHEN isfinite(${sql}) THEN ${sql} END` : sql;
    default:
      return sql;
  }
}
