import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Column } from '../../src/model/column-plan.ts';
import type { LakewardError } from '../../src/model/errors.ts';
import { leavesOf } from '../../src/model/column-plan.ts';
import { isLakewardError } from '../../src/model/errors.ts';
import { LIMITS } from '../../src/model/limits.ts';
import { planFromAvro } from '../../src/schema/avro-plan.ts';

const record = (...fields: unknown[]) => ({ type: 'record', name: 'R', fields });
const field = (type: unknown, name = 'f') => ({ name, type });
const columnOf = (type: unknown): Omit<Column, 'name'> | undefined => {
  const column = planFromAvro(record(field(type))).columns[0];
  return column && { type: column.type, nullable: column.nullable };
};
const refusal = (avro: unknown): { message: string; field: unknown } => {
  try {
    planFromAvro(avro);
  } catch (error) {
    expect(isLakewardError(error, 'schema-invalid')).toBe(true);
    const { message, details } = error as LakewardError;
    return { message, field: details?.['field'] };
  }
  return expect.fail('the schema was accepted');
};

const E = { type: 'enum', name: 'E', symbols: ['A', 'B'] };
const INT = { kind: 'int', bits: 32 };
const F = { type: 'fixed', name: 'F', size: 8 };

describe('a column', () => {
  test.each([
    ['boolean', { kind: 'boolean' }],
    ['int', { kind: 'int', bits: 32 }],
    ['long', { kind: 'int', bits: 64 }],
    ['float', { kind: 'double' }],
    ['double', { kind: 'double' }],
    ['string', { kind: 'string' }],
    ['bytes', { kind: 'bytes' }],
    [F, { kind: 'bytes' }],
    [E, { kind: 'enum', symbols: ['A', 'B'] }],
    [{ type: 'int', logicalType: 'date' }, { kind: 'date' }],
    [
      { type: 'long', logicalType: 'timestamp-seconds' },
      { kind: 'timestamp', from: 's' },
    ],
    [
      { type: 'long', logicalType: 'timestamp-millis' },
      { kind: 'timestamp', from: 'ms' },
    ],
    [
      { type: 'long', logicalType: 'timestamp-micros' },
      { kind: 'timestamp', from: 'us' },
    ],
    [
      { type: 'long', logicalType: 'local-timestamp-millis' },
      { kind: 'timestamp', from: 'ms', local: true },
    ],
    [
      { type: 'long', logicalType: 'local-timestamp-micros' },
      { kind: 'timestamp', from: 'us', local: true },
    ],
    [
      { type: 'int', logicalType: 'time-millis' },
      { kind: 'time', from: 'ms' },
    ],
    [
      { type: 'long', logicalType: 'time-micros' },
      { kind: 'time', from: 'us' },
    ],
    [
      { type: 'string', logicalType: 'timestamp-iso' },
      { kind: 'timestamp', from: 'iso' },
    ],
    [{ type: 'string', logicalType: 'uuid' }, { kind: 'uuid' }],
    [
      { type: 'bytes', logicalType: 'decimal', precision: 9, scale: 2 },
      { kind: 'decimal', precision: 9, scale: 2 },
    ],
    [
      { ...F, logicalType: 'decimal', precision: 38 },
      { kind: 'decimal', precision: 38, scale: 0 },
    ],
    [record(field('int')), { kind: 'struct', fields: [{ name: 'f', type: INT, nullable: false }] }],
    [
      { type: 'array', items: 'int' },
      { kind: 'list', items: { type: INT, nullable: false } },
    ],
    [
      { type: 'map', values: ['null', 'int'] },
      { kind: 'map', values: { type: INT, nullable: true } },
    ],
    [['string'], { kind: 'string' }],
  ])('of %j is %j', (type, expected) => {
    const named = typeof type === 'object' && 'fields' in type ? { ...type, name: 'Inner' } : type;
    expect(columnOf(named)).toEqual({ type: expected, nullable: false });
    if (Array.isArray(named)) return;
    expect(columnOf(['null', named])).toEqual({ type: expected, nullable: true });
    expect(columnOf([named, 'null'])).toEqual({ type: expected, nullable: true });
  });

  test.each([
    [['int', 'long'], { kind: 'int', bits: 64 }, false],
    [['null', 'int', 'double'], { kind: 'double' }, true],
    [['float', 'long', 'null'], { kind: 'double' }, true],
  ])('of %j holds every number of them', (type, expected, nullable) => {
    expect(columnOf(type)).toEqual({ type: expected, nullable });
  });

  test.each([
    [['null', 'int', 'string'], true],
    [['int', { type: 'long', logicalType: 'timestamp-millis' }], false],
    [['int', 'string'], false],
    ['null', true],
    [['null'], true],
  ])('of %j is JSON, for it may be anything', (type, nullable) => {
    expect(columnOf(type)).toEqual({ type: { kind: 'json' }, nullable });
  });

  test.each([
    [
      { type: 'long', logicalType: 'timestamp-nanos' },
      { kind: 'int', bits: 64 },
    ],
    [{ type: 'string', logicalType: 'date' }, { kind: 'string' }],
    [
      { type: 'int', logicalType: 'timestamp-millis' },
      { kind: 'int', bits: 32 },
    ],
    [{ type: 'string', logicalType: 'toString' }, { kind: 'string' }],
    [{ type: 'fixed', name: 'D', size: 12, logicalType: 'duration' }, { kind: 'bytes' }],
  ])('of %j ignores the logical type, as Avro says', (type, expected) => {
    expect(columnOf(type)).toEqual({ type: expected, nullable: false });
  });

  test('may refer to a type named before, in any namespace', () => {
    const plan = planFromAvro({
      type: 'record',
      name: 'R',
      namespace: 'a.b',
      fields: [
        field(E, 'one'),
        field('E', 'two'),
        field(['null', 'a.b.E'], 'three'),
        field({ type: 'array', items: { ...E, name: 'x.Deep' } }, 'four'),
        field('x.Deep', 'five'),
        field(['null', 'R'], 'six'),
        field({ ...record(field({ ...F, name: 'Inner' })), name: 'y.Sub' }, 'seven'),
        field('y.Inner', 'eight'),
      ],
    });
    const kinds = plan.columns.map(({ type }) => type.kind);
    expect(kinds).toEqual(['enum', 'enum', 'enum', 'list', 'enum', 'json', 'struct', 'bytes']);
  });
});

