import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { DropJob, DropResult } from '../../src/ports/converter.ts';
import type { Bench, Row } from './records.ts';
import { bench, columns, INT64, parquetRows, STRING } from './records.ts';

let made: Bench;
beforeAll(async () => {
  made = await bench();
});
afterAll(() => made.close());

async function written(name: string, content: string | Uint8Array): Promise<string> {
  const local = join(await made.emptyFolder(), name);
  await writeFile(local, content);
  return local;
}

async function drop(local: string, field: string, values: readonly string[], more: Partial<DropJob> = {}) {
  const job: DropJob = {
    format: 'parquet',
    compression: 'zstd',
    local,
    bytes: 1000,
    field,
    values,
    rewrite: true,
    directory: await made.emptyFolder(),
    ...more,
  };
  return await made.converter.dropRows(job);
}

const kept = async ({ kept: file }: DropResult): Promise<Row[]> => (file === undefined ? [] : parquetRows(file.local));
const ids = async (result: DropResult): Promise<number[]> => (await kept(result)).map((row) => Number(row['id']));

const PEOPLE = [
  { id: 3, user: 'ann', who: { mail: 'a@x', n: 1 } },
  { id: 1, user: 'bob', who: { mail: 'b@x', n: 2 } },
  { id: 2, user: "o'neil", who: { mail: 'o@x', n: 3 }, other: { mail: 'a@x' } },
  { id: 4, user: null, who: null },
];
const PLAN = [
  ...columns({ id: INT64, user: STRING }),
  ...columns({ who: { kind: 'struct', fields: columns({ mail: STRING, n: INT64 }) } }),
];

describe('a Parquet file', () => {
  test('keeps all other rows in their order, in columns as they were', async () => {
    const local = await made.parquet(PLAN, PEOPLE);
    const result = await drop(local, 'user', ['bob', 'nobody']);
    expect(result).toMatchObject({ rows: 4, matched: 1, hasField: true, kept: { digest: { rows: 3 } } });
    expect(await kept(result)).toEqual((await parquetRows(local)).filter((row) => row['id'] !== 1n));
    expect(result.kept?.columns.find(({ column }) => column === 'id')).toMatchObject({ min: '2', max: '4' });
    expect(await drop(result.kept?.local ?? '', 'user', ['bob'])).toEqual({ rows: 3, matched: 0, hasField: true });
  });

  test.each<[string, string, readonly string[], number[]]>([
    ['a text with a quote', 'user', ["o'neil"], [3, 1, 4]],
    ['a number', 'id', ['1', '4'], [3, 2]],
    ['a number written otherwise', 'id', ['1.0', '+4'], [3, 2]],
    ['a field of an object', 'who.mail', ['b@x'], [3, 2, 4]],
    ['a number in an object', 'who.n', ['3'], [3, 1, 4]],
    ['a field without a column', 'other.mail', ['a@x'], [3, 1, 4]],
  ])('loses rows by %s', async (_, field, values, left) => {
    expect(await ids(await drop(await made.parquet(PLAN, PEOPLE), field, values))).toEqual(left);
  });

  test('is only counted when asked so, and not written when all of it goes or the field is nowhere', async () => {
    const local = await made.parquet(PLAN, PEOPLE);
    expect(await drop(local, 'id', ['1'], { rewrite: false })).toEqual({ rows: 4, matched: 1, hasField: true });
    expect(await drop(local, 'id', ['1', '2', '3', '4'])).toEqual({ rows: 4, matched: 4, hasField: true });
    expect(await drop(local, 'User', ['bob'])).toMatchObject({ matched: 0 });
    expect(await drop(local, '', [])).toEqual({ rows: 4, matched: 0, hasField: false });
  });

  test('holds the rows before less those matched, whatever they are', { timeout: 60_000 }, async () => {
    const value = fc.constantFrom('a', 'b', "'", '', 'x"y', '1', '1.0', 'ä');
    const rows = fc.array(fc.record({ id: fc.nat(5), user: fc.option(value) }), { minLength: 1, maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(rows, fc.uniqueArray(value, { minLength: 1, maxLength: 3 }), async (records, wanted) => {
        const local = await made.parquet(columns({ id: INT64, user: STRING }), records);
        const result = await drop(local, 'user', wanted);
        const rest = records.filter(({ user }) => user === null || !wanted.includes(user));
        expect(result.matched).toBe(records.length - rest.length);
        expect(result.kept === undefined).toBe(rest.length === 0 || rest.length === records.length);
        if (result.kept !== undefined) expect(await ids(result)).toEqual(rest.map(({ id }) => id));
      }),
      { numRuns: 15 },
    );
  });
});

describe('a text file', () => {
  test('of CSV keeps its other lines as they were', async () => {
    const lines = ['id,user,who', '1,ann,"{""mail"":""a@x""}"', '2,"b, ""b""",', '3,\'=x,"line\r\nbreak"', '4,,'];
    const local = await written('a.csv.gz', gzipSync(`${lines.join('\r\n')}\r\n`));
    const how = { format: 'csv', compression: 'gzip' } as const;
    const text = async (result: DropResult): Promise<string> =>
      gunzipSync(await readFile(result.kept?.local ?? '')).toString();
    const without = (n: number): string => `${lines.filter((_, i) => i !== n).join('\r\n')}\r\n`;
    expect(await text(await drop(local, 'id', ['2'], how))).toBe(without(2));
    expect(await text(await drop(local, 'user', ['b, "b"'], how))).toBe(without(2));
    expect(await text(await drop(local, 'user', ['=x'], how))).toBe(without(3));
    expect(await text(await drop(local, 'who.mail', ['a@x'], how))).toBe(without(1));
  });

  test('of NDJSON keeps its other lines as they were', async () => {
    const lines = ['{"id":1,"user":"ann"}', '{"id":2,"user":"bob","w":{"k":"v"}}', '{"id":3,"_extra":{"user":"bob"}}'];
    const local = await written('a.ndjson', `${lines.join('\n')}\n`);
    const how = { format: 'ndjson', compression: 'none' } as const;
    const text = async (result: DropResult): Promise<string> => readFile(result.kept?.local ?? '', 'utf8');
    expect(await text(await drop(local, 'user', ['bob'], how))).toBe(`${lines[0]}\n`);
    expect(await text(await drop(local, 'id', ['1'], how))).toBe(`${lines[1]}\n${lines[2]}\n`);
    expect(await text(await drop(local, 'w.k', ['v'], how))).toBe(`${lines[0]}\n${lines[2]}\n`);
  });
});
