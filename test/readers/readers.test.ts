/** Files of every Avro type, null pattern and codec, read back by programs that are not ours: values and types are those that were sent. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import parquet from 'parquetjs-lite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { queryFiles } from '../../src/convert/query.ts';
import type { ColumnType } from '../../src/model/column-plan.ts';
import type { Compression, DataFormat } from '../../src/model/delivery.ts';
import { CODECS } from '../../src/model/delivery.ts';
import type { Bench, Row } from '../convert/records.ts';
import { batchOf, bench, rejectedRows, source } from '../convert/records.ts';
import { CASES } from './cases.ts';
import type { Table } from './table.ts';
import { tableOf } from './table.ts';
import { duckdbScalar, exactJson, hyparquetParsers, hyparquetScalar, ndjsonScalar, textScalar, told } from './told.ts';

const run = promisify(execFile);
const python = process.env['LAKEWARD_PYTHON'];
const spark = process.env['LAKEWARD_SPARK_PYTHON'];
const ALL = tableOf();
const READ_MS = 120_000;
const lacksPython = python === undefined && process.env['CI'] === undefined;
const PYARROW_TITLE = lacksPython
  ? 'is read by pyarrow (skipped: needs LAKEWARD_PYTHON, a Python that has pyarrow)'
  : 'is read by pyarrow';

let made: Bench;
beforeAll(async () => {
  made = await bench();
});
afterAll(async () => made.close());

async function land(table: Table, format: DataFormat, compression: Compression): Promise<string> {
  const result = await made.converter.convert(
    await made.job({ plan: table.plan, format, compression }),
    source(batchOf(table.records)),
  );
  expect(await rejectedRows(result)).toEqual([]);
  expect(result.extraRows).toBe(0);
  return result.files[0]?.local ?? expect.fail('no file');
}

type Told = (type: ColumnType, value: unknown) => unknown;

/** Compares column by column, so that a failure names the type and null pattern. */
function expectRows({ plan, rows, cases }: Table, read: readonly Row[], tell: Told): void {
  expect(read).toHaveLength(rows.length);
  for (const { name, type } of plan.columns) {
    const isJson = cases.get(name)?.json === true;
    const values = read.map((row) => {
      const value = tell(type, row[name]);
      return isJson && typeof value === 'string' ? (JSON.parse(value) as unknown) : value;
    });
    expect([name, values]).toEqual([name, rows.map((row) => row[name])]);
  }
}

const asTold: Told = (_, value) => value;

async function pythonRows(command: string, reader: string, files: readonly string[]) {
  const script = join(import.meta.dirname, 'rows.py');
  const { stdout } = await run(command, [script, reader, ...files], {
    maxBuffer: 2 ** 26,
    env: { ...process.env, TZ: 'UTC' },
  });
  return JSON.parse(stdout) as { types: Record<string, string>; rows: Row[] }[];
}

describe.each(CODECS.parquet)('Parquet with %s', (codec) => {
  let file: string;
  beforeAll(async () => {
    file = await land(ALL, 'parquet', codec);
  });

  test('is read by DuckDB', async () => {
    const types = await queryFiles(`DESCRIBE SELECT * EXCLUDE (_extra) FROM read_parquet('${file}')`);
    expect(types.map((row) => [row['column_name'], row['column_type']])).toEqual(
      [...ALL.cases].map(([name, { duckdb }]) => [name, duckdb]),
    );
    const rows = await queryFiles(`SELECT * FROM read_parquet('${file}')`);
    expectRows(ALL, rows, (type, value) => told(type, value, duckdbScalar));
  });

  test('is read by hyparquet', async () => {
    const rows = (await parquetReadObjects({
      file: await asyncBufferFromFile(file),
      compressors,
      utf8: false,
      parsers: hyparquetParsers,
    })) as Row[];
    // It gives decimals as doubles.
    const table = decimalsAs(ALL, (digits) => roughly(Number(digits)));
    expectRows(table, rows, (type, value) =>
      told(type, value, (leaf, one) => (leaf.kind === 'decimal' ? roughly(one as number) : hyparquetScalar(leaf, one))),
    );
  });

  test.skipIf(lacksPython)(PYARROW_TITLE, { timeout: READ_MS }, async () => {
    const [read] = await pythonRows(python ?? 'python3', 'pyarrow', [file]);
    expect(read?.types).toEqual({
      ...Object.fromEntries([...ALL.cases].map(([name, { arrow }]) => [name, arrow])),
      _extra: 'string',
    });
    expectRows(ALL, read?.rows ?? [], asTold);
  });

  if (codec !== 'zstd') {
    test('is read by parquetjs-lite, in the types that it knows', async () => {
      const known = tableOf(PARQUETJS);
      const reader = await parquet.ParquetReader.openFile(await land(known, 'parquet', codec));
      const cursor = reader.getCursor();
      const rows: Row[] = [];
      for (let row = await cursor.next(); row !== null; row = await cursor.next()) rows.push(row);
      await reader.close();
      expectRows(known, rows, parquetjsTold);
    });
  }
});

