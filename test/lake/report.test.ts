/** The report of a lake: what lies where, what it costs, what to move. */
import { expect, test } from 'vitest';
import { costed, csvOf } from '../../src/cli/lake/report.ts';
import { LIST_PRICES, pricesOf, requestsIn } from '../../src/cli/lake/prices.ts';
import { reportOf } from '../../src/lake/report.ts';
import { lakePath } from '../../src/model/lake-path.ts';
import type { ListedFile, ListPage } from '../../src/ports/lake-store.ts';

const DAY_MS = 86_400_000;
const nowMs = Date.UTC(2026, 0, 31);
const file = (path: string, days: number, more: Partial<ListedFile> = {}): ListedFile => ({
  path: lakePath(path),
  bytes: 2 ** 30,
  modifiedMs: nowMs - days * DAY_MS,
  storageClass: 'STANDARD',
  ...more,
});
/** Two files a page. */
const listing = (files: readonly ListedFile[]) => ({
  async list(_prefix: string, { after }: { after?: string } = {}): Promise<ListPage> {
    const from = after === undefined ? 0 : files.findIndex(({ path }) => path === after) + 1;
    const page = files.slice(from, from + 2);
    const last = page.at(-1);
    return from + 2 < files.length && last !== undefined ? { files: page, next: last.path } : { files: page };
  },
});
const deliveries = [{ name: 'd', prefix: 'a/d' }];

test('adds up every file once, by folder to the depth asked for, class and whose it is', async () => {
  const store = listing([
    file('_lakeward/d/x/log/0/00000000000000000000.json', 1, { bytes: 10 }),
    file('_lakeward/lake.json', 1, { bytes: 20 }),
    file('_rejected/d/2026-01-01/r.ndjson', 1, { bytes: 30 }),
    file('a/d/year=2025/month=01/1.parquet', 200),
    file('a/d/year=2025/month=02/2.parquet', 100, { storageClass: 'GLACIER' }),
    file('a/d/year=2025/month=02/3.parquet', 95),
    file('a/other/4.csv', 1),
    file('top.txt', 1),
  ]);
  const rows = await reportOf(store, { deliveries, depth: 1, nowMs });
  expect(rows.map((row) => [row.prefix, row.delivery, row.kind, row.storageClass, row.files])).toEqual([
    ['_lakeward/d/', 'd', 'system', 'STANDARD', 1],
    ['_lakeward/', '', 'system', 'STANDARD', 1],
    ['_rejected/d/', 'd', 'rejected', 'STANDARD', 1],
    ['a/d/year=2025/', 'd', 'data', 'STANDARD', 2],
    ['a/d/year=2025/', 'd', 'data', 'GLACIER', 1],
    ['a/', '', 'other', 'STANDARD', 1],
    ['', '', 'other', 'STANDARD', 1],
  ]);
  expect(rows[3]).toMatchObject({
    bytes: 2 * 2 ** 30,
    oldestMs: nowMs - 200 * DAY_MS,
    newestMs: nowMs - 95 * DAY_MS,
    suggestion: expect.stringContaining('GLACIER_IR'),
  });
  const deeper = await reportOf(store, { deliveries, depth: 9, nowMs });
  expect(deeper.map(({ prefix }) => prefix)).toContain('a/d/year=2025/month=02/');
});

test.each([
  ['something new', [file('a/d/1', 200), file('a/d/2', 3)], ''],
  ['something read lately', [file('a/d/1', 200, { accessedMs: nowMs - DAY_MS })], ''],
  ['small files', [file('a/d/1', 200, { bytes: 1000 })], 'larger files first'],
  ['a month of quiet', [file('a/d/1', 31)], 'STANDARD_IA'],
  ['files that are cold already', [file('a/d/1', 400, { storageClass: 'DEEP_ARCHIVE' })], ''],
  ['files on a disk', [{ path: lakePath('a/d/1'), bytes: 2 ** 30, modifiedMs: 0 }], ''],
])('suggests what fits %s', async (_what, files, suggestion) => {
  const [row] = await reportOf(listing(files), { deliveries, depth: 1, nowMs });
  if (suggestion === '') expect(row?.suggestion).toBe('');
  else expect(row?.suggestion).toContain(suggestion);
});

test('costs a day by the table of prices, requests at their rate since the start', async () => {
  const rows = await reportOf(listing([file('a/d/1,"x"', 1)]), { deliveries, depth: 1, nowMs });
  const metrics = `# TYPE lakeward_lake_requests_total counter
lakeward_lake_requests_total{operation="PutObject",status="200"} 900
lakeward_lake_requests_total{operation="PutObject",status="503"} 100
lakeward_lake_requests_total{operation="DeleteObject",status="204"} 1000
`;
  const report = costed({ rows, prices: LIST_PRICES, requests: requestsIn(metrics), observedMs: DAY_MS / 24 });
  expect(report.rows[0]?.costPerDay).toBeCloseTo((0.023 * 12) / 365);
  expect(report.requests).toEqual([
    { operation: 'PutObject', perDay: 24_000, costPerDay: expect.closeTo(0.12) },
    { operation: 'DeleteObject', perDay: 24_000, costPerDay: 0 },
  ]);
  const lines = csvOf(report, LIST_PRICES);
  expect(lines).toHaveLength(5);
  expect(new Set(lines.map((line) => line.replaceAll(/"[^"]*"/g, '').split(',').length))).toEqual(new Set([12]));
  expect(lines.at(-1)).toMatch(/^total,,,,,1,1073741824,,,,0\.1207\d\d,"list prices of \d{4}-\d\d-\d\d in USD/);
});

test('takes prices of one’s own over the built-in ones, and nothing that is none', () => {
  const own = pricesOf({ asOf: '2027-01-01', currency: 'EUR', gibMonth: { STANDARD: 0 } });
  expect(own).toMatchObject({ asOf: '2027-01-01', currency: 'EUR', gibMonth: { STANDARD: 0, GLACIER_IR: 0.004 } });
  for (const wrong of [null, [], 'x', { gibMonth: { STANDARD: 'cheap' } }, { asOf: 5 }]) {
    expect(pricesOf(wrong)).toBeUndefined();
  }
});
