/**
 * When an inferred plan grows: a key that enough of the rows landed had in `_extra` becomes a column, a column of whole numbers one of
 * doubles when enough of its values have fractions. Counts what landings told since the worker began; they are advice, and lost
 * with the worker. So that plans do not change all the time, few rows prove nothing, and all that pays comes in one version.
 */
import type { Column, ColumnPlan, ExtraKey, ValueFamily } from '../model/column-plan.ts';
import { LIMITS } from '../model/limits.ts';
import { inferredType } from '../schema/inferred-type.ts';
import { mergePlans } from '../schema/plan-merge.ts';

export interface PlanGrowth {
  /** Counts what a committed landing put into `_extra`. */
  landed(landing: { readonly rows: number; readonly extraKeys?: readonly ExtraKey[] }): void;
  /** The plan with what pays by now, or the plan itself. */
  grown(plan: ColumnPlan): ColumnPlan;
}

/** Fewer rows say nothing. */
const ROWS_MIN = 100;
/** A key pays as a column when so many rows have it, and this share of all. */
const PAYS_ROWS = 10;
const PAYS_SHARE = 0.01;
/** Beyond so many rows, older ones count half. */
const ROWS_REMEMBERED = 1_000_000;
const KEYS_REMEMBERED = 1_000;

export function planGrowth(): PlanGrowth {
  const keys = new Map<string, Map<ValueFamily, number>>();
  let rows = 0;

  function halve(): void {
    rows /= 2;
    for (const families of keys.values()) for (const [family, count] of families) families.set(family, count / 2);
  }

  function forgetRarest(): void {
    const byCount = [...keys].sort(([, a], [, b]) => total(a) - total(b));
    for (const [key] of byCount.slice(0, keys.size - KEYS_REMEMBERED)) keys.delete(key);
  }

  function pays(count: number): boolean {
    return rows >= ROWS_MIN && count >= PAYS_ROWS && count >= rows * PAYS_SHARE;
  }

  return {
    landed({ rows: more, extraKeys }) {
      if (extraKeys === undefined) return;
      rows += more;
      for (const { key, rows: told } of extraKeys) {
        const families = keys.get(key) ?? new Map<ValueFamily, number>();
        keys.set(key, families);
        for (const [family, count] of Object.entries(told) as [ValueFamily, number][]) {
          families.set(family, (families.get(family) ?? 0) + count);
        }
      }
      if (keys.size > KEYS_REMEMBERED) forgetRarest();
      if (rows > ROWS_REMEMBERED) halve();
    },
    grown(plan) {
      const names = new Set(plan.columns.map(({ name }) => name.toLowerCase()));
      const wanted = plan.columns.map((column): Column => {
        const fractions = keys.get(column.name)?.get('double') ?? 0;
        return column.type.kind === 'int' && pays(fractions) ? { ...column, type: { kind: 'double' } } : column;
      });
      for (const [name, families] of keys) {
        if (wanted.length >= LIMITS.columnsInferredMax) break;
        if (names.has(name.toLowerCase()) || !pays(total(families))) continue;
        names.add(name.toLowerCase());
        wanted.push({ name, type: inferredType(families), nullable: true });
      }
      return mergePlans(plan, { ...plan, columns: wanted });
    },
  };
}

function total(families: ReadonlyMap<ValueFamily, number>): number {
  return [...families.values()].reduce((sum, count) => sum + count, 0);
}