describe('a nested column', () => {
  const kindOf = (type: unknown): unknown => columnOf(type)?.type.kind;
  const fields = (count: number) => Array.from({ length: count }, (_, i) => field('int', `f${i}`));

  test('resolves names in the namespace of the record around them', () => {
    const inner = { ...record(field({ ...E, name: 'Color' }, 'a'), field('Color', 'b')), name: 'x.Inner' };
    expect(columnOf(inner)?.type).toMatchObject({ fields: [{ type: { kind: 'enum' } }, { type: { kind: 'enum' } }] });
  });

  test('is JSON text where a record lies inside of itself', () => {
    const node = { ...record(field('long', 'value'), field(['null', 'Node'], 'next')), name: 'Node' };
    expect(columnOf(node)?.type).toEqual({
      kind: 'struct',
      fields: [
        { name: 'value', type: { kind: 'int', bits: 64 }, nullable: false },
        { name: 'next', type: { kind: 'json' }, nullable: true },
      ],
    });
  });

  test('is JSON text for a record that no file can hold', () => {
    expect(kindOf({ ...record(), name: 'Empty' })).toBe('json');
    expect(kindOf({ ...record(field('int', 'a'), field('int', 'A')), name: 'Twice' })).toBe('json');
  });

  test('is JSON text beyond a bound of depth', () => {
    let deep: unknown = 'int';
    for (let i = 0; i < 20; i += 1) deep = { type: 'array', items: deep };
    let type = columnOf(deep)?.type;
    let levels = 0;
    for (; type?.kind === 'list'; levels += 1) type = type.items.type;
    expect([levels, type]).toEqual([16, { kind: 'json' }]);
  });

  test('is JSON text when the file would get too many columns, however often a name is repeated', () => {
    const wide = { ...record(...fields(LIMITS.columnsMax - 1)), name: 'Wide' };
    const kinds = planFromAvro(record(field(wide, 'a'), field('Wide', 'b'), field('int', 'c'))).columns.map(
      ({ type }) => type.kind,
    );
    expect(kinds).toEqual(['json', 'json', 'int']);
    let doubling: unknown = 'int';
    for (let i = 0; i < 15; i += 1) {
      doubling = { ...record(field(doubling, 'a'), field(i === 0 ? 'int' : `R${i - 1}`, 'b')), name: `R${i}` };
    }
    expect(leavesOf(planFromAvro(record(field(doubling))).columns)).toBeLessThanOrEqual(LIMITS.columnsMax);
  });
});

test('a plan is the first version, in the order of the fields, and rejects what does not fit', () => {
  const plan = planFromAvro(record(field('int', 'b'), field(['null', 'string'], 'a')));
  expect(plan).toEqual({
    version: 1,
    misfit: 'reject',
    columns: [
      { name: 'b', type: { kind: 'int', bits: 32 }, nullable: false },
      { name: 'a', type: { kind: 'string' }, nullable: true },
    ],
  });
});

