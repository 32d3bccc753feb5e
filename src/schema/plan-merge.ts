/**
 * The plan that follows another one: what the newer asks for, in columns that readers of the older files still understand. Columns and
 * fields never vanish, new ones may be null, and a type changes only to one that takes every value of the type before: int to long to
 * double, symbols added, fields added. Where the older type takes the newer's values already (a string, an enum; JSON text, anything)
 * it stays. Everything else is refused with the path of the column. Pure.
 */
import type { Column, ColumnPlan, ColumnType, Element } from '../model/column-plan.ts';
import { LakewardError } from '../model/errors.ts';
import { LIMITS } from '../model/limits.ts';

/** `older` itself when it takes all that `newer` does, else its next version. Throws `schema-invalid`, `details.field` names the column. */
export function mergePlans(older: ColumnPlan, newer: ColumnPlan): ColumnPlan {
  const columns = mergeColumns(older.columns, newer.columns, '');
  if (columns.length > LIMITS.columnsMax) {
    throw refused('', `with the columns landed before it makes ${columns.length}, at most ${LIMITS.columnsMax}`);
  }
  const { misfit } = newer;
  if (misfit === older.misfit && JSON.stringify(columns) === JSON.stringify(older.columns)) return older;
  return { version: older.version + 1, columns, misfit };
}

function mergeColumns(older: readonly Column[], newer: readonly Column[], around: string): Column[] {
  const wanted = new Map(newer.map((column) => [column.name, column]));
  const kept = older.map((column): Column => {
    const same = wanted.get(column.name);
    if (same === undefined) return { ...column, nullable: true };
    return { name: column.name, ...mergeElements(column, same, `${around}${column.name}`) };
  });
  const taken = new Map(older.map(({ name }) => [name.toLowerCase(), name]));
  const added = newer.flatMap((column): Column[] => {
    const before = taken.get(column.name.toLowerCase());
    if (before === column.name) return [];
    // Query engines cannot tell such names apart.
    if (before !== undefined) throw refused(`${around}${column.name}`, `it differs from '${before}' in case only`);
    return [{ ...column, nullable: true }];
  });
  return [...kept, ...added];
}

function mergeElements(older: Element, newer: Element, path: string): Element {
  return { type: mergeTypes(older.type, newer.type, path), nullable: older.nullable || newer.nullable };
}

function mergeTypes(older: ColumnType, newer: ColumnType, path: string): ColumnType {
  if (older.kind === 'struct' && newer.kind === 'struct') {
    return { kind: 'struct', fields: mergeColumns(older.fields, newer.fields, `${path}.`) };
  }
  if (older.kind === 'list' && newer.kind === 'list') {
    return { kind: 'list', items: mergeElements(older.items, newer.items, `${path}[]`) };
  }
  if (older.kind === 'map' && newer.kind === 'map') {
    return { kind: 'map', values: mergeElements(older.values, newer.values, `${path}{}`) };
  }
  if (older.kind === 'enum' && newer.kind === 'enum') {
    const symbols = [...new Set([...older.symbols, ...newer.symbols])];
    return { kind: 'enum', symbols };
  }
  if (takes(older, newer)) return older;
  if (widens(older, newer)) return newer;
  throw refused(path, `it was landed as ${tell(older)} and cannot become ${tell(newer)}`);
}

/** Whether every JSON value that `newer` takes lands in a column of `older` as it is. */
function takes(older: ColumnType, newer: ColumnType): boolean {
  switch (older.kind) {
    case 'json':
      return true;
    case 'string':
      return ['string', 'enum', 'uuid'].includes(newer.kind);
    case 'double':
      return newer.kind === 'double' || newer.kind === 'int';
    case 'int':
      // A time of day as a number is one.
      if (newer.kind === 'time') return newer.from === 'ms' || older.bits === 64;
      return newer.kind === 'int' && newer.bits <= older.bits;
    case 'decimal':
      return newer.kind === 'decimal' && newer.scale === older.scale && newer.precision <= older.precision;
    case 'timestamp':
      return newer.kind === 'timestamp' && newer.from === older.from && (older.local ?? newer.local) === newer.local;
    case 'time':
      return newer.kind === 'time' && newer.from === older.from;
    default:
      return older.kind === newer.kind;
  }
}

/** Whether files of both types can be read as the newer. */
function widens(older: ColumnType, newer: ColumnType): boolean {
  if (older.kind === 'int') return newer.kind === 'double' || (newer.kind === 'int' && newer.bits > older.bits);
  return older.kind === 'enum' && newer.kind === 'string';
}

function tell(type: ColumnType): string {
  if (type.kind === 'int') return type.bits === 32 ? 'int' : 'long';
  if (type.kind === 'decimal') return `decimal(${type.precision}, ${type.scale})`;
  if (type.kind === 'timestamp') return `${type.local === true ? 'local ' : ''}timestamp from ${type.from}`;
  if (type.kind === 'time') return `time from ${type.from}`;
  return type.kind;
}

function refused(path: string, reason: string): LakewardError {
  const subject = path === '' ? 'the schema' : `column '${path}'`;
  return new LakewardError('schema-invalid', `${subject} cannot follow the schema before: ${reason}`, {
    details: path === '' ? {} : { field: path },
  });
}
