/** Row groups and bloom filters of written files, as another reader's view of their metadata tells them. */
import { asyncBufferFromFile, parquetMetadataAsync } from 'hyparquet';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ParquetOptions } from '../../src/model/delivery.ts';
import { type Bench, batchOf, bench, columns, INT64, source, STRING } from './records.ts';

const ROWS = 5000;
const SMALL: ParquetOptions = { rowGroupRows: 2048, bloomFilters: 'none' };
const plan = { version: 1, misfit: 'reject', columns: columns({ id: INT64, shop: STRING }) } as const;

let made: Bench;
beforeAll(async () => {
  made = await bench();
});
afterAll(() => made.close());

async function landed(parquet: ParquetOptions | undefined, layout = ''): Promise<string[]> {
  const records = Array.from({ length: ROWS }, (_, i) => ({ id: i, shop: `s${i % 2}` }));
  const job = await made.job({ plan, layout, ...(parquet === undefined ? {} : { parquet }) });
  const { files } = await made.converter.convert(job, source(batchOf(records)));
  return files.map(({ local }) => local);
}

/** Rows of each row group, and how many of them have a filter of the column `shop`. */
async function groupsOf(local: string | undefined) {
  const { row_groups: groups } = await parquetMetadataAsync(await asyncBufferFromFile(local ?? ''));
  const shops = groups.map(({ columns: chunks }) =>
    chunks.find(({ meta_data: facts }) => facts?.path_in_schema.join('.') === 'shop'),
  );
  return {
    rows: groups.map(({ num_rows: rows }) => Number(rows)),
    filters: shops.filter((shop) => shop?.meta_data?.bloom_filter_offset !== undefined).length,
    statistics: shops.map((shop) => shop?.meta_data?.statistics?.max_value),
  };
}

describe('Parquet files', () => {
  test('that land are written as the delivery says, in one partition or several', async () => {
    expect(await groupsOf((await landed(undefined))[0])).toEqual({ rows: [ROWS], filters: 1, statistics: ['s1'] });
    const [small] = await landed(SMALL);
    const facts = { rows: [2048, 2048, 904], filters: 0, statistics: ['s1', 's1', 's1'] };
    expect(await groupsOf(small)).toEqual(facts);
    const files = await landed({ rowGroupRows: 2048 }, 'shop={shop}/');
    expect(files).toHaveLength(2);
    for (const file of files) {
      const { rows, filters } = await groupsOf(file);
      expect(rows.reduce((sum, one) => sum + one, 0)).toBe(ROWS / 2);
      expect(Math.max(...rows)).toBe(2048);
      expect(filters).toBe(rows.length);
    }
  });

  test('that are merged, or written without some rows, are written likewise', async () => {
    const [one = '', two = ''] = [...(await landed(undefined)), ...(await landed(undefined))];
    const style = { format: 'parquet', compression: 'zstd', bytes: 1000 } as const;
    const inputs = [one, two].map((local) => ({ local, planVersion: 1 }));
    const directory = await made.emptyFolder();
    const merged = await made.converter.merge({ ...style, parquet: SMALL, inputs, sort: ['id'], directory });
    expect(await groupsOf(merged.local)).toMatchObject({ rows: [2048, 2048, 2048, 2048, 1808], filters: 0 });
    const { kept } = await made.converter.dropRows({
      ...style,
      parquet: { rowGroupRows: 4096, bloomFilters: 0.2 },
      local: merged.local,
      field: 'id',
      values: ['7'],
      rewrite: true,
      directory: await made.emptyFolder(),
    });
    // The engine writes whole chunks, and a row is missing in the first.
    expect(await groupsOf(kept?.local)).toMatchObject({ rows: [6142, 3856], filters: 2 });
  });
});
