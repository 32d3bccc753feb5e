import { describe, expect, test } from 'vitest';
import { planGrowth } from '../../src/delivery/plan-growth.ts';
import type { Column, ColumnPlan, ColumnType, ExtraKey } from '../../src/model/column-plan.ts';
import { LIMITS } from '../../src/model/limits.ts';

const INT64: ColumnType = { kind: 'int', bits: 64 };
const DOUBLE: ColumnType = { kind: 'double' };
const STRING: ColumnType = { kind: 'string' };
const col = (name: string, type: ColumnType): Column => ({ name, type, nullable: true });
const plan = (...columns: Column[]): ColumnPlan => ({ version: 3, columns, misfit: 'extra' });
const key = (name: string, rows: ExtraKey['rows']): ExtraKey => ({ key: name, rows });
const after = (rows: number, ...extraKeys: ExtraKey[]) => {
  const growth = planGrowth();
  growth.landed({ rows, extraKeys });
  return growth;
};

describe('a key met in the extra column', () => {
  const known = plan(col('id', INT64));

  test.each([
    [{ integer: 90 }, INT64],
    [{ integer: 90, double: 1 }, DOUBLE],
    [{ string: 60, integer: 30 }, STRING],
    [{ boolean: 50 }, { kind: 'boolean' }],
    [{ nested: 50 }, { kind: 'json' }],
  ] as [ExtraKey['rows'], ColumnType][])('with %j becomes a column %j, in the next version', (rows, type) => {
    expect(after(1000, key('n', rows)).grown(known)).toEqual({ ...plan(col('id', INT64), col('n', type)), version: 4 });
  });

  test.each([
    ['in too few of the rows', 10_000, 99],
    ['too seldom', 200, 9],
    ['while few rows have landed', 99, 99],
  ])('stays there %s', (_, rows, count) => {
    expect(after(rows, key('n', { string: count })).grown(known)).toBe(known);
  });

  test('counts over many small landings', () => {
    const growth = planGrowth();
    for (let i = 0; i < 19; i += 1) growth.landed({ rows: 5, extraKeys: [key('n', { string: 2 })] });
    expect(growth.grown(known)).toBe(known);
    growth.landed({ rows: 5, extraKeys: [key('n', { string: 2 })] });
    expect(growth.grown(known).columns).toHaveLength(2);
  });

  test('is no column when one differs from it in case only', () => {
    const growth = after(100, key('ID', { string: 50 }), key('Name', { string: 50 }), key('name', { string: 50 }));
    expect(growth.grown(known).columns.map(({ name }) => name)).toEqual(['id', 'Name']);
  });

  test('of nulls is nothing', () => {
    expect(after(1000, key('n', {})).grown(known)).toBe(known);
  });
});

describe('a column of whole numbers', () => {
  test('becomes one of doubles when enough values have fractions, and only then', () => {
    const known = plan(col('n', INT64), col('s', STRING));
    expect(after(1000, key('n', { double: 10 })).grown(known).columns[0]).toEqual(col('n', DOUBLE));
    expect(after(1000, key('n', { double: 9 })).grown(known)).toBe(known);
    expect(after(1000, key('n', { string: 900, integer: 90 }), key('s', { integer: 900 })).grown(known)).toBe(known);
  });
});

test('a plan does not change again without a new reason, and not beyond the most columns', () => {
  const keys = Array.from({ length: LIMITS.columnsInferredMax + 50 }, (_, i) => key(`k${i}`, { integer: 100 }));
  const growth = after(1000, ...keys);
  const grown = growth.grown(plan(col('id', INT64)));
  expect(grown.columns).toHaveLength(LIMITS.columnsInferredMax);
  growth.landed({ rows: 1000, extraKeys: keys });
  expect(growth.grown(grown)).toBe(grown);
});

test('what was met long ago counts less and less', () => {
  const growth = planGrowth();
  const known = plan(col('id', INT64));
  growth.landed({ rows: 100_000, extraKeys: [key('old', { string: 20_000 })] });
  for (let i = 0; i < 10; i += 1) growth.landed({ rows: 900_000, extraKeys: [] });
  expect(growth.grown(known)).toBe(known);
});
