import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Column, ColumnPlan, ColumnType } from '../../src/model/column-plan.ts';
import type { LakewardError } from '../../src/model/errors.ts';
import { LIMITS } from '../../src/model/limits.ts';
import { mergePlans } from '../../src/schema/plan-merge.ts';

const INT: ColumnType = { kind: 'int', bits: 32 };
const LONG: ColumnType = { kind: 'int', bits: 64 };
const DOUBLE: ColumnType = { kind: 'double' };
const STRING: ColumnType = { kind: 'string' };
const JSON_TEXT: ColumnType = { kind: 'json' };
const UUID: ColumnType = { kind: 'uuid' };
const col = (name: string, type: ColumnType = LONG, nullable = false): Column => ({ name, type, nullable });
const plan = (...columns: Column[]): ColumnPlan => ({ version: 4, columns, misfit: 'reject' });
const struct = (...fields: Column[]): ColumnType => ({ kind: 'struct', fields });
const list = (type: ColumnType): ColumnType => ({ kind: 'list', items: { type, nullable: false } });
const map = (type: ColumnType): ColumnType => ({ kind: 'map', values: { type, nullable: false } });
const oneOf = (...symbols: string[]): ColumnType => ({ kind: 'enum', symbols });
const decimal = (precision: number, scale: number): ColumnType => ({ kind: 'decimal', precision, scale });
const merged = (older: ColumnType, newer: ColumnType): ColumnType | undefined =>
  mergePlans(plan(col('c', older)), plan(col('c', newer))).columns[0]?.type;
const refusal = (older: ColumnPlan, newer: ColumnPlan): LakewardError => {
  try {
    mergePlans(older, newer);
  } catch (error) {
    expect(error).toMatchObject({ code: 'schema-invalid' });
    return error as LakewardError;
  }
  return expect.fail('the plans were merged');
};

describe('columns', () => {
  test('stay in their order, new ones come after them and may be null', () => {
    expect(mergePlans(plan(col('a'), col('b', STRING)), plan(col('n'), col('b', STRING), col('a')))).toEqual({
      version: 5,
      misfit: 'reject',
      columns: [col('a'), col('b', STRING), col('n', LONG, true)],
    });
  });

  test('that the newer plan has no longer stay, and may be null', () => {
    expect(mergePlans(plan(col('a'), col('b')), plan(col('b'))).columns).toEqual([col('a', LONG, true), col('b')]);
  });

  test('that may be null once may be null for good', () => {
    expect(mergePlans(plan(col('a', LONG, true)), plan(col('a'))).columns).toEqual([col('a', LONG, true)]);
    expect(mergePlans(plan(col('a')), plan(col('a', LONG, true))).columns).toEqual([col('a', LONG, true)]);
  });

  test('that all are there already give the older plan itself', () => {
    const older = plan(col('a', LONG, true), col('b', DOUBLE));
    expect(mergePlans(older, plan(col('b', INT), col('a')))).toBe(older);
  });

  test('whose names differ in case only are refused, nested ones too', () => {
    expect(refusal(plan(col('id')), plan(col('id'), col('ID'))).details).toEqual({ field: 'ID' });
    const older = plan(col('s', list(struct(col('x')))));
    expect(refusal(older, plan(col('s', list(struct(col('X')))))).details).toEqual({ field: 's[].X' });
  });

  test('are refused past the most columns', () => {
    const many = (from: number): Column[] => Array.from({ length: LIMITS.columnsMax }, (_, i) => col(`c${from + i}`));
    expect(refusal(plan(...many(0)), plan(...many(1))).message).toContain(String(LIMITS.columnsMax + 1));
  });
});

