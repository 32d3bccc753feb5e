import parquet from 'parquetjs-lite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ColumnType } from '../../src/model/column-plan.ts';
import type { Bench, Row } from './records.ts';
import {
  INT64,
  STRING,
  allRows,
  batchOf,
  bench,
  columns,
  parquetRows,
  rejectedRows,
  source,
  textOf,
} from './records.ts';

let made: Bench;
beforeAll(async () => {
  made = await bench();
});
afterAll(async () => made.close());

const INT32: ColumnType = { kind: 'int', bits: 32 };
const DOUBLE: ColumnType = { kind: 'double' };
const DECIMAL: ColumnType = { kind: 'decimal', precision: 6, scale: 2 };
const ENUM: ColumnType = { kind: 'enum', symbols: ["it's", 'b"c', '; DROP TABLE x'] };
const ISO: ColumnType = { kind: 'timestamp', from: 'iso' };
const EPOCH_S: ColumnType = { kind: 'timestamp', from: 's' };
const EPOCH_MS: ColumnType = { kind: 'timestamp', from: 'ms' };
const EPOCH_US: ColumnType = { kind: 'timestamp', from: 'us' };
const time = new Date('2026-11-21T10:00:00.250Z');

/** Column type, JSON value, value in the file. */
const GOOD: readonly [ColumnType, string, unknown][] = [
  [{ kind: 'boolean' }, 'true', true],
  [INT32, '-2147483648', -2147483648],
  [INT32, '7.0', 7],
  [INT32, '-0', 0],
  [INT64, '9223372036854775807', 9223372036854775807n],
  [INT64, '-9223372036854775808', -9223372036854775808n],
  [INT64, '9007199254740993', 9007199254740993n],
  [INT64, '1e3', 1000n],
  [DOUBLE, '5', 5],
  [DOUBLE, '1e308', 1e308],
  [DOUBLE, '0.1', 0.1],
  [DOUBLE, '123456789012345678901234567890', 1.2345678901234568e29],
  [STRING, '"a\\u0000b\\n\\ud83d\\ude00\\"ü"', 'a\0b\n😀"ü'],
  [STRING, '"\u2028 \u001f"'.replace('\u001f', '\\u001f'), '\u2028 \u001f'],
  [{ kind: 'bytes' }, '"AP8\\/"', Uint8Array.of(0, 255, 63)],
  [ISO, '"2026-11-21T10:00:00.25Z"', time],
  [ISO, '"2026-11-21T12:00:00.250+02:00"', time],
  [ISO, '"2026-11-21 09:30:00.250123456 -0030"', time],
  [EPOCH_S, '1795255200.25', time],
  [EPOCH_MS, '1795255200250', time],
  [EPOCH_US, '1795255200250000', time],
  [{ kind: 'date' }, '"2024-02-29"', new Date('2024-02-29T00:00:00Z')],
  [{ kind: 'date' }, '19782', new Date('2024-02-29T00:00:00Z')],
  [DECIMAL, '"-1234.5"', -1234.5],
  [DECIMAL, '0.1', 0.1],
  [DECIMAL, '"0001.2300"', 1.23],
  [{ kind: 'uuid' }, '"0190163d-8694-7391-B7AC-4A4B6F0d5e3f"', '0190163d-8694-7391-b7ac-4a4b6f0d5e3f'],
  [ENUM, '"it\'s"', "it's"],
  [ENUM, '"b\\"c"', 'b"c'],
  [{ kind: 'json' }, '{"a": [1, null]}', '{"a":[1,null]}'],
  [{ kind: 'json' }, '"text"', '"text"'],
];

