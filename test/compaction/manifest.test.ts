/** What a reader sees who goes by the manifests alone, with another reader than ours, while rows land and files are merged. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { queryFiles } from '../../src/convert/query.ts';
import { type Bench, bench, parquetRows } from '../convert/records.ts';
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

interface Manifest {
  readonly partition: string;
  readonly entry: number;
  readonly rows: number;
  readonly files: readonly { readonly path: string; readonly rows: number }[];
}

/** Ids of all rows that the newest manifests name, sorted. Fails on a file that is not there, or holds other rows. */
async function readIds(): Promise<number[]> {
  const folder = join(world.lake, '_lakeward/d/manifest');
  const listed = await readdir(folder, { recursive: true });
  const newest = new Map<string, string>();
  for (const path of listed.filter((name) => name.endsWith('.json')).sort()) {
    newest.set(path.slice(0, path.lastIndexOf('/')), path);
  }
  const ids: number[] = [];
  for (const path of newest.values()) {
    const manifest = JSON.parse(await readFile(join(folder, path), 'utf8')) as Manifest;
    let rows = 0;
    for (const file of manifest.files) {
      const held = await parquetRows(join(world.lake, file.path));
      expect(held).toHaveLength(file.rows);
      rows += file.rows;
      ids.push(...held.map((row) => Number(row['id'])));
    }
    expect(manifest.rows).toBe(rows);
  }
  return ids.sort((a, b) => a - b);
}

test('a reader sees every row that has landed exactly once, all the time, while late rows land and files are merged', async () => {
  const log = await world.openLog();
  const landed: number[] = [];
  let begun = 0;
  async function land(partition: string, rows: number): Promise<void> {
    const ids = Array.from({ length: rows }, (_, i) => begun + i);
    begun += rows;
    await world.land(log, partition, ids);
    landed.push(...ids);
  }
  await land('hour=0', 2);
  const over = new AbortController();
  let looks = 0;
  let merges = 0;
  async function watch(): Promise<void> {
    while (!over.signal.aborted) {
      const atLeast = landed.length;
      const ids = await readIds();
      looks++;
      expect(new Set(ids).size).toBe(ids.length);
      // Rows land one landing after the other: those that had landed before are the first.
      expect(ids.slice(0, atLeast)).toEqual(Array.from({ length: atLeast }, (_, i) => i));
      expect(ids.length).toBeLessThanOrEqual(begun);
    }
  }
  async function work(): Promise<void> {
    try {
      for (let round = 0; round < 6; round++) {
        for (const hour of [0, 1]) await land(`hour=${hour}`, 2);
        await world.clock.advance(HOUR_MS);
        await log.maintain();
        await world.clock.advance(HOUR_MS);
        const [run] = await Promise.all([world.compact({ rule: RULE }), land('hour=3', 1)]);
        expect(run).toMatchObject({ outcome: 'done', groupsFailed: 0 });
        merges += run.groups;
      }
    } finally {
      over.abort();
    }
  }
  await Promise.all([work(), watch()]);
  expect(await readIds()).toEqual(Array.from({ length: begun }, (_, i) => i));
  expect(merges).toBeGreaterThan(8);
  expect(looks).toBeGreaterThan(merges);
}, 60_000);

test('DuckDB reads a table by its manifests in two statements', async () => {
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
