/** Specifications: defaults, texts, and every problem at once. */
import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { dataFileName } from '../../src/delivery/file-name.ts';
import { parseDeliverySpec } from '../../src/delivery/spec.ts';
import { LakewardError } from '../../src/model/errors.ts';
import { lakePath } from '../../src/model/lake-path.ts';
import { compileLayout } from '../../src/partition/layout.ts';

function problemsOf(input: unknown): { code: string; paths: string[] } {
  try {
    parseDeliverySpec(input);
  } catch (error) {
    if (!(error instanceof LakewardError)) throw error;
    const problems = error.details?.['problems'] as { path: string; accepted: string }[];
    expect(problems.every((problem) => problem.accepted !== '')).toBe(true);
    return { code: error.code, paths: problems.map((problem) => problem.path) };
  }
  return { code: 'none', paths: [] };
}

/** Folders of 100 characters, so that only the whole is too long. */
function prefixOf(chars: number): string {
  return Array.from({ length: chars }, (_, i) => (i % 101 === 100 && i < chars - 1 ? '/' : 'p')).join('');
}

describe('a specification', () => {
  test('needs a name and a stream, and has defaults for the rest', () => {
    expect(parseDeliverySpec({ name: 'd', stream: 's' })).toEqual({
      name: 'd',
      stream: 's',
      prefix: 'd',
      layout: 'year={yyyy}/month={MM}/day={dd}/hour={HH}/',
      eventTime: { from: 'arrival' },
      eventFutureMs: 86_400_000,
      allowedLatenessMs: 600_000,
      format: 'parquet',
      compression: 'zstd',
      schema: 'auto',
      flush: { bytes: 64 * 2 ** 20, ageMs: 60_000, records: 1_000_000 },
      start: 'earliest',
    });
  });

  test('says how small files become large ones, and parses to itself', () => {
    const given = { name: 'd', stream: 's', compaction: { readers: 'manifest', window: '22:00-06:30', sort: ['a.b'] } };
    const spec = parseDeliverySpec(given);
    expect(spec.compaction).toEqual({
      everyMs: 900_000,
      targetBytes: 128 * 2 ** 20,
      afterMs: 3_600_000,
      sort: ['a.b'],
      window: { fromMinute: 1320, toMinute: 390 },
      readers: 'manifest',
      keepMs: 7 * 86_400_000,
    });
    expect(parseDeliverySpec(spec)).toEqual(spec);
    expect(parseDeliverySpec({ ...given, compaction: 'none' }).compaction).toBeUndefined();
    const bad = { every: '1s', targetBytes: '1KB', after: -1, sort: [], window: '25:00-1:00', keep: '1h' };
    expect(problemsOf({ name: 'd', stream: 's', compaction: bad }).paths).toEqual(
      ['readers', 'keep', 'every', 'targetBytes', 'after', 'sort', 'window'].map((key) => `compaction.${key}`),
    );
    const raw = { name: 'd', stream: 's', format: 'raw', compaction: { readers: 'listing' } };
    expect(problemsOf(raw).paths).toEqual(['compaction']);
  });

  test('holds late rows within bounds, where partitions end and files can be merged', () => {
    const given = { name: 'd', stream: 's', late: { hold: '20m' } };
    const spec = parseDeliverySpec(given);
    expect(spec.late).toEqual({ holdMs: 1_200_000, bytes: 64 * 1024 ** 2 });
    expect(parseDeliverySpec(spec)).toEqual(spec);
    expect(parseDeliverySpec({ ...given, late: 'none' }).late).toBeUndefined();
    expect(problemsOf({ ...given, late: { hold: '25h', bytes: 1, age: '1m' } }).paths).toEqual(
      expect.arrayContaining(['late.hold', 'late.bytes', 'late.age']),
    );
    expect(problemsOf({ ...given, format: 'raw' }).paths).toEqual(['late']);
    expect(problemsOf({ ...given, layout: '{kind}/' }).paths).toEqual(['late']);
  });

  test('takes sizes, durations, times and fields as people write them', () => {
    const spec = parseDeliverySpec({
      name: 'd',
      stream: 's',
      prefix: 'a/b/',
      layout: '{yyyy}/product_id={product_id}',
      eventTime: { field: 'meta.at', form: 'ms' },
      allowedLateness: '1.5h',
      format: 'csv',
      compression: 'gzip',
      flush: { bytes: '512 KiB', age: '90s', records: 10 },
      start: '2026-01-31T10:00:00+01:00',
    });
    expect(spec).toMatchObject({
      prefix: 'a/b',
      layout: '{yyyy}/product_id={product_id}/',
      eventTime: { from: 'field', field: 'meta.at', form: 'ms' },
      allowedLatenessMs: 5_400_000,
      compression: 'gzip',
      flush: { bytes: 524_288, ageMs: 90_000, records: 10 },
      start: { atMs: Date.UTC(2026, 0, 31, 9) },
    });
  });

  test.each([
    {},
    { eventTime: 'at', start: 'latest', layout: '' },
    { eventTime: { field: 'at', form: 's' }, start: '2026-01-31T10:00:00Z', flush: { age: '1s' } },
    { schema: { avro: { type: 'record', name: 'r', fields: [{ name: 'a', type: 'long' }] } }, format: 'ndjson' },
    { transform: { where: 'a > 1', columns: { b: 'a + 1' }, drop: ['a'] } },
    { format: 'raw', separator: '\n', compression: 'zstd' },
    { evolve: 'add' },
    { format: 'csv', formulaGuard: true, compression: 'zstd' },
    { parquet: { rowGroupRows: 500_000, bloomFilters: 0.001 } },
    { parquet: { bloomFilters: 'none' } },
  ])('parses to itself: %j', (change) => {
    const spec = parseDeliverySpec({ name: 'd', stream: 's', ...change });
    expect(parseDeliverySpec(JSON.parse(JSON.stringify(spec)))).toEqual(spec);
  });

  test('names every problem at once', () => {
    const problems = problemsOf({
      name: 'no/slash',
      prefix: '../up',
      layout: '{nope nope',
      eventTime: { field: 'a', form: 'hours' },
      allowedLateness: '-1s',
      format: 'orc',
      flush: { bytes: '2TiB', age: '1ms', records: 0, size: 3 },
      start: 'yesterday',
      color: 'red',
    });
    expect(problems.code).toBe('argument-invalid');
    const paths = 'allowedLateness color eventTime.form flush.age flush.bytes flush.records flush.size format layout';
    expect(problems.paths.toSorted()).toEqual([...paths.split(' '), 'name', 'prefix', 'start', 'stream']);
  });

  test.each([
    ['layout-invalid', { layout: '{' }],
    ['schema-invalid', { schema: { avro: { type: 'nonsense' } } }],
    ['argument-invalid', { layout: '{', flush: { records: -1 } }],
    ['argument-invalid', { schema: 'guess' }],
    ['argument-invalid', { evolve: 'remove' }],
    ['argument-invalid', { evolve: 'add', format: 'raw' }],
    [
      'argument-invalid',
      { evolve: 'add', schema: { avro: { type: 'record', name: 'r', fields: [{ name: 'a', type: 'long' }] } } },
    ],
    ['argument-invalid', { format: 'csv', compression: 'snappy' }],
    ['argument-invalid', { format: 'csv', parquet: { rowGroupRows: 10_000 } }],
    ['argument-invalid', { parquet: { rowGroupRows: 100 } }],
    ['argument-invalid', { parquet: { bloomFilters: 0.9 } }],
    ['argument-invalid', { parquet: { bloomFilters: ['a'] } }],
    ['argument-invalid', { parquet: { pageBytes: 1 } }],
    ['argument-invalid', { format: 'raw', compression: 'snappy' }],
    ['argument-invalid', { format: 'raw', schema: { avro: { type: 'record', name: 'r', fields: [] } } }],
    ['argument-invalid', { format: 'raw', separator: 7 }],
    ['argument-invalid', { format: 'raw', separator: '-'.repeat(65) }],
    ['argument-invalid', { format: 'ndjson', separator: '\n' }],
    ['argument-invalid', { format: 'ndjson', formulaGuard: true }],
    ['argument-invalid', { format: 'csv', formulaGuard: 'yes' }],
    ['argument-invalid', { transform: 'a > 1' }],
    ['argument-invalid', { transform: { where: ' ' } }],
    ['argument-invalid', { transform: { where: 'x'.repeat(4001) } }],
    ['argument-invalid', { transform: { columns: ['a'] } }],
    ['argument-invalid', { transform: { columns: { a: 'x', A: 'y' } } }],
    ['argument-invalid', { transform: { columns: { _extra: 'x' } } }],
    ['argument-invalid', { transform: { columns: { '': 'x' } } }],
    ['argument-invalid', { transform: { columns: { a: 1 } } }],
    ['argument-invalid', { transform: { keep: ['a'], drop: ['b'] } }],
    ['argument-invalid', { transform: { drop: 'a' } }],
    ['argument-invalid', { transform: { select: ['a'] } }],
    ['argument-invalid', { transform: { where: 'true' }, format: 'raw' }],
    ['argument-invalid', { prefix: '_rejected' }],
    ['argument-invalid', { prefix: '_lakeward/x' }],
    ['argument-invalid', { prefix: 'a/.hidden' }],
    ['argument-invalid', { eventFuture: '1h', eventFutureMs: 3 }],
  ])('%s for %j', (code, change) => {
    expect(problemsOf({ name: 'd', stream: 's', ...change }).code).toBe(code);
  });

  test.each(['.tmp', '_d', 'lake.json', 'Lake.JSON', '.', '..'])(
    'has not the name %s, which is no folder of its own',
    (name) => {
      expect(problemsOf({ name, stream: 's', prefix: 'p' })).toEqual({ code: 'argument-invalid', paths: ['name'] });
    },
  );

  test.each([
    ['d', 'parquet'],
    ['n'.repeat(128), 'parquet'],
    ['d', 'ndjson'],
  ])('leaves room for the longest path it can make: name %s, %s', (name, format) => {
    const fields = 'a={a}/b={b}/c={c}/d={d}';
    const spec = (chars: number) => ({ name, stream: 's', format, layout: fields, prefix: prefixOf(chars) });
    const values = Array.from({ length: 4 }, () => 'é'.repeat(20) + 'x'.repeat(8));
    const partition = compileLayout(fields).format({ timeMs: 0, fields: values }) ?? '';
    expect(partition.length).toBe(4 * (2 + 128) + 3);
    let chars = 1;
    while (problemsOf(spec(chars + 1)).code === 'none') chars += 1;
    expect(problemsOf(spec(chars + 1))).toEqual({ code: 'argument-invalid', paths: ['prefix'] });
    const file = dataFileName({ delivery: name, firstArrivalMs: 0, nonce: randomUUID() }, 10_000, format);
    const path = `${prefixOf(chars)}/${partition}/${file}`;
    expect(lakePath(path).length).toBeGreaterThan(1024 - 16);
  });

  test.each([undefined, null, 'x', 3, []])('refuses %j', (input) => {
    expect(problemsOf(input).code).toBe('argument-invalid');
  });
});
