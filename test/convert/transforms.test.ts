/** Transforms: what lands, what is filtered, and which rows an expression fails on. */
import { createHash } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { queryFiles } from '../../src/convert/query.ts';
import type { ColumnPlan, Transform } from '../../src/model/column-plan.ts';
import type { ConvertJob, ConvertResult } from '../../src/ports/converter.ts';
import type { Bench, Row } from './records.ts';
import { INT64, STRING, allRows, batchOf, bench, columns, rejectedRows, source, textOf } from './records.ts';

let made: Bench;
beforeAll(async () => {
  made = await bench();
});
afterAll(() => made.close());

const PLAN: ColumnPlan = {
  version: 1,
  misfit: 'extra',
  columns: columns({
    id: INT64,
    user: STRING,
    amount: STRING,
    ts: { kind: 'timestamp', from: 'iso' },
    tags: { kind: 'json' },
    key: { kind: 'bytes' },
  }),
};

async function jobWith(transform: Transform, change: Partial<ConvertJob> = {}, plan = PLAN): Promise<ConvertJob> {
  const checked = await made.converter.checkTransform(transform, plan);
  return made.job({ plan: { ...plan, ...(checked === undefined ? {} : { transform: checked }) }, ...change });
}

async function run(
  transform: Transform,
  records: readonly object[],
  change: Partial<ConvertJob> = {},
): Promise<ConvertResult> {
  const half = Math.ceil(records.length / 2);
  const batches = [batchOf(records.slice(0, half), 2, 100), batchOf(records.slice(half), 3, 700)];
  const result = await made.converter.convert(await jobWith(transform, change), source(...batches));
  expect(result.rows + result.filteredRows + (result.rejected?.rows ?? 0)).toBe(records.length);
  expect(result.files.reduce((sum, file) => sum + file.rows, 0)).toBe(result.rows);
  return result;
}

const sha = (text: string): string => createHash('sha256').update(text).digest('hex');

describe('a transform', () => {
  it('selects, renames, casts, filters, derives, hashes and masks', async () => {
    const records = [
      { id: 1, user: 'ann', amount: '1.50', ts: '2026-11-21T10:20:30Z', tags: { a: [1] }, key: 'AAE=', more: 1 },
      { id: 2, user: null, amount: '2', ts: null },
      { id: 3, user: 'eve', amount: '9999' },
    ];
    const result = await run(
      {
        where: 'amount::decimal(10, 2) < 100',
        columns: {
          user: 'sha256(user)',
          euro: 'CAST(amount AS decimal(10, 2))',
          hour: "date_trunc('hour', ts)",
          first: "tags ->> '$.a[0]'",
          label: "concat('row ', id, case when user is null then ' (nobody)' else '' end)",
          more: "_extra ->> '$.more'",
          was: 'id',
        },
        drop: ['amount', 'tags', 'key'],
      },
      records,
    );
    expect(result).toMatchObject({ rows: 2, filteredRows: 1, rejected: undefined, extraRows: 1 });
    expect(await allRows(result)).toEqual([
      {
        id: 1n,
        user: sha('ann'),
        ts: new Date('2026-11-21T10:20:30Z'),
        euro: 1.5,
        hour: new Date('2026-11-21T10:00:00Z'),
        first: '1',
        label: 'row 1',
        more: '1',
        was: 1n,
        _extra: '{"more":1}',
      },
      {
        id: 2n,
        user: null,
        ts: null,
        euro: 2,
        hour: null,
        first: null,
        label: 'row 2 (nobody)',
        more: null,
        was: 2n,
        _extra: null,
      },
    ]);
    const names = result.files[0]?.columns.map(({ column }) => column);
    expect(names?.sort()).toEqual('_extra euro first hour id label more ts user was'.split(' '));
  });

  it('keeps what is named and nothing else', async () => {
    const result = await run({ keep: ['id'], columns: { twice: 'id * 2' } }, [{ id: 4, user: 'x', other: true }]);
    expect(await allRows(result)).toEqual([{ id: 4n, twice: 8n }]);
  });

  it.each(['csv', 'ndjson'] as const)('writes kept columns to %s as without it', async (format) => {
    const records = [
      { id: 1, user: '=1', ts: '2026-11-21T10:20:30Z', tags: { a: [1, 'x'] }, key: 'AAE=', more: 1 },
      { id: 2, tags: [1.5] },
    ];
    const change = { format, compression: 'none' } as const;
    const plain = await made.converter.convert(await made.job({ plan: PLAN, ...change }), source(batchOf(records)));
    const result = await run({ drop: [] }, records, change);
    expect(await textOf(result.files[0]?.local ?? '')).toBe(await textOf(plain.files[0]?.local ?? ''));
  });

  it('writes derived columns to CSV and NDJSON, guarded where that is asked for', async () => {
    const transform = {
      keep: [],
      columns: { t: "concat('=', user)", n: '-id', b: 'encode(user)', at: 'ts', x: 'id / 0.0', j: 'to_json(id)' },
    };
    const change = { compression: 'none' } as const;
    const records = [{ id: 1, user: 'u', ts: '2026-11-21T10:20:30Z' }];
    const csv = await run(transform, records, { ...change, format: 'csv', formulaGuard: true });
    expect(await textOf(csv.files[0]?.local ?? '')).toBe(
      "t,n,b,at,x,j\r\n'=u,-1,dQ==,2026-11-21T10:20:30.000000Z,inf,1\r\n",
    );
    const ndjson = await run(transform, records, { ...change, format: 'ndjson' });
    expect(JSON.parse(await textOf(ndjson.files[0]?.local ?? ''))).toEqual({
      t: '=u',
      n: -1,
      b: 'dQ==',
      at: '2026-11-21T10:20:30.000000Z',
      x: null,
      j: 1,
    });
  });

  it.each(['parquet', 'csv', 'ndjson'] as const)('leaves no file where %s would have no row', async (format) => {
    const records = Array.from({ length: 300 }, (_, id) => ({ id, user: `u${id % 100}` }));
    const compression = format === 'parquet' ? 'zstd' : 'none';
    const change = { format, compression, layout: 'user={user}' } as const;
    const result = await run({ where: 'id % 100 < 7 or id % 100 = 99' }, records, change);
    expect(result).toMatchObject({ rows: 24, filteredRows: 276 });
    expect(result.files.map(({ partition, rows }) => `${partition} ${rows}`).sort()).toEqual(
      [0, 1, 2, 3, 4, 5, 6, 99].map((n) => `user=u${n} 3`).sort(),
    );
    const none = await run({ where: 'false' }, records, change);
    expect(none).toMatchObject({ rows: 0, filteredRows: 300, files: [], rejected: undefined });
  });
});

