/**
 * What the converter makes of a JSON record: typed columns. A plan comes from an Avro schema or is inferred from the first
 * batches; every change is a new version, kept in the catalog, and files remember the version they were written with.
 */
export type ColumnType =
  | { readonly kind: 'boolean' }
  | { readonly kind: 'int'; readonly bits: 32 | 64 }
  | { readonly kind: 'double' }
  | { readonly kind: 'string' }
  /** JSON strings holding base64. */
  | { readonly kind: 'bytes' }
  /** `from` is the JSON form: an ISO-8601 text, or a number since the epoch. Stored in microseconds, as UTC or, `local`, of no zone. */
  | { readonly kind: 'timestamp'; readonly from: TimeForm; readonly local?: true }
  /** ISO `yyyy-MM-dd`, or days since the epoch. */
  | { readonly kind: 'date' }
  /** `HH:mm:ss[.ffffff]`, or a number since midnight in this unit. */
  | { readonly kind: 'time'; readonly from: 'ms' | 'us' }
  /** From JSON strings exactly; from JSON numbers as far as a double holds them. */
  | { readonly kind: 'decimal'; readonly precision: number; readonly scale: number }
  | { readonly kind: 'uuid' }
  | { readonly kind: 'enum'; readonly symbols: readonly string[] }
  /** Any JSON value, kept as JSON text. */
  | { readonly kind: 'json' }
  /** JSON objects with these keys; others go to `_extra`. */
  | { readonly kind: 'struct'; readonly fields: readonly Column[] }
  /** JSON arrays. */
  | { readonly kind: 'list'; readonly items: Element }
  /** JSON objects with any keys. */
  | { readonly kind: 'map'; readonly values: Element };

/** What a list or map holds. */
export interface Element {
  readonly type: ColumnType;
  readonly nullable: boolean;
}

/** How a JSON value tells a time. */
export type TimeForm = 'iso' | 's' | 'ms' | 'us';

export interface Column {
  /** Key in the record and name in the file. */
  readonly name: string;
  readonly type: ColumnType;
  /** A record without the key, or with null, is rejected when false. */
  readonly nullable: boolean;
}

export interface ColumnPlan {
  readonly version: number;
  readonly columns: readonly Column[];
  /**
   * What happens to a value that does not fit its column. `reject`: the row is rejected with the column's name (declared
   * schemas). `extra`: the value goes to `_extra` and the column is null (inferred schemas).
   * Keys without a column always go to `_extra`.
   */
  readonly misfit: 'reject' | 'extra';
  /** What files hold instead of these columns, where the delivery transforms. */
  readonly transform?: PlanTransform;
}

/** What an operator writes: SQL expressions over the columns of a row. */
export interface Transform {
  /** Rows for which it is true land; the others are counted. */
  readonly where?: string;
  /** Name → expression: in place of the column of that name, or behind the others. */
  readonly columns?: Readonly<Record<string, string>>;
  /** The only columns that are kept as they are; all when absent. */
  readonly keep?: readonly string[];
  /** Columns that are left out. */
  readonly drop?: readonly string[];
}

/** A transform checked against the columns of a plan. SQL is as the engine wrote it back after it was judged. */
export interface PlanTransform {
  /** What it was made from. */
  readonly source: Transform;
  readonly where?: string;
  /** The columns of the files, in order. */
  readonly output: readonly OutputColumn[];
}

export interface OutputColumn {
  readonly name: string;
  readonly type: ColumnType;
  /** Over the columns of the plan and `_extra`. */
  readonly sql: string;
  /** A column of the plan, or `_extra`, as it is, under this name or another. */
  readonly of?: string;
}

/** What inference tells apart; null is nothing. */
export type ValueFamily = 'boolean' | 'integer' | 'double' | 'string' | 'nested';

/** A key met in `_extra`, or a column whose values were put there, with the rows by what the value was. */
export interface ExtraKey {
  readonly key: string;
  readonly rows: Readonly<Partial<Record<ValueFamily, number>>>;
}

/** JSON column for keys and values that have no column of their own; null when there are none. */
export const EXTRA_COLUMN = '_extra';

/** Columns of a file: those of nested ones are counted one by one. */
export function leavesOf(columns: readonly Element[]): number {
  return columns.reduce((sum, { type }) => {
    if (type.kind === 'struct') return sum + leavesOf(type.fields);
    if (type.kind === 'list') return sum + leavesOf([type.items]);
    return sum + (type.kind === 'map' ? 1 + leavesOf([type.values]) : 1);
  }, 0);
}
