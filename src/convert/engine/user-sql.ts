/**
 * One SQL expression of an operator: parsed by the engine, judged by its tree, and given back as the engine writes that tree, so that what
 * runs is what was judged and no comment, semicolon or bracket of the text has a meaning of its own. Allowed are constants,
 * columns, operators, CASE, casts to plain types and the functions of `sql-functions.ts`; anything else is refused by not being known.
 */
import type { DuckDBConnection } from '@duckdb/node-api';
import { CAST_TYPES, FUNCTIONS, GROWING, GROWTH_MAX } from './sql-functions.ts';

export interface Expression {
  /** As the engine writes it. */
  readonly sql: string;
  /** Names it reads, as written. */
  readonly columns: readonly string[];
  /** The name, when it is nothing but one column. */
  readonly column: string | undefined;
}

type Node = Readonly<Record<string, unknown>>;

const DEPTH_MAX = 100;
const SELECT = 'SELECT ';
const OPERATOR_TYPES: ReadonlySet<unknown> = new Set([
  'OPERATOR_NOT',
  'OPERATOR_IS_NULL',
  'OPERATOR_IS_NOT_NULL',
  'OPERATOR_COALESCE',
  'OPERATOR_TRY',
  'COMPARE_IN',
  'COMPARE_NOT_IN',
  'ARRAY_EXTRACT',
  'ARRAY_SLICE',
  'STRUCT_EXTRACT',
]);
/** Class of a node → where its children are. */
const CHILDREN: Readonly<Record<string, readonly string[]>> = {
  CONSTANT: [],
  COLUMN_REF: [],
  FUNCTION: ['children'],
  OPERATOR: ['children'],
  CONJUNCTION: ['children'],
  COMPARISON: ['left', 'right'],
  BETWEEN: ['input', 'lower', 'upper'],
  CASE: ['case_checks', 'else_expr'],
  CAST: ['child'],
  // `json -> path`: no function that takes a lambda is allowed.
  LAMBDA: ['lhs', 'expr'],
};

const NOT_ONE = 'it is not one expression';

/** Why an expression is refused. */
export class RefusedSqlError extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = 'RefusedSqlError';
  }
}

/** Throws `RefusedSqlError`. */
export async function judgedExpression(connection: DuckDBConnection, text: string): Promise<Expression> {
  const tree = await firstText(connection, 'SELECT json_serialize_sql($1::VARCHAR)', SELECT + text);
  const only = onlyExpression(tree);
  const columns = judge(only);
  const written = await firstText(connection, 'SELECT json_deserialize_sql($1::JSON)', tree);
  if (!written.startsWith(SELECT)) throw new RefusedSqlError(NOT_ONE);
  const plain = only['class'] === 'COLUMN_REF' && (only['column_names'] as unknown[]).length === 1;
  return { sql: written.slice(SELECT.length), columns, column: plain ? columns[0] : undefined };
}

async function firstText(connection: DuckDBConnection, sql: string, argument: string): Promise<string> {
  try {
    const result = await connection.runAndReadAll(sql, [argument]);
    return String(result.getRows()[0]?.[0]);
  } catch (error) {
    throw new RefusedSqlError(firstLine(error));
  }
}

/** The expression of a tree that selects one and nothing else. */
function onlyExpression(tree: string): Node {
  let parsed: Node;
  try {
    parsed = JSON.parse(tree) as Node;
  } catch {
    throw new RefusedSqlError('it holds a number that is too large');
  }
  if (parsed['error'] === true) {
    const message = String(parsed['error_message']);
    // Every expression is read behind SELECT: another statement can only be one that follows it.
    throw new RefusedSqlError(message.startsWith('Only SELECT statements') ? NOT_ONE : message);
  }
  const statements = parsed['statements'] as readonly Node[];
  const node = statements[0]?.['node'] as Node | undefined;
  const list = (node?.['select_list'] ?? []) as readonly Node[];
  const bare =
    statements.length === 1 &&
    node?.['type'] === 'SELECT_NODE' &&
    list.length === 1 &&
    (node['from_table'] as Node)['type'] === 'EMPTY' &&
    isNothing(node['modifiers']) &&
    isNothing((node['cte_map'] as Node)['map']) &&
    ['where_clause', 'having', 'sample', 'qualify'].every((key) => node[key] === null) &&
    isNothing(node['group_expressions']) &&
    isNothing(node['group_sets']) &&
    node['aggregate_handling'] === 'STANDARD_HANDLING';
  if (!bare || list[0] === undefined) throw new RefusedSqlError(NOT_ONE);
  return list[0];
}

