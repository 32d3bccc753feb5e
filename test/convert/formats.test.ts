/** Raw files, codecs of text files, and the guard against formulas. */
import { readFile } from 'node:fs/promises';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { queryFiles } from '../../src/convert/query.ts';
import type { ConvertResult } from '../../src/ports/converter.ts';
import type { Bench } from './records.ts';
import { ARRIVAL_MS, INT64, STRING, batchOf, bench, columns, rejectedRows, source } from './records.ts';

let made: Bench;
beforeAll(async () => {
  made = await bench();
});
afterAll(() => made.close());

const NO_COLUMNS = { version: 0, columns: [], misfit: 'extra' } as const;
const BYTES = [
  Buffer.from([0xff, 0x00, 0x0a, 0xfe]),
  Buffer.from('plain text'),
  Buffer.alloc(0),
  Buffer.from('{"a":1}'),
];

async function bytesByPartition(result: ConvertResult): Promise<Record<string, string>> {
  const read = async (local: string) => (await readFile(local)).toString('latin1');
  return Object.fromEntries(await Promise.all(result.files.map(async (f) => [f.partition, await read(f.local)])));
}

describe('raw', () => {
  it('lands any bytes as they came, in order', async () => {
    const given = await made.job({ plan: NO_COLUMNS, format: 'raw', compression: 'none', layout: 'h={HH}' });
    const result = await made.converter.convert(
      given,
      source(batchOf(BYTES.slice(0, 2)), batchOf(BYTES.slice(2), 0, 2)),
    );
    expect(result).toMatchObject({ rows: 4, rejected: undefined, extraRows: 0 });
    expect(result.files).toMatchObject([
      { partition: 'h=12', rows: 4, bytes: 21, eventMinMs: ARRIVAL_MS, eventMaxMs: ARRIVAL_MS, columns: [] },
    ]);
    expect(await readFile(result.files[0]?.local ?? '')).toEqual(Buffer.concat(BYTES));
    expect([...result.eventHighMs]).toEqual([[0, ARRIVAL_MS]]);
  });

  it.each([
    ['none', (bytes: Buffer) => bytes],
    ['gzip', (bytes: Buffer) => gunzipSync(bytes)],
    ['zstd', (bytes: Buffer) => zstdDecompressSync(bytes)],
  ] as const)('puts the separator behind each record, %s', async (compression, open) => {
    const given = await made.job({ plan: NO_COLUMNS, format: 'raw', compression, separator: '\r\n' });
    const result = await made.converter.convert(given, source(batchOf(BYTES)));
    const bytes = await readFile(result.files[0]?.local ?? '');
    expect(open(bytes)).toEqual(Buffer.concat(BYTES.flatMap((one) => [one, Buffer.from('\r\n')])));
    expect(result.files[0]?.bytes).toBe(bytes.length);
  });

  it('keeps every record whole and in the order of its partition, whatever its size', async () => {
    const record = fc.record({ to: fc.integer({ min: 0, max: 2 }), size: fc.integer({ min: 0, max: 3_000_000 }) });
    await fc.assert(
      fc.asyncProperty(fc.array(record, { minLength: 1, maxLength: 12 }), async (records) => {
        const texts = records.map(({ to, size }, n) => JSON.stringify({ to, n, fill: 'x'.repeat(size) }));
        const given = await made.job({
          plan: NO_COLUMNS,
          format: 'raw',
          compression: 'none',
          layout: '{to}',
          separator: '|',
        });
        const result = await made.converter.convert(given, source(batchOf(texts)));
        const wanted: Record<string, string> = {};
        for (const [n, { to }] of records.entries()) wanted[to] = `${wanted[to] ?? ''}${texts[n]}|`;
        expect(await bytesByPartition(result)).toEqual(wanted);
      }),
      { numRuns: 10 },
    );
  });

  it('reads a record only for its place, and rejects only what has none', async () => {
    const given = await made.job({
      plan: NO_COLUMNS,
      format: 'raw',
      compression: 'none',
      layout: 'k={k}',
      eventTime: { from: 'field', field: 'at', form: 'iso' },
    });
    const at = '"at":"2026-11-21T10:00:00Z"';
    const good = [`{"k":"a", ${at}, "n": 1.50}`, `{"k":"b",${at}}`, `  {"k":"a",${at}}`, `{${at}}`];
    const bad = ['text', Buffer.from([0xff]), '{"k":"a"}', '{"k":[1],"at":"2026-11-21T10:00:00Z"}'];
    const result = await made.converter.convert(given, source(batchOf([...good, ...bad])));
    expect(await bytesByPartition(result)).toEqual({
      'k=a': `${good[0]}${good[2]}`,
      'k=b': good[1],
      'k=__HIVE_DEFAULT_PARTITION__': good[3],
    });
    expect((await rejectedRows(result)).map(({ code, offset }) => [code, offset])).toEqual([
      ['not-json', 4],
      ['not-utf8', 5],
      ['event-time-missing', 6],
      ['partition-value-invalid', 7],
    ]);
  });

  it('lands many partitions, one file each', async () => {
    const many = Array.from({ length: 1500 }, (_, id) => ({ id, note: `n${id % 700}` }));
    const given = await made.job({ plan: NO_COLUMNS, format: 'raw', compression: 'gzip', layout: '{note}' });
    const result = await made.converter.convert(given, source(batchOf(many)));
    expect(result.files).toHaveLength(700);
    expect(result.files.reduce((sum, { rows }) => sum + rows, 0)).toBe(1500);
  });
});

