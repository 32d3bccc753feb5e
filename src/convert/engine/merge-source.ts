/**
 * Files to be merged as one table: their columns by name, each in the type of the newest file. A type that is not that of the newest is
 * taken only when every value of the files comes back from it as it was. CSV stays text, NDJSON stays lines.
 */
import type { DuckDBConnection } from '@duckdb/node-api';
import { LIMITS } from '../../model/limits.ts';
import type { MergeJob } from '../../ports/converter.ts';
import { literal, name } from './column-sql.ts';
import { haveOneSchema } from './parquet-schema.ts';

export interface MergeSource {
  /** What stands behind FROM. */
  readonly from: string;
  /** Columns, as they are written. */
  readonly select: string;
  /** Arguments of a hash of the row: the columns in the order of their names. */
  readonly hashed: string;
  readonly order: readonly string[];
  /** Columns with their types; undefined for lines of JSON. */
  readonly types: ReadonlyMap<string, string> | undefined;
}

/** Files whose columns differ in a way that loses values. */
export class ColumnsDifferError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ColumnsDifferError';
  }
}

/** The longest line of a text format; the reader keeps room for two. */
const LINE_BYTES_MAX = 2 * LIMITS.recordBytesMax;
const LINE = 'line';

/** `locals`: the newest file first. */
export async function mergeSource(
  connection: DuckDBConnection,
  job: MergeJob,
  locals: readonly string[],
): Promise<MergeSource> {
  if (job.format === 'ndjson') return lines(job, locals);
  return job.format === 'csv' ? await cells(connection, job, locals) : await values(connection, job, locals);
}

function lines({ compression, sort }: MergeJob, locals: readonly string[]): MergeSource {
  const text = `CAST(${name('json')} AS VARCHAR)`;
  const order = sort.flatMap((field) => {
    return textOrder(`json_extract_string(${name('json')}, ${literal(jsonPath(field.split('.')))})`);
  });
  const codec = compression === 'none' ? 'uncompressed' : compression;
  const options = `format = 'newline_delimited', compression = '${codec}', maximum_object_size = ${LINE_BYTES_MAX}`;
  return {
    from: `read_json_objects(${list(locals)}, ${options})`,
    select: `${text} AS ${LINE}`,
    hashed: text,
    order,
    types: undefined,
  };
}

async function cells(
  connection: DuckDBConnection,
  { compression, sort }: MergeJob,
  locals: readonly string[],
): Promise<MergeSource> {
  const format = `auto_detect = false, compression = '${compression}', max_line_size = ${LINE_BYTES_MAX}, buffer_size = ${2 * LINE_BYTES_MAX}`;
  const byHeader = new Map<string, { columns: readonly string[]; locals: string[] }>();
  for (const local of locals) {
    const head = `read_csv(${literal(local)}, ${format}, header = false, delim = '\x01', quote = '', escape = '', columns = {'line': 'VARCHAR'})`;
    const answer = await connection.runAndReadAll(`SELECT line FROM ${head} LIMIT 1`);
    const [first] = answer.getRowObjectsJson() as { line: string }[];
    const header = (first?.line ?? '').replace(/\r$/, '');
    const known = byHeader.get(header) ?? { columns: headerCells(header), locals: [] };
    byHeader.set(header, known);
    known.locals.push(local);
  }
  const columns = [...new Set([...byHeader.values()].flatMap((group) => group.columns))];
  const tables = [...byHeader.values()].map((group) => {
    const types = group.columns.map((column) => `${literal(column)}: 'VARCHAR'`).join(', ');
    const quoting = `delim = ',', quote = '"', escape = '"', new_line = '\\r\\n', nullstr = '', allow_quoted_nulls = false`;
    const read = `read_csv(${list(group.locals)}, ${format}, header = true, ${quoting}, columns = {${types}})`;
    const has = new Set(group.columns);
    const parts = columns.map((column) => `${has.has(column) ? name(column) : 'NULL::VARCHAR'} AS ${name(column)}`);
    return `SELECT ${parts.join(', ')} FROM ${read}`;
  });
  return {
    from: `(${tables.join(' UNION ALL ')})`,
    select: columns.map(name).join(', '),
    hashed: hashedColumns(columns),
    order: sort.filter((field) => columns.includes(field)).flatMap((field) => textOrder(name(field))),
    types: new Map(columns.map((column) => [column, 'VARCHAR'])),
  };
}