function isNothing(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0;
}

/** The columns it reads. Throws `RefusedSqlError`. */
function judge(root: Node): string[] {
  const columns: string[] = [];
  let growing = 0;

  function visit(node: Node, depth: number): void {
    if (depth > DEPTH_MAX) throw new RefusedSqlError(`it is nested deeper than ${DEPTH_MAX}`);
    const kind = String(node['class']);
    const children = CHILDREN[kind];
    if (children === undefined) throw new RefusedSqlError(`${kind.toLowerCase().replaceAll('_', ' ')} is not allowed`);
    if (node['alias'] !== '') throw new RefusedSqlError(`'AS ${String(node['alias'])}' is not allowed`);
    if (kind === 'COLUMN_REF') columns.push(String((node['column_names'] as unknown[])[0]));
    if (kind === 'CAST') judgeCast(node);
    if (kind === 'OPERATOR' && !OPERATOR_TYPES.has(node['type']))
      throw new RefusedSqlError(`the operator ${String(node['type'])} is not allowed`);
    if (kind === 'FUNCTION') growing += judgeFunction(node);
    if (growing > 1) throw new RefusedSqlError(`${[...GROWING].join(', ')} can stand in an expression once`);
    for (const key of children) for (const child of childrenOf(node[key])) visit(child, depth + 1);
  }

  visit(root, 1);
  return columns;
}

/** A child, a list of them, or the pairs of a CASE. */
function childrenOf(value: unknown): readonly Node[] {
  if (value === null || value === undefined) return [];
  const nodes = (Array.isArray(value) ? value : [value]) as readonly Node[];
  return nodes.flatMap((node) =>
    'when_expr' in node ? [node['when_expr'] as Node, node['then_expr'] as Node] : [node],
  );
}

/** 1 for a function that makes texts longer. */
function judgeFunction(node: Node): number {
  const name = String(node['function_name']).toLowerCase();
  const own = ['', 'main'].includes(String(node['schema'])) && node['catalog'] === '';
  if (!own || !FUNCTIONS.has(name)) throw new RefusedSqlError(`the function '${name}' is not allowed`);
  const bare =
    node['filter'] === null &&
    isNothing((node['order_bys'] as Node)['orders']) &&
    node['distinct'] === false &&
    node['export_state'] === false;
  if (!bare) throw new RefusedSqlError(`'${name}' takes arguments only`);
  if (!GROWING.has(name)) return 0;
  const length = (((node['children'] as readonly Node[])[1] ?? {})['value'] as Node | undefined)?.['value'];
  if (typeof length === 'number' && length <= GROWTH_MAX) return 1;
  throw new RefusedSqlError(`the second argument of '${name}' must be a number up to ${GROWTH_MAX}`);
}

function judgeCast(node: Node): void {
  const type = node['cast_type'] as Node;
  const info = type['type_info'] as Node | null;
  const isJson = type['id'] === 'UNBOUND' && /^json$/i.test(String(info?.['name']));
  const plain = CAST_TYPES.has(String(type['id'])) && (info === null || type['id'] === 'DECIMAL');
  if (!plain && !isJson) throw new RefusedSqlError(`a cast to ${String(info?.['name'] ?? type['id'])} is not allowed`);
}

/** The engine tells the place in further lines. */
export function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0] ?? '';
}
