/** Nested columns: every part is checked exactly, a misfit names its path, and what has no field is kept. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KIND } from '../../src/convert/engine/json-scan.ts';
import { nestedCheck } from '../../src/convert/engine/nested-check.ts';
import type { Column, ColumnType } from '../../src/model/column-plan.ts';
import type { Bench, Row } from './records.ts';
import { INT64, STRING, allRows, batchOf, bench, columns, rejectedRows, source, textOf } from './records.ts';

let made: Bench;
beforeAll(async () => {
  made = await bench();
});
afterAll(async () => made.close());

const INT32: ColumnType = { kind: 'int', bits: 32 };
const field = (name: string, type: ColumnType, nullable = true): Column => ({ name, type, nullable });
const struct = (...fields: Column[]): ColumnType => ({ kind: 'struct', fields });
const list = (type: ColumnType, nullable = true): ColumnType => ({ kind: 'list', items: { type, nullable } });
const map = (type: ColumnType, nullable = true): ColumnType => ({ kind: 'map', values: { type, nullable } });

/** The reader at hand tells a null now as null, now as undefined. */
function nulled(value: unknown): unknown {
  if (value === null || value === undefined) return null;
  if (Array.isArray(value)) return value.map(nulled);
  if (typeof value !== 'object' || value instanceof Date) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, nulled(one)]));
}

/** `a.b[].c` of integers, and one more of everything that is rewritten on its way. */
const DEEP = struct(field('b', list(struct(field('c', INT64), field('day', { kind: 'date' })))), field('n', STRING));

async function convert(type: ColumnType, values: readonly string[], misfit: 'reject' | 'extra' = 'reject') {
  const plan = { version: 1, misfit, columns: columns({ id: INT64, a: type }) } as const;
  const given = await made.job({ plan });
  return made.converter.convert(given, source(batchOf(values.map((value, id) => `{"id":${id},"a":${value}}`))));
}

describe('a nested value', () => {
  it('lands with every part as it was, whatever stands between its tokens', async () => {
    const result = await convert(DEEP, [
      '{"b":[{"c":9007199254740993,"day":"2024-02-29"},{"c":1e3,"day":0},{},null],"n":"x"}',
      '{ "b" :\n[ { "c" : 1 , "day":\r\n19782 } , null ] ,\t"n" : null }',
      '{"b":[],"n":"a\\u0000\\"b"}',
      '{"b":null}',
      '{}',
      'null',
      '{"n":"1","n":"2","b":[{"c":1,"c":2}]}',
    ]);
    expect(await rejectedRows(result)).toEqual([]);
    const leap = new Date('2024-02-29');
    expect((await allRows(result)).map(({ a }) => nulled(a))).toEqual([
      {
        b: [{ c: 9007199254740993n, day: leap }, { c: 1000n, day: new Date(0) }, { c: null, day: null }, null],
        n: 'x',
      },
      { b: [{ c: 1n, day: leap }, null], n: null },
      { b: [], n: 'a\0"b' },
      { b: null, n: null },
      { b: null, n: null },
      null,
      { b: [{ c: 2n, day: null }], n: '2' },
    ]);
  });

  it.each<[ColumnType, string, string, string]>([
    [DEEP, '[]', 'wrong-type', 'an object, the value is an array'],
    [DEEP, '{"b":{}}', 'wrong-type', 'a.b takes an array, the value is an object'],
    [DEEP, '{"b":[{"c":1},null,{"c":1},{"c":"1"}]}', 'wrong-type', 'a.b[3].c takes a 64-bit integer'],
    [DEEP, '{"b":[{"c":1.5}]}', 'not-convertible', 'a.b[0].c takes'],
    [DEEP, '{"b":[{"c":9223372036854775808}]}', 'not-convertible', 'a.b[0].c takes'],
    [DEEP, '{"b":[7]}', 'wrong-type', 'a.b[0] takes an object, the value is an integer'],
    [map(list(INT32)), '{"x":[1],"y z":[1,[2]]}', 'wrong-type', 'a["y z"][1] takes a 32-bit integer'],
    [map(INT32, false), '{"x":null}', 'missing-value', 'a["x"] must have a value'],
    [list(INT32, false), '[1,null]', 'missing-value', 'a[1] must have a value'],
    [struct(field('r', struct(field('q', INT32, false)))), '{"r":{}}', 'missing-value', 'a.r.q must have a value'],
    [struct(field('r', { kind: 'time', from: 'ms' })), '{"r":86400000}', 'not-convertible', 'a.r takes'],
  ])('of %j that does not fit names the path: %s', async (type, value, code, reason) => {
    const result = await convert(type, [value, 'null']);
    expect(await rejectedRows(result)).toMatchObject([{ code, column: 'a', reason: expect.stringContaining(reason) }]);
    const kept = await convert(type, [value, 'null'], 'extra');
    expect((await allRows(kept)).map((row) => [nulled(row['a']), row['_extra']])).toEqual([
      [null, `{"a":${value}}`],
      [null, null],
    ]);
  });

  it('keeps what has no field under its path, beside keys spelt like one', async () => {
    const plan = { version: 1, misfit: 'reject', columns: columns({ a: DEEP }) } as const;
    const records = [
      '{"a":{"b":[{"c":1},{"d":1.10,\n"c":2}],"x":{"y":null}},"a.x":"top","z":0}',
      '{"a":{"B":[1]}}',
      '{"a":{"b":[]}}',
    ];
    const result = await made.converter.convert(await made.job({ plan }), source(batchOf(records)));
    const rows = (await allRows(result)) as { a: Row; _extra: string | null }[];
    expect(rows.map(({ _extra }) => _extra && (JSON.parse(_extra) as Row))).toEqual([
      { 'a.x': 'top', z: 0, 'a.b[1].d': 1.1, 'a.x_': { y: null } },
      { 'a.B': [1] },
      null,
    ]);
    expect(rows[0]?._extra).toContain('1.10');
    expect(rows[0]?.a).toMatchObject({ b: [{ c: 1n }, { c: 2n }] });
    expect(result.extraRows).toBe(2);
  });

  it('of a map takes any key, the last of one that is there twice', async () => {
    const result = await convert(map(INT32), ['{"":1,"a\\"b":null,"ü\\n":3}', '{"x":1,"x":2}', '{}', 'null']);
    const rows = (await allRows(result)).map(({ a }) => (a ? Object.entries(nulled(a) as Row) : null));
    expect(rows).toEqual([
      [
        ['', 1],
        ['a"b', null],
        ['ü\n', 3],
      ],
      [['x', 2]],
      [],
      null,
    ]);
  });
});

