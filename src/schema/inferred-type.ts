/**
 * The column for values that were seen and not declared: the narrowest type that takes them all, or most of them. Texts stay texts,
 * whatever they look like: a wrong guess would cost a value its column. Pure.
 */
import type { ColumnType, ValueFamily } from '../model/column-plan.ts';
import { EXTRA_COLUMN } from '../model/column-plan.ts';

const NAME_CHARS_MAX = 128;

/** Of mixed kinds the most frequent wins, the others' values go to the extra column; numbers go together. */
export function inferredType(families: ReadonlyMap<ValueFamily, number>): ColumnType {
  const has = (family: ValueFamily): boolean => families.has(family);
  if (families.size === 2 && has('integer') && has('double')) return { kind: 'double' };
  const [first] = [...families].sort(([, a], [, b]) => b - a)[0] ?? ['string'];
  switch (first) {
    case 'boolean':
      return { kind: 'boolean' };
    case 'integer':
      return has('double') ? { kind: 'double' } : { kind: 'int', bits: 64 };
    case 'double':
      return { kind: 'double' };
    case 'string':
      return { kind: 'string' };
    default:
      return { kind: 'json' };
  }
}

/** Whether a file can have a column of this name. */
export function isColumnName(key: string): boolean {
  return key !== '' && key.length <= NAME_CHARS_MAX && key.toLowerCase() !== EXTRA_COLUMN && !/\p{Cc}/u.test(key);
}