describe('text files in zstd', () => {
  it.each(['csv', 'ndjson'] as const)('%s is read back by its extension', async (format) => {
    const plan = { version: 1, misfit: 'reject', columns: columns({ id: INT64, note: STRING }) } as const;
    const records = Array.from({ length: 5000 }, (_, id) => ({ id, note: `note ${id % 9}` }));
    const result = await made.converter.convert(
      await made.job({ plan, format, compression: 'zstd' }),
      source(batchOf(records)),
    );
    const local = result.files[0]?.local ?? '';
    expect((await readFile(local)).readUInt32LE()).toBe(0xfd2fb528);
    const reader = format === 'csv' ? 'read_csv' : 'read_json';
    const rows = await queryFiles(
      `SELECT id::INT AS id, note FROM ${reader}('${local}', compression = 'zstd') ORDER BY 1`,
    );
    expect(rows).toEqual(records);
  });
});

describe('the formula guard', () => {
  const plan = {
    version: 1,
    misfit: 'reject',
    columns: columns({ id: INT64, '=n': STRING, x: { kind: 'double' }, j: { kind: 'json' }, b: { kind: 'bytes' } }),
  } as const;
  const texts = ['=1+1', '+1', '-5', '@a', '\ttab', '\rcr', '\nlf', 'a=b', ' =1', '', "'=1", '1-2', '–5'];
  const records = texts.map((text, id) => ({ id, '=n': text, x: -id / 2, j: -5, b: '+AAA', '=extra': '=2' }));
  const read = async (result: ConvertResult) =>
    queryFiles(
      `SELECT * FROM read_csv('${result.files[0]?.local}', all_varchar = true, header = true, nullstr = 'none')`,
    );

  it('disarms texts and names of columns, never numbers and JSON', async () => {
    const given = await made.job({ plan, format: 'csv', compression: 'none', formulaGuard: true });
    const rows = await read(await made.converter.convert(given, source(batchOf(records))));
    expect(rows.map((row) => row["'=n"])).toEqual(
      texts.map((text) => (/^[=+\-@\t\r\n]/.test(text) ? `'${text}` : text)),
    );
    expect(rows[3]).toMatchObject({ id: '3', x: '-1.5', j: '-5', b: '+AAA', _extra: '{"=extra":"=2"}' });
  });

  it('is off unless it is asked for', async () => {
    const given = await made.job({ plan, format: 'csv', compression: 'none' });
    const rows = await read(await made.converter.convert(given, source(batchOf(records))));
    expect(rows.map((row) => row['=n'])).toEqual(texts);
  });
});
