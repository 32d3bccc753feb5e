/**
 * A transform against a plan: what its files will hold. Every expression is judged on its own (`user-sql.ts`), then all are bound over
 * the columns of the plan as an empty table, which tells their types; no row is read. Without a plan only what needs none is
 * checked. All problems are told together.
 */
import type { DuckDBConnection } from '@duckdb/node-api';
import type {
  Column,
  ColumnPlan,
  ColumnType,
  OutputColumn,
  PlanTransform,
  Transform,
} from '../../model/column-plan.ts';
import { EXTRA_COLUMN } from '../../model/column-plan.ts';
import { name, readType, writeExpression } from './column-sql.ts';
import type { Expression } from './user-sql.ts';
import { firstLine, judgedExpression, RefusedSqlError } from './user-sql.ts';

export interface TransformProblem {
  /** `where`, `columns.x`, `keep`, `drop`. */
  readonly path: string;
  readonly reason: string;
}

export interface CheckedTransform {
  /** Absent without a plan, or with problems. */
  readonly transform?: PlanTransform;
  readonly problems: readonly TransformProblem[];
}

/** Where an expression stands, and what is asked of it. */
interface Part {
  readonly path: string;
  readonly expression: Expression;
}

const EXTRA: Column = { name: EXTRA_COLUMN, type: { kind: 'json' }, nullable: true };
const TYPE_ACCEPTED = 'cast it to a number, text, boolean, date, time, timestamp, decimal, UUID, BLOB or JSON';

export async function checkTransform(
  connection: DuckDBConnection,
  source: Transform,
  plan: ColumnPlan | undefined,
): Promise<CheckedTransform> {
  const problems: TransformProblem[] = [];
  const where = source.where === undefined ? undefined : await judged('where', source.where);
  const columns = new Map<string, Part>();
  for (const [key, text] of Object.entries(source.columns ?? {})) {
    const part = await judged(`columns.${key}`, text);
    if (part !== undefined) columns.set(key, part);
  }
  if (plan === undefined || problems.length > 0) return { problems };

  const known = new Map([...plan.columns, EXTRA].map((column) => [column.name.toLowerCase(), column]));
  for (const { path, expression } of [...(where === undefined ? [] : [where]), ...columns.values()]) {
    for (const column of new Set(expression.columns)) {
      if (!known.has(column.toLowerCase())) problems.push({ path, reason: `there is no column '${column}'` });
    }
  }
  for (const path of ['keep', 'drop'] as const) {
    for (const column of source[path] ?? []) {
      if (known.get(column.toLowerCase())?.name !== column)
        problems.push({ path, reason: `there is no column '${column}'` });
    }
  }
  if (problems.length > 0) return { problems };

  const empty = emptyTable(plan);
  if (where !== undefined) {
    const type = await boundType(where, empty);
    if (type !== undefined && type !== 'BOOLEAN')
      problems.push({ path: 'where', reason: `it is ${type}, not BOOLEAN` });
  }
  const output: OutputColumn[] = [];
  for (const { key, column } of outputOrder(plan, source)) {
    const part = columns.get(key);
    if (part === undefined) {
      if (column !== undefined) output.push(kept(key, column));
      continue;
    }
    const origin = known.get(part.expression.column?.toLowerCase() ?? '');
    const type = origin === undefined ? await boundType(part, empty) : undefined;
    if (origin !== undefined) output.push(kept(key, origin));
    else if (type !== undefined) derive(key, part, type);
  }
  if (output.length === 0 && problems.length === 0) problems.push({ path: 'drop', reason: 'no column is left' });
  if (problems.length > 0) return { problems };
  return { problems, transform: { source, ...(where === undefined ? {} : { where: where.expression.sql }), output } };

  async function judged(path: string, text: string): Promise<Part | undefined> {
    try {
      return { path, expression: await judgedExpression(connection, text) };
    } catch (error) {
      if (!(error instanceof RefusedSqlError)) throw error;
      problems.push({ path, reason: error.message });
      return undefined;
    }
  }

  /** The engine's name of the type; undefined when the expression does not bind, which is noted. */
  async function boundType({ path, expression }: Part, from: string): Promise<string | undefined> {
    try {
      const result = await connection.runAndReadAll(`DESCRIBE SELECT ${expression.sql} AS value FROM ${from}`);
      const type = result.getRowObjectsJson()[0]?.['column_type'];
      return typeof type === 'string' ? type : undefined;
    } catch (error) {
      problems.push({ path, reason: firstLine(error) });
      return undefined;
    }
  }

  function derive(key: string, { path, expression }: Part, engineType: string): void {
    const made = typeOf(engineType);
    if (made === undefined) problems.push({ path, reason: `its type is ${engineType}: ${TYPE_ACCEPTED}` });
    else {
      const sql = made.cast === undefined ? expression.sql : `CAST(${expression.sql} AS ${made.cast})`;
      output.push({ name: key, type: made.type, sql });
    }
  }
}

