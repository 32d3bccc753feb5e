/**
 * Which keys a conversion put into the extra column, for plans that may grow: how many rows, by what their values were. Bounded in the
 * keys it knows; nulls tell nothing and are not counted.
 */
import type { ExtraKey, ValueFamily } from '../../model/column-plan.ts';
import { isColumnName } from '../../schema/inferred-type.ts';
import { KIND } from './json-scan.ts';
import { familyOf } from './value-family.ts';

export interface ExtraKeys {
  /** A key without a column. */
  unknown(key: string, kind: number, chars: number): void;
  /** A value that does not fit its column. */
  misfit(column: string, kind: number): void;
  /** The most frequent, in the order they were first seen. */
  list(): ExtraKey[];
}

const KNOWN_MAX = 2_000;
const TOLD_MAX = 256;

export function extraKeys(): ExtraKeys {
  const known = new Map<string, Partial<Record<ValueFamily, number>>>();

  function count(key: string, family: ValueFamily | undefined): void {
    if (family === undefined) return;
    let rows = known.get(key);
    if (rows === undefined) {
      if (known.size >= KNOWN_MAX || !isColumnName(key)) return;
      known.set(key, (rows = {}));
    }
    rows[family] = (rows[family] ?? 0) + 1;
  }

  return {
    unknown: (key, kind, chars) => count(key, familyOf(kind, chars)),
    // An integer that fits no long is no reason for a column of doubles, which would round the others.
    misfit: (column, kind) => count(column, familyOf(kind, kind === KIND.integer ? 1 : 0)),
    list: () => {
      const all = [...known].map(([key, rows]) => ({ key, rows }));
      if (all.length <= TOLD_MAX) return all;
      const told = new Set([...all].sort((a, b) => total(b.rows) - total(a.rows)).slice(0, TOLD_MAX));
      return all.filter((one) => told.has(one));
    },
  };
}

function total(rows: ExtraKey['rows']): number {
  return Object.values(rows).reduce((sum, count) => sum + count, 0);
}