describe('a row that an expression fails on', () => {
  const fragile = { where: 'user::int >= 0', columns: { n: 'amount::int', m: 'id + 9223372036854775800' } };

  it.each(['parquet', 'csv', 'ndjson'] as const)('is rejected by itself, %s', async (format) => {
    const records = [
      { id: 1, user: '0', amount: '1' },
      { id: 2, user: '0', amount: 'x' },
      { id: 3, user: 'y', amount: 'x' },
      { id: 4, user: '-1', amount: 'x' },
      { id: 999, user: '1', amount: '3' },
      { id: 5, user: '2', amount: null },
    ];
    const compression = format === 'parquet' ? 'zstd' : 'none';
    const result = await run(fragile, records, { format, compression });
    expect(result).toMatchObject({ rows: 2, filteredRows: 1 });
    const rejected = await rejectedRows(result);
    expect(rejected.map(({ code, column, shard, offset }) => [code, column, shard, offset])).toEqual([
      ['transform-failed', 'n', 2, 101],
      ['transform-failed', null, 2, 102],
      ['transform-failed', 'm', 3, 701],
    ]);
    expect(rejected.map(({ data }) => JSON.parse(Buffer.from(data, 'base64').toString()) as Row)).toEqual([
      records[1],
      records[2],
      records[4],
    ]);
    expect(rejected[0]?.partitionKey).toBe('key-1');
    expect(result.rejected).toMatchObject({ rows: 3, densest: 3, first: { offset: 101, shard: 2 } });
    expect(result.rejected?.reasons).toEqual([
      { code: 'transform-failed', column: 'n', rows: 1 },
      { code: 'transform-failed', rows: 1 },
      { code: 'transform-failed', column: 'm', rows: 1 },
    ]);
  });

  it('is told apart from rows that are no fit, over partitions of all kinds, the same every time', async () => {
    const record = fc.record({ id: fc.nat(99), amount: fc.oneof(fc.constant('x'), fc.nat(9).map(String), fc.nat()) });
    await fc.assert(
      fc.asyncProperty(
        fc.array(record, { minLength: 1, maxLength: 400 }),
        fc.constantFrom('parquet', 'csv', 'ndjson'),
        async (records, format) => {
          const transform = { where: "amount <> '7' or amount is null", columns: { n: 'amount::int' } };
          const compression = format === 'parquet' ? 'zstd' : 'none';
          const change = { format, compression, layout: 'id={id}', rejectWindow: 10 } as const;
          const plan = { ...PLAN, misfit: 'reject' } as const;
          const given = await jobWith(transform, change, plan);
          const result = await made.converter.convert(given, source(batchOf(records)));
          const verdicts = records.map(({ amount }) =>
            typeof amount === 'number'
              ? 'wrong-type'
              : amount === 'x'
                ? 'transform-failed'
                : amount === '7'
                  ? 'out'
                  : 'in',
          );
          const of = (verdict: string) => verdicts.flatMap((one, i) => (one === verdict ? [i] : []));
          expect(result).toMatchObject({ rows: of('in').length, filteredRows: of('out').length });
          const rejected = await rejectedRows(result);
          for (const code of ['wrong-type', 'transform-failed'])
            expect(rejected.filter((row) => row.code === code).map(({ offset }) => offset)).toEqual(of(code));
          const bad = verdicts.flatMap((one, i) => (one === 'in' || one === 'out' ? [] : [i]));
          const dense = bad.map((from) => bad.filter((one) => one >= from && one < from + 10).length);
          expect(result.rejected?.densest ?? 0).toBe(Math.max(0, ...dense));
          expect(result.rejected?.first.offset).toBe(bad[0]);
          const partitions = new Set(of('in').map((i) => `id=${records[i]?.id}`));
          expect(new Set(result.files.map(({ partition }) => partition))).toEqual(partitions);
        },
      ),
      { numRuns: 12 },
    );
  });

  it('has no say in what is a duplicate', async () => {
    const folder = join(made.folder, 'ids');
    await mkdir(folder);
    const dedupe = { delivery: 'd', key: 'user', windowMs: 3_600_000, folder, files: [], keys: 0 };
    const records = [
      { user: 'a', amount: 'x' },
      { user: 'b', amount: '1' },
      { user: 'a', amount: 'y' },
      { user: 'a', amount: '5' },
      { user: 'a', amount: '6' },
      { user: 'c', amount: 'z' },
    ];
    const given = await jobWith({ columns: { n: 'amount::int' } }, { dedupe });
    const result = await made.converter.convert(given, source(batchOf(records)));
    expect((await allRows(result)).map(({ n }) => n)).toEqual([1, 5]);
    expect((await rejectedRows(result)).map(({ offset }) => offset)).toEqual([0, 2, 5]);
    expect(result).toMatchObject({ rows: 2, filteredRows: 0, dedupe: { duplicateRows: 1, files: [{ keys: 2 }] } });
  });

  it('may be every row', async () => {
    const records = Array.from({ length: 3000 }, (_, id) => ({ id, user: '0', amount: 'x', fill: 'y'.repeat(500) }));
    const result = await run({ columns: { n: 'amount::int' } }, records, { layout: '{id}' });
    expect(result).toMatchObject({ rows: 0, files: [], rejected: { rows: 3000, densest: 3000 } });
  });
});