/**
 * It refuses DECIMAL, UUID and times in microseconds, and takes bytes for text where a page has a dictionary.
 */
const PARQUETJS =
  'boolean int long float double string enum date timestampNanos timeMillis timeMicros numbers anything array map'.split(
    ' ',
  );

// `npm run test:readers` prepares one.
if (spark !== undefined) {
  test('Parquet of every codec is read by Spark, in the types that it knows', { timeout: 5 * READ_MS }, async () => {
    // It refuses a file that has a UUID.
    const known = tableOf(Object.keys(CASES).filter((name) => name !== 'uuid' && name !== 'arrays'));
    const files: string[] = [];
    for (const codec of CODECS.parquet) files.push(await land(known, 'parquet', codec));
    for (const { types, rows } of await pythonRows(spark, 'spark', files)) {
      expect(types).toEqual({
        ...Object.fromEntries([...known.cases].map(([name, { spark }]) => [name, spark])),
        _extra: 'string',
      });
      // PySpark writes more zeros behind a small decimal than its type has digits.
      const short = (digits: string): string => digits.replace(/\.?0+$/, '');
      expectRows(decimalsAs(known, short), decimalsAs({ ...known, rows }, short).rows, asTold);
    }
  });
}

/** It shows lists and maps as the groups that they are in the file. */
function parquetjsTold(type: ColumnType, value: unknown): unknown {
  if (value === null || value === undefined) return null;
  const group = value as { list?: { element?: unknown }[]; key_value?: { key: string; value?: unknown }[] };
  if (type.kind === 'list') return (group.list ?? []).map(({ element }) => parquetjsTold(type.items.type, element));
  if (type.kind === 'map') {
    const pairs = group.key_value ?? [];
    return Object.fromEntries(pairs.map((pair) => [pair.key, parquetjsTold(type.values.type, pair.value)]));
  }
  if (type.kind === 'date') return (value as Date).toISOString().slice(0, 10);
  return hyparquetScalar(type, type.kind === 'time' ? BigInt(value as string) : value);
}

/** The table with another form of its decimals, which are the only texts like that. */
function decimalsAs(table: Table, form: (digits: string) => unknown): Table {
  const change = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(change);
    if (typeof value === 'object' && value !== null)
      return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, change(one)]));
    return typeof value === 'string' && /^-?\d+\.\d+$/.test(value) ? form(value) : value;
  };
  return { ...table, rows: table.rows.map((row) => change(row) as Row) };
}

/** As many digits as a double is sure to keep. */
function roughly(value: number): number {
  return Number(value.toPrecision(14));
}

describe.each([
  ['ndjson', 'none'],
  ['ndjson', 'gzip'],
  ['ndjson', 'zstd'],
  ['csv', 'none'],
  ['csv', 'gzip'],
  ['csv', 'zstd'],
] as const)('%s with %s', (format, codec) => {
  test('is read back', async () => {
    const file = await land(ALL, format, codec);
    if (format === 'ndjson') {
      const bytes = await readFile(file);
      const text = (
        codec === 'none' ? bytes : codec === 'gzip' ? gunzipSync(bytes) : zstdDecompressSync(bytes)
      ).toString();
      const rows = text
        .trimEnd()
        .split('\n')
        .map((line) => exactJson(line) as Row);
      expectRows(ALL, rows, (type, value) => told(type, value, ndjsonScalar));
      return;
    }
    const options = `all_varchar = true, header = true, allow_quoted_nulls = false, delim = ',', quote = '"', escape = '"'`;
    const rows = await queryFiles(`SELECT * FROM read_csv('${file}', ${options}, compression = '${codec}')`);
    expectRows(ALL, rows, (type, cell) => {
      const nested = type.kind === 'struct' || type.kind === 'list' || type.kind === 'map';
      return told(type, nested && typeof cell === 'string' ? exactJson(cell) : cell, textScalar);
    });
  });
});