describe('nested columns in text formats', () => {
  const types = {
    s: struct(
      field('at', { kind: 'timestamp', from: 'ms' }),
      field('local', { kind: 'timestamp', from: 'us', local: true }),
      field('raw', { kind: 'bytes' }),
      field('price', { kind: 'decimal', precision: 6, scale: 2 }),
      field('any', { kind: 'json' }),
    ),
    l: list(list({ kind: 'uuid' })),
    m: map({ kind: 'time', from: 'us' }),
  };
  const uuid = '0190163d-8694-7391-b7ac-4a4b6f0d5e3f';
  const record = {
    s: { at: 1_795_255_200_250, local: 1_795_255_200_250_001, raw: 'AP8/', price: '12.5', any: [1, { x: null }] },
    l: [[uuid, null], [], null],
    m: { a: '10:15', b: 1 },
  };
  const landed = {
    s: {
      at: '2026-11-21T10:00:00.250000Z',
      local: '2026-11-21T10:00:00.250001',
      raw: 'AP8/',
      price: 12.5,
      any: [1, { x: null }],
    },
    l: [[uuid, null], [], null],
    m: { a: '10:15:00', b: '00:00:00.000001' },
  };

  it.each(['csv', 'ndjson'] as const)('are JSON: %s', async (format) => {
    const plan = { version: 1, misfit: 'reject', columns: columns(types) } as const;
    const given = await made.job({ plan, format, compression: 'none' });
    const result = await made.converter.convert(given, source(batchOf([record, {}])));
    expect(await rejectedRows(result)).toEqual([]);
    const text = await textOf(result.files[0]?.local ?? '');
    if (format === 'ndjson') {
      const lines = text.trimEnd().split('\n');
      expect(lines.map((line) => JSON.parse(line) as Row)).toEqual([
        { ...landed, _extra: null },
        { s: null, l: null, m: null, _extra: null },
      ]);
      return;
    }
    const [head, first = '', second] = text.split('\r\n');
    expect([head, second]).toEqual(['s,l,m,_extra', ',,,']);
    const cells = [...first.matchAll(/"((?:[^"]|"")*)"/g)].map(([, cell = '']) => cell.replaceAll('""', '"'));
    expect(cells.map((cell) => JSON.parse(cell) as unknown)).toEqual([landed.s, landed.l, landed.m]);
  });
});

