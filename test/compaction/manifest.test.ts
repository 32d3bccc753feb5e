/** Manifests as another program reads them. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { queryFiles } from '../../src/convert/query.ts';
import { type Bench, bench } from '../convert/records.ts';
import { type CompactionWorld, compactionWorld, HOUR_MS } from './world.ts';

let engines: Bench;
let world: CompactionWorld;
beforeAll(async () => {
  engines = await bench();
});
beforeEach(async () => {
  world = await compactionWorld(engines, { manifests: true });
});
afterEach(() => world.close());
afterAll(() => engines.close());

const RULE = { readers: 'manifest' as const, keepMs: 7 * 24 * HOUR_MS };

test('DuckDB reads a table by its manifests in two statements', { timeout: 120_000 }, async () => {
  const log = await world.openLog();
  for (const hour of [0, 1]) for (const id of [1, 2, 3]) await world.land(log, `hour=${hour}`, [hour * 10 + id]);
  await world.clock.advance(HOUR_MS);
  await log.maintain();
  await world.clock.advance(HOUR_MS);
  expect(await world.compact({ rule: RULE })).toMatchObject({ groups: 2 });
  expect((await world.listed()).rows).toHaveLength(12);
  const answer = await queryFiles(`
    SET VARIABLE files = (SELECT list('${world.lake}/' || file.path) FROM (
      SELECT unnest(arg_max(files, entry)) AS file
      FROM read_json('${world.lake}/_lakeward/d/manifest/**/*.json') GROUP BY partition));
    SELECT id FROM read_parquet(getvariable('files'), union_by_name = true) ORDER BY id`);
  expect(answer.map(({ id }) => Number(id))).toEqual([1, 2, 3, 11, 12, 13]);
});
