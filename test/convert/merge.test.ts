import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Column } from '../../src/model/column-plan.ts';
import type { MergeJob } from '../../src/ports/converter.ts';
import type { Bench, Row } from './records.ts';
import { bench, columns, INT64, parquetRows, STRING } from './records.ts';

let made: Bench;
beforeAll(async () => {
  made = await bench();
});
afterAll(() => made.close());

async function parquet(plan: readonly Column[], records: readonly object[], planVersion = 1) {
  return { local: await made.parquet(plan, records, planVersion), planVersion };
}

async function merge(inputs: MergeJob['inputs'], more: Partial<MergeJob> = {}) {
  const job: MergeJob = {
    format: 'parquet',
    compression: 'zstd',
    inputs,
    bytes: 1000,
    sort: [],
    directory: await made.emptyFolder(),
    ...more,
  };
  return await made.converter.merge(job);
}

const plain = (rows: readonly Row[]): string[] =>
  rows
    .map((row) => JSON.stringify(row, (_, value: unknown) => (typeof value === 'bigint' ? Number(value) : value)))
    .sort();

describe('a merge of Parquet files', () => {
  test('holds the rows of all, sorted as asked, with exact statistics', async () => {
    const plan = columns({ id: INT64, shop: STRING });
    const rows = (from: number) => Array.from({ length: 50 }, (_, i) => ({ id: (from + i * 7) % 100, shop: 's' }));
    const inputs = [await parquet(plan, rows(0)), await parquet(plan, rows(3))];
    const merged = await merge(inputs, { sort: ['id'] });
    const found = await parquetRows(merged.local);
    const ids = found.map((row) => Number(row['id']));
    expect(ids).toEqual(ids.toSorted((a, b) => a - b));
    const before = (await Promise.all(inputs.map(({ local }) => parquetRows(local)))).flat();
    expect(plain(found)).toEqual(plain(before));
    expect(merged.digest.rows).toBe(100);
    expect(merged.columns.find(({ column }) => column === 'id')).toEqual({
      column: 'id',
      nulls: 0,
      min: String(ids[0]),
      max: String(ids.at(-1)),
    });
    expect((await readFile(merged.local)).length).toBe(merged.bytes);
  });

  test('has the same digest whatever the order, and another for another multiset', async () => {
    const plan = columns({ id: INT64 });
    const one = await parquet(plan, [{ id: 1 }, { id: 2 }]);
    const two = await parquet(plan, [{ id: 3 }, { id: 3 }]);
    const three = await parquet(plan, [{ id: 4 }, { id: 4 }]);
    const [a, b, c] = [await merge([one, two]), await merge([two, one]), await merge([one, three])];
    expect(a.digest).toEqual(b.digest);
    expect(c.digest.rows).toBe(4);
    expect(c.digest.checksum).not.toBe(a.digest.checksum);
  });

  test('takes the columns of the newest plan: added ones, wider ones, more fields', async () => {
    const inner = (fields: Column[]): Column => ({ name: 'more', type: { kind: 'struct', fields }, nullable: true });
    const before = [...columns({ id: { kind: 'int', bits: 32 }, n: INT64 }), inner(columns({ x: INT64 }))];
    const after = [
      ...columns({ id: INT64, n: { kind: 'double' } }),
      inner(columns({ x: INT64, y: STRING })),
      ...columns({ added: STRING }),
    ];
    const merged = await merge(
      [
        await parquet(before, [{ id: 1, n: 5, more: { x: 1 } }]),
        await parquet(after, [{ id: 2 ** 40, n: 1.5, more: { x: 2, y: 'b' }, added: 'a' }], 2),
      ],
      { sort: ['more.x', 'nowhere', 'id.none'] },
    );
    expect(plain(await parquetRows(merged.local))).toEqual(
      plain([
        { id: 1, n: 5, more: { x: 1, y: null }, added: null, _extra: null },
        { id: 2 ** 40, n: 1.5, more: { x: 2, y: 'b' }, added: 'a', _extra: null },
      ]),
    );
  });

  test('is refused when a value would change, or the newest file cannot take a column', async () => {
    const wide = await parquet(columns({ n: INT64 }), ['{"n":9007199254740993}' as unknown as object]);
    const double = await parquet(columns({ n: { kind: 'double' } }), [{ n: 1.5 }], 2);
    const text = await parquet(columns({ n: STRING }), [{ n: 'a' }]);
    for (const inputs of [
      [wide, double],
      [text, double],
    ]) {
      await expect(merge(inputs)).rejects.toMatchObject({ code: 'convert-failed', details: { lack: 'columns' } });
    }
  });
});

describe('a merge of text files', () => {
  test('passes lines of NDJSON on as they are', async () => {
    const texts = ['{"id":2, "n":1.10,"n":"\\u00e9"}\n{"id":10}\n', '{"id":1,"a":{"b":"\\n"}}\n'];
    const inputs = await Promise.all(
      texts.map(async (text, i) => {
        const local = join(await made.emptyFolder(), `${i}.ndjson.gz`);
        await writeFile(local, gzipSync(text));
        return { local, planVersion: i };
      }),
    );
    const merged = await merge(inputs, { format: 'ndjson', compression: 'gzip', sort: ['id'] });
    expect(gunzipSync(await readFile(merged.local)).toString()).toBe(
      '{"id":1,"a":{"b":"\\n"}}\n{"id":2, "n":1.10,"n":"\\u00e9"}\n{"id":10}\n',
    );
    expect(merged.digest.rows).toBe(3);
  });

  test('keeps cells of CSV apart: empty, null, quoted, of columns that some files do not have', async () => {
    const texts = ['id,"a,b"\r\n10,"x ""y""\r\nz"\r\n2,""\r\n', '"a,b",new,id\r\n,é,1\r\n'];
    const inputs = await Promise.all(
      texts.map(async (text, planVersion) => {
        const local = join(await made.emptyFolder(), 'x.csv');
        await writeFile(local, text);
        return { local, planVersion };
      }),
    );
    const merged = await merge(inputs, { format: 'csv', compression: 'none', sort: ['id'] });
    expect((await readFile(merged.local)).toString()).toBe('"a,b",new,id\r\n,é,1\r\n"",,2\r\n"x ""y""\r\nz",,10\r\n');
    expect(merged.digest.rows).toBe(3);
  });
});