describe('a type', () => {
  test.each([
    [INT, LONG, LONG],
    [INT, DOUBLE, DOUBLE],
    [LONG, DOUBLE, DOUBLE],
    [oneOf('a', 'b'), oneOf('c', 'a'), oneOf('a', 'b', 'c')],
    [oneOf('a'), STRING, STRING],
    [
      struct(col('x', INT), col('y')),
      struct(col('z'), col('x')),
      struct(col('x'), col('y', LONG, true), col('z', LONG, true)),
    ],
    [list(INT), list(DOUBLE), list(DOUBLE)],
    [map(struct(col('x'))), map(struct(col('y'))), map(struct(col('x', LONG, true), col('y', LONG, true)))],
  ])('%j with %j widens to %j', (older, newer, type) => {
    expect(merged(older, newer)).toEqual(type);
  });

  test.each([
    [LONG, INT],
    [DOUBLE, LONG],
    [STRING, oneOf('a')],
    [STRING, UUID],
    [JSON_TEXT, struct(col('x'))],
    [JSON_TEXT, LONG],
    [decimal(9, 2), decimal(6, 2)],
    [INT, { kind: 'time', from: 'ms' }],
    [
      { kind: 'timestamp', from: 'ms' },
      { kind: 'timestamp', from: 'ms', local: true },
    ],
  ] as [ColumnType, ColumnType][])('%j takes the values of %j and stays', (older, newer) => {
    expect(merged(older, newer)).toBe(older);
  });

  test.each<[ColumnType, ColumnType]>([
    [LONG, STRING],
    [STRING, LONG],
    [DOUBLE, decimal(6, 2)],
    [decimal(6, 2), decimal(9, 2)],
    [decimal(6, 2), decimal(6, 3)],
    [UUID, STRING],
    [struct(col('x')), map(LONG)],
    [struct(col('x')), JSON_TEXT],
    [list(LONG), LONG],
    [LONG, { kind: 'timestamp', from: 'ms' }],
    [
      { kind: 'timestamp', from: 'ms' },
      { kind: 'timestamp', from: 'us' },
    ],
    [
      { kind: 'timestamp', from: 'ms', local: true },
      { kind: 'timestamp', from: 'ms' },
    ],
    [
      { kind: 'time', from: 'ms' },
      { kind: 'time', from: 'us' },
    ],
  ])('%j never becomes %j: refused with the column', (older, newer) => {
    const { message, details } = refusal(plan(col('c', older)), plan(col('c', newer)));
    expect(details).toEqual({ field: 'c' });
    expect(message).toContain("column 'c' cannot follow");
  });

  test('deep inside is refused with its path', () => {
    const of = (type: ColumnType): ColumnPlan => plan(col('a', struct(col('b', list(map(struct(col('c', type))))))));
    expect(refusal(of(LONG), of(STRING)).details).toEqual({ field: 'a.b[]{}.c' });
  });
});

const types = fc.letrec<{ type: ColumnType; columns: Column[] }>((tie) => ({
  type: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom(INT, LONG, DOUBLE, STRING, JSON_TEXT, UUID, oneOf('a'), oneOf('b', 'a')),
    tie('type').map(list),
    tie('type').map(map),
    tie('columns').map((fields) => struct(...fields)),
  ),
  columns: fc.uniqueArray(
    fc.record({ name: fc.constantFrom('a', 'b', 'c'), type: tie('type'), nullable: fc.boolean() }),
    { selector: ({ name }) => name, minLength: 1 },
  ),
}));

test('a merged plan follows both again without a change, and has every column of both', () => {
  const plans = types.columns.map((columns) => plan(...columns));
  fc.assert(
    fc.property(plans, plans, (older, newer) => {
      let both: ColumnPlan;
      try {
        both = mergePlans(older, newer);
      } catch (error) {
        expect(error).toMatchObject({ code: 'schema-invalid' });
        return;
      }
      expect(mergePlans(both, older)).toBe(both);
      expect(mergePlans(both, newer)).toBe(both);
      const names = new Set(both.columns.map(({ name }) => name));
      for (const { name } of [...older.columns, ...newer.columns]) expect(names).toContain(name);
    }),
  );
});
