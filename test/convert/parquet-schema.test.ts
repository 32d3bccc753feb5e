import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { haveOneSchema } from '../../src/convert/engine/parquet-schema.ts';

const folder = mkdtempSync(join(tmpdir(), 'parquet-schema-'));
let connection: DuckDBConnection;

beforeAll(async () => {
  connection = await (await DuckDBInstance.create(':memory:', { threads: '1' })).connect();
});
afterAll(() => {
  connection.closeSync();
  rmSync(folder, { recursive: true, force: true });
});

let made = 0;

async function file(select: string, options = ''): Promise<string> {
  const local = join(folder, `${made++}.parquet`);
  await connection.run(`COPY (${select}) TO '${local}' (FORMAT parquet${options})`);
  return local;
}

const NESTED = "{'b': [i], 'c': MAP {i::VARCHAR: true}} AS s, i::DECIMAL(20, 3) AS d, now() AS t, uuid() AS u";

const forty = (last = 'z'): string =>
  `SELECT 1 AS a, ${Array.from({ length: 40 }, (_, n) => `1 AS c${n}`).join(', ')}, 1 AS ${last}`;

describe('files have one schema', () => {
  it.each([
    ['of other rows, codecs and row groups', `SELECT i AS a, 'x' || i AS b`],
    ['with nested columns', `SELECT i AS a, ${NESTED}`],
    ['with forty columns', forty()],
  ])('%s', async (_, select) => {
    const files = [
      await file(`${select} FROM range(10) r(i)`),
      await file(`${select} FROM range(9000) r(i)`, ', COMPRESSION zstd, ROW_GROUP_SIZE 2048'),
      await file(`${select} FROM range(0) r(i)`),
    ];
    expect(haveOneSchema(files)).toBe(true);
  });
});

describe('files do not have one schema', () => {
  it.each([
    ['when a column is missing', 'SELECT 1::BIGINT AS a'],
    ['when there is one more', "SELECT 1::BIGINT AS a, 'x' AS b, 2 AS c"],
    ['when one has another type', "SELECT 1::INTEGER AS a, 'x' AS b"],
    ['when one has another type of the same form', "SELECT 1::UBIGINT AS a, 'x' AS b"],
    ['when one has another name', "SELECT 1::BIGINT AS a, 'x' AS c"],
    ['when they stand in another order', "SELECT 'x' AS b, 1::BIGINT AS a"],
    ['when a nested one differs', "SELECT 1::BIGINT AS a, {'x': 1} AS b"],
  ])('%s', async (_, select) => {
    const first = await file("SELECT 1::BIGINT AS a, 'x' AS b");
    expect(haveOneSchema([first, first, await file(select)])).toBe(false);
  });

  it('when the last of many columns has another name', async () => {
    expect(haveOneSchema([await file(forty()), await file(forty('y'))])).toBe(false);
  });

  it('as far as is known, when one is no Parquet, is cut off, or has more columns than are looked at', async () => {
    const good = await file('SELECT 1 AS a');
    const texts = [
      '',
      'PAR1',
      'no Parquet at all',
      `${'x'.repeat(100)}\xff\xff\xff\x7fPAR1`,
      `${'\x19'.repeat(99)}PAR1`,
    ];
    for (const text of [...texts, `${'\xff'.repeat(60)}\x20\0\0\0PAR1`, `${'\x1c'.repeat(60)}\x20\0\0\0PAR1`]) {
      const bad = join(folder, `${made++}.parquet`);
      writeFileSync(bad, text, 'latin1');
      expect(haveOneSchema([good, bad])).toBe(false);
    }
    const wide = await file(`SELECT ${Array.from({ length: 4000 }, (_, n) => `1 AS "column number ${n}"`).join(', ')}`);
    expect(haveOneSchema([wide, wide])).toBe(false);
  });
});