describe('the check of a nested value', () => {
  /** A type, and JSON values that fit it or not. */
  const LEAVES: readonly [ColumnType, fc.Arbitrary<unknown>][] = [
    [INT32, fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })],
    [STRING, fc.string()],
    [{ kind: 'boolean' }, fc.boolean()],
  ];
  const leaves = fc.constantFrom(...LEAVES.map(([type]) => type));
  const types = fc.letrec<{ type: ColumnType; nested: ColumnType }>((tie) => ({
    type: fc.oneof({ maxDepth: 3 }, leaves, tie('nested')),
    nested: fc.oneof(
      tie('type').map((type) => list(type)),
      tie('type').map((type) => map(type)),
      fc
        .uniqueArray(fc.tuple(fc.constantFrom('a', 'b', 'ü"'), tie('type')), {
          selector: ([name]) => name,
          minLength: 1,
        })
        .map((fields) => struct(...fields.map(([name, type]) => field(name, type)))),
    ),
  })).nested;

  /** What should land: null fields left out, unknown keys gone; throws where the value does not fit. */
  function model(type: ColumnType, value: unknown): unknown {
    if (value === null) return null;
    const object = (): [string, unknown][] => {
      if (typeof value !== 'object' || Array.isArray(value)) throw new Error('no object');
      return Object.entries(value);
    };
    switch (type.kind) {
      case 'list':
        if (!Array.isArray(value)) throw new Error('no array');
        return value.map((item) => model(type.items.type, item));
      case 'map':
        return Object.fromEntries(object().map(([key, one]) => [key, model(type.values.type, one)]));
      case 'struct': {
        const given = new Map(object());
        return Object.fromEntries(type.fields.map((one) => [one.name, model(one.type, given.get(one.name) ?? null)]));
      }
      case 'int':
        if (!Number.isInteger(value) || (value as number) !== ((value as number) | 0)) throw new Error('no integer');
        return value === 0 ? 0 : value;
      default:
        if (typeof value !== type.kind) throw new Error(`no ${type.kind}`);
        return value;
    }
  }

  function valueOf(type: ColumnType, gen: fc.GeneratorValue): unknown {
    if (gen(fc.nat, { max: 9 }) === 0) return null;
    if (gen(fc.nat, { max: 30 }) === 0) return gen(fc.jsonValue);
    switch (type.kind) {
      case 'list':
        return Array.from({ length: gen(fc.nat, { max: 3 }) }, () => valueOf(type.items.type, gen));
      case 'map': {
        const keys = gen(() => fc.uniqueArray(fc.constantFrom('', 'k', 'é', '\n'), { maxLength: 3 }));
        return Object.fromEntries(keys.map((key) => [key, valueOf(type.values.type, gen)]));
      }
      case 'struct': {
        const fields = type.fields.filter(() => gen(fc.nat, { max: 4 }) > 0);
        const known = Object.fromEntries(fields.map(({ name, type }) => [name, valueOf(type, gen)]));
        return gen(fc.nat, { max: 5 }) === 0 ? { zz: 1, ...known } : known;
      }
      default:
        return gen(() => LEAVES.find(([leaf]) => leaf.kind === type.kind)?.[1] ?? fc.constant(null));
    }
  }

  it('agrees with a plain model of what fits and what is handed on', () => {
    fc.assert(
      fc.property(types, fc.gen(), fc.constantFrom(undefined, 1), (type, gen, indent) => {
        const value = valueOf(type, gen);
        if (value === null) return;
        const bytes = Buffer.from(JSON.stringify(value, null, indent));
        const kind = Array.isArray(value) ? KIND.array : typeof value === 'object' ? KIND.object : KIND.none;
        if (kind === KIND.none) return;
        const read = nestedCheck(field('v', type))?.read(bytes, 0, bytes.length, kind);
        let expected: unknown;
        try {
          expected = model(type, value);
        } catch {
          expect(read).toMatchObject({ code: expect.stringMatching(/wrong-type|not-convertible/) });
          return;
        }
        expect(typeof read === 'object' ? read : typeof read).toBe(read === undefined ? 'undefined' : 'string');
        const handed: unknown = JSON.parse((read as string | undefined) ?? bytes.toString());
        expect(model(type, handed)).toEqual(expected);
      }),
      { numRuns: 1500 },
    );
  });
});