const BAD: readonly [ColumnType, string, string][] = [
  [{ kind: 'boolean' }, '"true"', 'wrong-type'],
  [{ kind: 'boolean' }, '1', 'wrong-type'],
  [INT32, '2147483648', 'not-convertible'],
  [INT32, '1.5', 'not-convertible'],
  [INT32, '"5"', 'wrong-type'],
  [INT32, 'true', 'wrong-type'],
  [INT64, '9223372036854775808', 'not-convertible'],
  [INT64, '1e400', 'not-convertible'],
  [DOUBLE, '1e400', 'not-convertible'],
  [DOUBLE, '"1"', 'wrong-type'],
  [DOUBLE, 'NaN', 'not-json'],
  [DOUBLE, '-Infinity', 'not-json'],
  [DOUBLE, '01', 'not-json'],
  [STRING, '5', 'wrong-type'],
  [STRING, '{"a":1}', 'wrong-type'],
  [STRING, '"\\ud800"', 'not-json'],
  [{ kind: 'bytes' }, '"A"', 'not-convertible'],
  [{ kind: 'bytes' }, '"!!!!"', 'not-convertible'],
  [ISO, '"yesterday"', 'not-convertible'],
  [ISO, '"2026-02-30T00:00:00Z"', 'not-convertible'],
  [ISO, '1795255200', 'wrong-type'],
  [EPOCH_S, '"1795255200"', 'wrong-type'],
  [EPOCH_S, '1795255200250000', 'not-convertible'],
  [EPOCH_US, '1.5', 'not-convertible'],
  [{ kind: 'date' }, '"2026-02-29"', 'not-convertible'],
  [DECIMAL, '"12345.6"', 'not-convertible'],
  [DECIMAL, '"1.234"', 'not-convertible'],
  [DECIMAL, '"."', 'not-convertible'],
  [{ kind: 'uuid' }, '"0190163d"', 'not-convertible'],
  [ENUM, '"x"', 'not-convertible'],
];

describe('values', () => {
  it('of every type come out as they went in', async () => {
    const types = Object.fromEntries(GOOD.map(([type], i) => [`c${i}`, type]));
    const given = await made.job({ plan: { version: 1, misfit: 'reject', columns: columns(types) } });
    const record = `{${GOOD.map(([, json], i) => `"c${i}":${json}`).join(',')}}`;
    const nulls = `{${GOOD.map((_, i) => `"c${i}":null`).join(',')}}`;
    const result = await made.converter.convert(given, source(batchOf([record, nulls, '{}'])));
    expect(await rejectedRows(result)).toEqual([]);
    const [row, ...empty] = (await allRows(result)) as [Row, ...Row[]];
    for (const [i, [type, json, value]] of GOOD.entries())
      expect([type, json, row[`c${i}`]]).toEqual([type, json, value]);
    for (const other of empty)
      expect(Object.values(other).every((value) => value === null || value === undefined)).toBe(true);
  });

  it('that do not fit are rejected with code and column, or kept aside', async () => {
    for (const misfit of ['reject', 'extra'] as const) {
      const types = Object.fromEntries(BAD.map(([type], i) => [`c${i}`, type]));
      const given = await made.job({ plan: { version: 1, misfit, columns: columns(types) } });
      const result = await made.converter.convert(
        given,
        source(batchOf(BAD.map(([, json], i) => `{"c${i}":${json}}`))),
      );
      const rejected = new Map((await rejectedRows(result)).map((row) => [row.offset, row]));
      const rows = await allRows(result);
      expect(rows.length + rejected.size).toBe(BAD.length);
      let next = 0;
      for (const [i, [type, json, code]] of BAD.entries()) {
        if (misfit === 'reject' || code === 'not-json') {
          expect([type, json, rejected.get(i)?.code]).toEqual([type, json, code]);
          expect(rejected.get(i)?.column).toBe(code === 'not-json' ? null : `c${i}`);
        } else {
          expect(rows[next++]).toMatchObject({ _extra: `{"c${i}":${json}}` });
        }
      }
    }
  });

  it('without a column go to the extra column, and a missing value is named', async () => {
    const plan = { version: 1, misfit: 'reject', columns: columns({ id: INT64 }, false) } as const;
    const records = [
      '{"id":1,"a":1.10,"b":{"c":[9007199254740993]}}',
      '{"id":2}',
      '{"a":1}',
      '{"id":null}',
      '{"id":3,"id":4,"x":1,"x":2}',
    ];
    const result = await made.converter.convert(await made.job({ plan }), source(batchOf(records)));
    expect(await allRows(result)).toEqual([
      { id: 1n, _extra: '{"a":1.10,"b":{"c":[9007199254740993]}}' },
      { id: 2n, _extra: null },
      { id: 4n, _extra: '{"x":2}' },
    ]);
    expect(result.extraRows).toBe(2);
    expect(result.rejected?.reasons).toEqual([{ code: 'missing-value', column: 'id', rows: 2 }]);
  });
});