describe('clean data', () => {
  it('reads back equal for all types a derived column can have', async () => {
    const transform = {
      keep: [],
      columns: {
        bool: 'id > 1',
        tiny: 'id::tinyint',
        int: 'id::int',
        unsigned: 'id::uinteger',
        big: 'id * 10000000000',
        float: '(id / 4)::float',
        double: 'id / 4',
        dec: '(id / 4)::decimal(12, 3)',
        text: 'upper(user)',
        date: 'ts::date',
        time: 'ts::timestamp::time',
        utc: 'ts',
        local: 'ts::timestamp',
        zone: "ts at time zone 'Europe/Berlin'",
        uuid: "'0199b8a6-0000-7000-8000-000000000001'::uuid",
        blob: "from_hex('00ff')",
        json: "json_object('a', id)",
        hash: 'md5(user)',
        masked: "left(user, 1) || '***'",
      },
    };
    const result = await run(transform, [{ id: 3, user: 'ann', ts: '2026-07-21T10:20:30.123456Z' }]);
    const [row] = await queryFiles(
      `SELECT * REPLACE (blob::VARCHAR AS blob, utc::VARCHAR AS utc), typeof(int) ti, typeof(unsigned) tu, typeof(dec) td, typeof(utc) tt, typeof(local) tl, typeof(time) te FROM '${result.files[0]?.local}'`,
    );
    expect(row).toMatchObject({
      bool: true,
      tiny: 3,
      int: 3,
      unsigned: '3',
      big: '30000000000',
      float: 0.75,
      double: 0.75,
      dec: '0.750',
      text: 'ANN',
      date: '2026-07-21',
      time: '10:20:30.123456',
      local: '2026-07-21 10:20:30.123456',
      zone: '2026-07-21 12:20:30.123456',
      uuid: '0199b8a6-0000-7000-8000-000000000001',
      blob: String.raw`\x00\xFF`,
      json: '{"a":3}',
      masked: 'a***',
      ti: 'INTEGER',
      tu: 'BIGINT',
      td: 'DECIMAL(12,3)',
      tt: 'TIMESTAMP WITH TIME ZONE',
      tl: 'TIMESTAMP',
      te: 'TIME',
    });
    expect((await readFile(result.files[0]?.local ?? '')).subarray(0, 4).toString()).toBe('PAR1');
  });
});
