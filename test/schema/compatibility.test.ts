import avsc from 'avsc';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { modeProblems, readProblems } from '../../src/schema/compatibility.ts';
import { resolveSchema } from '../../src/schema/resolved-type.ts';
import { schemaChanges } from '../../src/schema/schema-diff.ts';
import { record, schemas, withDefault } from './schema-examples.ts';

const problems = (reader: unknown, writer: unknown): string[] =>
  readProblems(resolveSchema(reader), resolveSchema(writer)).map(({ path, kind }) => `${path} ${kind}`);

function libraryReads(reader: unknown, writer: unknown): boolean {
  const type = (schema: unknown): avsc.Type =>
    avsc.Type.forSchema(schema as avsc.Schema, { wrapUnions: 'always', registry: Object.create(null) });
  try {
    type(reader).createResolver(type(writer));
    return true;
  } catch {
    return false;
  }
}

test('the verdict is that of the Avro library', () => {
  fc.assert(
    fc.property(schemas, schemas, (reader, writer) => {
      expect(problems(reader, writer).length === 0).toBe(libraryReads(reader, writer));
    }),
    { numRuns: 500 },
  );
});

test('every schema reads itself', () => {
  fc.assert(
    fc.property(schemas, (schema) => {
      expect(problems(schema, schema)).toEqual([]);
    }),
  );
});

describe('a problem names its field', () => {
  const before = record({ id: 'long', user: record({ name: 'string', tags: { type: 'array', items: 'int' } }, 'U') });

  test('that lacks a default', () => {
    const user = record({ name: 'string', tags: { type: 'array', items: 'int' }, age: 'int' }, 'U');
    expect(problems(record({ id: 'long', user }), before)).toEqual(['user.age READER_FIELD_MISSING_DEFAULT_VALUE']);
  });

  test('that has another type, inside arrays, maps and unions too', () => {
    const after = (type: unknown): string[] =>
      problems(record({ id: 'int', user: record({ name: 'string', tags: type }, 'U') }), before);
    expect(after({ type: 'array', items: 'string' })).toEqual(['id TYPE_MISMATCH', 'user.tags[] TYPE_MISMATCH']);
    expect(after(['null', { type: 'array', items: 'long' }])).toEqual(['id TYPE_MISMATCH']);
    expect(after(['null', 'string'])).toEqual(['id TYPE_MISMATCH', 'user.tags MISSING_UNION_BRANCH']);
  });

  test('whose enum, fixed or decimal differs', () => {
    const e = (symbols: string[], more = {}): object => ({ type: 'enum', name: 'E', symbols, ...more });
    const f = (size: number): object => ({ type: 'fixed', name: 'F', size });
    const d = (scale: number): object => ({ type: 'bytes', logicalType: 'decimal', precision: 9, scale });
    expect(problems(record({ a: e(['A']) }), record({ a: e(['A', 'B']) }))).toEqual(['a MISSING_ENUM_SYMBOLS']);
    expect(problems(record({ a: e(['A'], { default: 'A' }) }), record({ a: e(['A', 'B']) }))).toEqual([]);
    expect(problems(record({ a: f(4) }), record({ a: f(8) }))).toEqual(['a FIXED_SIZE_MISMATCH']);
    expect(problems(record({ a: d(3) }), record({ a: d(2) }))).toEqual(['a TYPE_MISMATCH']);
  });

  test('of a record that was renamed without an alias', () => {
    expect(problems(record({}, 'New'), record({}, 'Old'))).toEqual([' NAME_MISMATCH']);
    expect(problems({ ...record({}, 'New'), aliases: ['Old'] }, record({}, 'Old'))).toEqual([]);
    expect(problems(record({}, 'a.R'), record({}, 'b.R'))).toEqual([]);
  });
});

test('a renamed field is read through its alias', () => {
  const reader = { type: 'record', name: 'R', fields: [{ name: 'new', aliases: ['old'], type: 'long' }] };
  expect(problems(reader, record({ old: 'int' }))).toEqual([]);
});

test('recursive types are compared once', () => {
  const tree = (value: string): object => ({
    type: 'record',
    name: 'T',
    fields: [
      { name: 'value', type: value },
      { name: 'next', type: ['null', 'T'], default: null },
    ],
  });
  expect(problems(tree('long'), tree('int'))).toEqual([]);
  expect(problems(tree('int'), tree('long'))).toContain('value TYPE_MISMATCH');
});

test('many references to one type take no more time than one', () => {
  const layers = Array.from({ length: 60 }, (_, i) => ({
    type: 'record',
    name: `L${i}`,
    fields: ['a', 'b'].map((name) => ({ name, type: i === 0 ? 'int' : ['null', `L${i - 1}`] })),
  }));
  const schema = { type: 'record', name: 'R', fields: layers.map((type, i) => ({ name: `f${i}`, type })) };
  expect(problems(schema, schema)).toEqual([]);
});

test('modes ask in their direction, and of all versions when they are transitive', () => {
  const [v1, v2, v3] = [
    record({ a: 'int' }),
    record({ a: 'int', b: withDefault('int', 0) }),
    record({ a: 'int', b: 'int' }),
  ].map(resolveSchema);
  if (v1 === undefined || v2 === undefined || v3 === undefined) throw new Error('three schemas');
  const earlier = [
    { version: 1, type: v1 },
    { version: 2, type: v2 },
  ];
  const versions = (mode: Parameters<typeof modeProblems>[0]): number[] =>
    modeProblems(mode, v3, earlier).map(({ version }) => version);
  expect(versions('backward')).toEqual([]);
  expect(versions('backward_transitive')).toEqual([1]);
  expect(versions('full_transitive')).toEqual([1]);
  expect(versions('forward_transitive')).toEqual([]);
  expect(versions('none')).toEqual([]);
});

test('differences are told field by field', () => {
  const from = record({ id: 'int', gone: 'string', user: record({ name: 'string' }, 'U') });
  const to = record({
    id: 'long',
    user: ['null', record({ name: 'string', age: 'int' }, 'U')],
    at: withDefault('int', 0),
  });
  expect(schemaChanges(resolveSchema(from), resolveSchema(to))).toEqual([
    { path: 'gone', change: 'removed', from: 'string' },
    { path: 'id', change: 'type', from: 'int', to: 'long' },
    { path: 'user', change: 'type', from: 'record U', to: 'a union of null, record U' },
    { path: 'user.age', change: 'added', to: 'int' },
    { path: 'at', change: 'added', to: 'int, default 0' },
  ]);
  expect(schemaChanges(resolveSchema(to), resolveSchema(to))).toEqual([]);
});