describe('formats', () => {
  const plan = {
    version: 1,
    misfit: 'extra',
    columns: columns({ id: INT64, note: STRING, at: ISO, list: { kind: 'json' } }),
  } as const;
  const records = [
    { id: 1, note: 'a,"b"\nc', at: '2026-11-21T10:00:00Z', list: [1, 2], more: true },
    { id: 2, note: '' },
    { id: 3 },
  ];

  it.each(['zstd', 'snappy', 'gzip'] as const)(
    'parquet with %s is read by other readers, with statistics',
    async (compression) => {
      const result = await made.converter.convert(await made.job({ plan, compression }), source(batchOf(records)));
      const file = result.files[0] ?? expect.fail('no file');
      expect((await parquetRows(file.local)).map(({ id, note }) => [id, note])).toEqual([
        [1n, 'a,"b"\nc'],
        [2n, ''],
        [3n, null],
      ]);
      expect(file.columns).toContainEqual({ column: 'id', nulls: 0, min: '1', max: '3' });
      if (compression === 'zstd') return;
      const reader = await parquet.ParquetReader.openFile(file.local);
      const row = (await reader.getCursor().next()) as Row;
      expect([Number(row['id']), String(row['note'])]).toEqual([1, 'a,"b"\nc']);
      await reader.close();
    },
  );

  it.each(['none', 'gzip'] as const)('CSV (%s) follows RFC 4180, also in its line ends', async (compression) => {
    const result = await made.converter.convert(
      await made.job({ plan, format: 'csv', compression }),
      source(batchOf(records)),
    );
    expect(result.files[0]).toMatchObject({ rows: 3, columns: [] });
    expect(await textOf(result.files[0]?.local ?? '')).toBe(
      [
        'id,note,at,list,_extra',
        '1,"a,""b""\nc",2026-11-21T10:00:00.000000Z,"[1,2]","{""more"":true}"',
        '2,"",,,',
        '3,,,,',
        '',
      ].join('\r\n'),
    );
  });

  it('CSV quotes every text that holds a character of its own', async () => {
    const plan = { version: 1, misfit: 'reject', columns: columns({ id: INT64, note: STRING }) } as const;
    const notes = ['a\rb', 'a\nb', 'a\r\nb', 'a"b', 'a,b'];
    const result = await made.converter.convert(
      await made.job({ plan, format: 'csv', compression: 'none' }),
      source(batchOf(notes.map((note, id) => ({ id, note })))),
    );
    expect(await textOf(result.files[0]?.local ?? '')).toBe(
      ['id,note,_extra', ...notes.map((note, id) => `${id},"${note.replaceAll('"', '""')}",`), ''].join('\r\n'),
    );
  });

  it.each(['none', 'gzip'] as const)('NDJSON (%s) keeps nested values', async (compression) => {
    const result = await made.converter.convert(
      await made.job({ plan, format: 'ndjson', compression }),
      source(batchOf(records)),
    );
    const lines = (await textOf(result.files[0]?.local ?? '')).trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line) as Row)).toEqual([
      { id: 1, note: 'a,"b"\nc', at: '2026-11-21T10:00:00.000000Z', list: [1, 2], _extra: { more: true } },
      { id: 2, note: '', at: null, list: null, _extra: null },
      { id: 3, note: null, at: null, list: null, _extra: null },
    ]);
  });

  it.each(['parquet', 'csv', 'ndjson'] as const)('%s lands many partitions, one file each', async (format) => {
    const many = Array.from({ length: 1500 }, (_, id) => ({ id, note: `n${id % 700}` }));
    const compression = format === 'parquet' ? 'zstd' : 'none';
    const given = await made.job({ plan, format, compression, layout: 'note={note}/' });
    const result = await made.converter.convert(given, source(batchOf(many)));
    expect(result.files).toHaveLength(700);
    expect(new Set(result.files.map(({ partition }) => partition)).size).toBe(700);
    expect(result.files.reduce((sum, { rows }) => sum + rows, 0)).toBe(1500);
  });
});