function kept(key: string, { name: of, type }: Column): OutputColumn {
  return { name: key, type, sql: name(of), of };
}

/** Columns of the plan in their order, those in place of one under their own name; then new ones, `_extra` last. */
function outputOrder(plan: ColumnPlan, source: Transform): { key: string; column?: Column }[] {
  const made = new Map(Object.keys(source.columns ?? {}).map((key) => [key.toLowerCase(), key]));
  const stays = ({ name: column }: Column): boolean =>
    (source.keep?.includes(column) ?? true) && source.drop?.includes(column) !== true;
  const order: { key: string; column?: Column }[] = [];
  for (const column of plan.columns) {
    const key = made.get(column.name.toLowerCase());
    made.delete(column.name.toLowerCase());
    if (key !== undefined) order.push({ key });
    else if (stays(column)) order.push({ key: column.name, column });
  }
  order.push(...[...made.values()].map((key) => ({ key })));
  if (stays(EXTRA)) order.push({ key: EXTRA_COLUMN, column: EXTRA });
  return order;
}

/** No rows, with the columns that expressions see. */
function emptyTable(plan: ColumnPlan): string {
  const read = plan.columns.map((column) => `CAST(NULL AS ${readType(column.type)}) AS ${name(column.name)}`);
  return `(SELECT ${typedColumns(plan).join(', ')} FROM (SELECT ${[...read, `CAST(NULL AS VARCHAR) AS ${name(EXTRA_COLUMN)}`].join(', ')}) LIMIT 0)`;
}

/** The columns of a line as expressions see them: of their own types, whatever the format. */
export function typedColumns(plan: ColumnPlan): string[] {
  const typed = plan.columns.map((column) =>
    column.type.kind === 'json' ? name(column.name) : `${writeExpression(column, 'parquet')} AS ${name(column.name)}`,
  );
  return [...typed, name(EXTRA_COLUMN)];
}

function typeOf(engineType: string): { readonly type: ColumnType; readonly cast?: string } | undefined {
  const decimal = /^DECIMAL\((\d+),(\d+)\)$/.exec(engineType);
  if (decimal !== null) return { type: { kind: 'decimal', precision: Number(decimal[1]), scale: Number(decimal[2]) } };
  switch (engineType) {
    case 'BOOLEAN':
      return { type: { kind: 'boolean' } };
    case 'INTEGER':
      return { type: { kind: 'int', bits: 32 } };
    case 'TINYINT':
    case 'SMALLINT':
    case 'UTINYINT':
    case 'USMALLINT':
      return { type: { kind: 'int', bits: 32 }, cast: 'INTEGER' };
    case 'BIGINT':
      return { type: { kind: 'int', bits: 64 } };
    case 'UINTEGER':
      return { type: { kind: 'int', bits: 64 }, cast: 'BIGINT' };
    case 'DOUBLE':
      return { type: { kind: 'double' } };
    case 'FLOAT':
      return { type: { kind: 'double' }, cast: 'DOUBLE' };
    case 'VARCHAR':
      return { type: { kind: 'string' } };
    case 'BLOB':
      return { type: { kind: 'bytes' } };
    case 'DATE':
      return { type: { kind: 'date' } };
    case 'TIME':
      return { type: { kind: 'time', from: 'us' } };
    case 'TIMESTAMP WITH TIME ZONE':
      return { type: { kind: 'timestamp', from: 'iso' } };
    case 'TIMESTAMP':
      return { type: { kind: 'timestamp', from: 'iso', local: true } };
    case 'TIMESTAMP_S':
    case 'TIMESTAMP_MS':
    case 'TIMESTAMP_NS':
      return { type: { kind: 'timestamp', from: 'iso', local: true }, cast: 'TIMESTAMP' };
    case 'UUID':
      return { type: { kind: 'uuid' } };
    case 'JSON':
      return { type: { kind: 'json' } };
    default:
      return undefined;
  }
}
