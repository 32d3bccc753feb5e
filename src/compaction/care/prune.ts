/**
 * Which files need not be read to look for values of a field: those whose exact statistics leave no room for them. Pure, and careful: bounds
 * count only for columns of plain texts or numbers, and only when no row of the file has anything in `_extra`.
 */
import { EXTRA_COLUMN } from '../../model/column-plan.ts';
import type { DataFile } from '../../model/data-file.ts';

/** How bounds of a column compare: as UTF-8 bytes, or as numbers. */
export type Comparison = 'text' | 'number';

export interface WantedValues {
  readonly field: string;
  /** Ascending by UTF-8 bytes, and by value. */
  readonly texts: readonly Uint8Array[];
  readonly numbers: readonly number[];
  readonly list: readonly string[];
}

const utf8 = new TextEncoder();

export function wantedValues(field: string, values: readonly string[]): WantedValues {
  const list = [...new Set(values)];
  const numbers = list.map(Number).filter((value) => Number.isFinite(value));
  return {
    field,
    list,
    texts: list.map((value) => utf8.encode(value)).sort((a, b) => Buffer.compare(a, b)),
    numbers: numbers.sort((a, b) => a - b),
  };
}

/** False only when no row of the file can hold one of the values. */
export function mayHold(
  { rows, columns }: Pick<DataFile, 'rows' | 'columns'>,
  wanted: WantedValues,
  comparison: Comparison | undefined,
): boolean {
  const column = columns.find((one) => one.column === wanted.field);
  const extra = columns.find((one) => one.column === EXTRA_COLUMN);
  if (column === undefined || extra?.nulls !== rows) return true;
  if (column.nulls === rows) return false;
  const { min, max } = column;
  if (comparison === undefined || min === undefined || max === undefined) return true;
  if (comparison === 'text') {
    const [low, high] = [utf8.encode(min), utf8.encode(max)];
    const at = firstFrom(wanted.texts, (value) => Buffer.compare(value, low) >= 0);
    return at !== undefined && Buffer.compare(at, high) <= 0;
  }
  const [low, high] = [Number(min), Number(max)];
  if (Number.isNaN(low) || Number.isNaN(high)) return true;
  const at = firstFrom(wanted.numbers, (value) => value >= low);
  return at !== undefined && at <= high;
}

/** The first of ascending values that is past a bound. */
function firstFrom<T>(values: readonly T[], isPast: (value: T) => boolean): T | undefined {
  let from = 0;
  let to = values.length;
  while (from < to) {
    const middle = (from + to) >> 1;
    if (isPast(values[middle] as T)) to = middle;
    else from = middle + 1;
  }
  return values[from];
}