describe('a schema is refused', () => {
  test.each([
    [undefined],
    [null],
    ['string'],
    [5],
    [[]],
    [{ type: 'enum', name: 'E', symbols: ['A'] }],
    [{ type: 'record', name: 'R' }],
    [record()],
    [{ type: 'record', name: 'R', fields: 'f' }],
  ])('that is no record with fields: %j', (avro) => {
    expect(refusal(avro).message).toMatch(/record|fields/);
  });

  test.each([
    ['nowhere', 'undefined type name'],
    [{ type: 'enum', name: 'X', symbols: ['A', 'A'] }, 'duplicate'],
    [['int', 'int'], 'duplicate union branch'],
    [[], 'empty union'],
    [{ type: 'array' }, 'a type is'],
    [{ type: 'map', values: [{ type: null }] }, 'a type is'],
    [{ type: 'enum', name: 'X', symbols: 'A' }, 'symbols'],
    [{ type: 'record', name: 'X', fields: [null] }, 'a type is'],
    [{ type: 'fixed', size: 4 }, 'needs a name'],
    [{ type: 'fixed', name: 'X' }, 'size'],
    [{ type: 'bytes', logicalType: 'decimal' }, 'precision from 1 to 38'],
    [{ type: 'bytes', logicalType: 'decimal', precision: 39 }, 'precision from 1 to 38'],
    [{ type: 'bytes', logicalType: 'decimal', precision: 4, scale: 5 }, 'scale'],
  ])('for the type of a field, which is named: %j', (type, reason) => {
    const fields = [field('int', 'a'), field('int', 'b'), field(type, 'culprit'), field('int', 'c'), field('int', 'd')];
    const { message, field: named } = refusal(record(...fields));
    expect(named).toBe('culprit');
    expect(message).toContain("field 'culprit'");
    expect(message).toContain(reason);
  });

  test.each(['', 'a b', '1a', 'a-b', 'a.b', 'é', '_extra', 'ID', 'a'])('for the name of a field: %j', (name) => {
    expect(refusal(record(field('int', 'id'), field('int', 'a'), field('int', name))).field).toBe(name);
  });

  test('for a field without a name, or that is none', () => {
    for (const broken of [{ type: 'int' }, null, 7, 'f']) expect(refusal(record(broken)).message).toContain('name');
  });

  test('past the most fields, and taken at the most', () => {
    const fields = (count: number) => Array.from({ length: count }, (_, i) => field('int', `f${i}`));
    expect(planFromAvro(record(...fields(LIMITS.columnsMax))).columns).toHaveLength(LIMITS.columnsMax);
    expect(refusal(record(...fields(LIMITS.columnsMax + 1))).message).toContain(String(LIMITS.columnsMax));
  });

  test('when it is nested or long beyond reason, with a short message', () => {
    let deep: unknown = 'int';
    for (let i = 0; i < 5_000; i += 1) deep = { type: 'array', items: deep };
    expect(refusal(record(field(deep))).message).toContain('nested');
    expect(refusal({ ...record(field('int')), doc: 'x'.repeat(600_000) }).message).toContain('longer');
    expect(refusal(record(field('x'.repeat(10_000)))).message.length).toBeLessThan(500);
  });
});

test('names out of the prototype are names like others', () => {
  const plan = planFromAvro(record(field('int', 'constructor'), field('string', 'toString')));
  expect(plan.columns.map(({ name }) => name)).toEqual(['constructor', 'toString']);
  expect(refusal(record(field('constructor'))).field).toBe('f');
});

test('any JSON gives a plan or schema-invalid', () => {
  const types = fc.letrec<{ type: unknown }>((tie) => ({
    type: fc.oneof(
      { maxDepth: 3 },
      fc.constantFrom('int', 'string', 'null', 'E', 'array', 'map', 'enum', 'fixed', 'record', 'error', '', null, 7),
      fc.array(tie('type'), { maxLength: 3 }),
      fc.record(
        {
          type: tie('type'),
          name: fc.constantFrom('E', 'x.E', '', 3),
          items: tie('type'),
          values: tie('type'),
          symbols: fc.constantFrom(['A'], [], 'A'),
          fields: fc.array(fc.record({ name: fc.constantFrom('a', 'b', ''), type: tie('type') }), { maxLength: 2 }),
          logicalType: fc.constantFrom('decimal', 'date', 5),
          precision: fc.constantFrom(4, -1, 'x'),
        },
        { requiredKeys: ['type'] },
      ),
    ),
  })).type;
  const schemas = fc.oneof(
    fc.jsonValue(),
    fc.array(types, { maxLength: 4 }).map((list) => record(...list.map((type, i) => field(type, `f${i}`)))),
  );
  fc.assert(
    fc.property(schemas, (avro) => {
      try {
        expect(planFromAvro(avro).columns.length).toBeGreaterThan(0);
      } catch (error) {
        if (!isLakewardError(error, 'schema-invalid')) throw error;
      }
    }),
    { numRuns: 3_000 },
  );
});

describe('the example', () => {
  const plan = (name: string) =>
    planFromAvro(JSON.parse(readFileSync(new URL(`../../schemas/${name}.avsc`, import.meta.url), 'utf8')));

  test('clickstream has 14 columns and its event time as ISO text', () => {
    const { columns } = plan('clickstream');
    expect(columns).toHaveLength(14);
    expect(columns.find(({ name }) => name === 'event_time')?.type).toEqual({ kind: 'timestamp', from: 'iso' });
    expect(columns.filter(({ nullable }) => !nullable).map(({ name }) => name)).toEqual([
      'event_id',
      'event_time',
      'user_id',
      'action',
    ]);
  });

  test('device-metric has its time as milliseconds', () => {
    const { columns } = plan('device-metric');
    expect(columns.map(({ type }) => type.kind)).toEqual(['string', 'timestamp', 'string', 'double', 'string']);
  });
});