async function values(
  connection: DuckDBConnection,
  { sort }: MergeJob,
  locals: readonly string[],
): Promise<MergeSource> {
  const groups = locals.length === 1 ? [locals] : await alike(connection, locals);
  // To bring files together by name, the engine looks at all of them before each query.
  const together = groups.length === 1 ? '' : ', union_by_name = true';
  const from = `read_parquet(${list(locals)}${together}, hive_partitioning = false)`;
  const types = await typesOf(connection, from);
  if (groups.length > 1) await checkTypes(connection, { newest: locals[0] ?? '', groups }, types);
  const columns = [...types.keys()];
  const order = sort.flatMap((field) => {
    const [head = '', ...rest] = field.split('.');
    const type = types.get(head);
    if (type === undefined || (rest.length > 0 && !type.startsWith('STRUCT('))) return [];
    return [rest.reduce((value, key) => `struct_extract(${value}, ${literal(key)})`, name(head))];
  });
  return {
    from,
    select: columns.map(name).join(', '),
    hashed: hashedColumns(columns),
    order: await sortable(connection, from, order),
    types,
  };
}

/** Those of the expressions that name something. */
async function sortable(connection: DuckDBConnection, from: string, order: readonly string[]): Promise<string[]> {
  const good: string[] = [];
  for (const value of order) {
    const plain = !value.startsWith('struct_extract');
    const named = plain || (await connection.run(`SELECT ${value} FROM ${from} LIMIT 0`).then(yes, () => false));
    if (named) good.push(value);
  }
  return good;
}

const yes = (): boolean => true;

export async function typesOf(connection: DuckDBConnection, from: string): Promise<Map<string, string>> {
  const answer = await connection.runAndReadAll(`DESCRIBE SELECT * FROM ${from}`);
  const rows = answer.getRowObjectsJson() as { column_name: string; column_type: string }[];
  return new Map(rows.map((row) => [row.column_name, row.column_type]));
}

/** Throws unless every file fits the types of all, and those are the newest file's. */
async function checkTypes(
  connection: DuckDBConnection,
  { newest, groups }: { readonly newest: string; readonly groups: readonly (readonly string[])[] },
  types: ReadonlyMap<string, string>,
): Promise<void> {
  for (const group of groups) {
    const from = `read_parquet(${list(group)}, hive_partitioning = false)`;
    const own = await typesOf(connection, from);
    const others = [...own].filter(([column, type]) => types.get(column) !== type);
    if (others.length === 0) continue;
    if (group.includes(newest)) {
      const told = others.map(([column, type]) => `'${column}' (${type}, elsewhere ${types.get(column)})`);
      throw new ColumnsDifferError(`files hold columns that the newest cannot take: ${told.join(', ')}`);
    }
    const same = others.map(([column, type]) => {
      const value = name(column);
      return `coalesce(bool_and(TRY_CAST(TRY_CAST(${value} AS ${types.get(column)}) AS ${type}) IS NOT DISTINCT FROM ${value}), true)`;
    });
    const answer = await connection.runAndReadAll(`SELECT ${same.join(' AND ')} AS same FROM ${from}`);
    if (answer.getRowObjectsJson()[0]?.['same'] === true) continue;
    throw new ColumnsDifferError(`values of ${others.map(([column]) => `'${column}'`).join(', ')} would change`);
  }
}

/** The files by their columns and types. */
async function alike(connection: DuckDBConnection, locals: readonly string[]): Promise<(readonly string[])[]> {
  if (haveOneSchema(locals)) return [locals];
  const answer = await connection.runAndReadAll(
    `SELECT list(file_name) AS files FROM (
       SELECT file_name,
         list(row(name, type, converted_type, logical_type, num_children, scale, precision) ORDER BY place) AS leaves
       FROM (SELECT *, row_number() OVER () AS place FROM parquet_schema(${list(locals)}))
       GROUP BY file_name) GROUP BY leaves`,
  );
  return answer.getRowObjectsJson().map((row) => row['files'] as string[]);
}

/** A path into JSON as the engine has it. */
export function jsonPath(keys: readonly string[]): string {
  return `$${keys.map((key) => `."${key.replaceAll('"', '\\"')}"`).join('')}`;
}

/** Numbers as numbers, before and among them all else as text: of an ISO time that is the order of times. */
function textOrder(value: string): string[] {
  return [`TRY_CAST(${value} AS DOUBLE) NULLS LAST`, value];
}

function hashedColumns(columns: readonly string[]): string {
  return columns.toSorted().map(name).join(', ');
}

function list(locals: readonly string[]): string {
  return `[${locals.map(literal).join(', ')}]`;
}

/** The cells of a header line of ours: RFC 4180, without line breaks. */
function headerCells(header: string): string[] {
  return [...header.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^",]*))/g)].map(
    ([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain ?? '',
  );
}
