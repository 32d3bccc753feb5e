/**
 * What readers see while rows land and files are merged, a hundred times: those who go by manifests, and those who list folders. They read the
 * files with another reader than ours.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { LandingLog } from '../../src/landing/landing-log.ts';
import type { LandingStep } from '../../src/landing/steps.ts';
import { type Bench, bench, parquetRows } from '../convert/records.ts';
import { type CompactionWorld, compactionWorld, HOUR_MS } from './world.ts';

let engines: Bench;
let world: CompactionWorld;
beforeAll(async () => {
  engines = await bench();
});
afterEach(() => world.close());
afterAll(() => engines.close());

const HOURS = 10;
const LOOK_EVERY_MS = 50;
const BY_MANIFEST = { readers: 'manifest' as const, keepMs: 7 * 24 * HOUR_MS };

interface Manifest {
  readonly partition: string;
  readonly rows: number;
  readonly files: readonly { readonly path: string; readonly rows: number }[];
}

async function idsIn(path: string): Promise<number[]> {
  return (await parquetRows(join(world.lake, path))).map((row) => Number(row['id']));
}

/** Ids of all rows that the newest manifests name. Fails on a file that is not there, or holds other rows. */
async function byManifests(): Promise<number[]> {
  const folder = '_lakeward/d/manifest';
  const newest = new Map<string, string>();
  for (const path of (await readdir(join(world.lake, folder), { recursive: true })).sort()) {
    if (path.endsWith('.json')) newest.set(path.slice(0, path.lastIndexOf('/')), path);
  }
  const ids: number[] = [];
  for (const path of newest.values()) {
    const manifest = JSON.parse(await readFile(join(world.lake, folder, path), 'utf8')) as Manifest;
    const before = ids.length;
    for (const file of manifest.files) {
      const held = await idsIn(file.path);
      expect(held).toHaveLength(file.rows);
      ids.push(...held);
    }
    expect(ids.length - before).toBe(manifest.rows);
  }
  return ids;
}

async function listed(): Promise<string[]> {
  const found = await readdir(join(world.lake, 'd'), { recursive: true });
  return found.filter((path) => path.endsWith('.parquet')).map((path) => `d/${path}`);
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
const sorted = (ids: readonly number[]): number[] => ids.toSorted((a, b) => a - b);

/** Lands rows in all hours, then merges them while more land in another, again and again. Ids count up in the order rows land. */
async function busyLake(
  log: LandingLog,
  rounds: number,
  compact: (round: number) => ReturnType<CompactionWorld['compact']>,
): Promise<{ readonly rows: () => { landed: number; begun: number }; readonly over: Promise<number> }> {
  let [landed, begun] = [0, 0];
  async function land(partitions: readonly string[]): Promise<void> {
    const from = begun;
    begun += partitions.length;
    await world.landAll(log, new Map(partitions.map((partition, i) => [partition, [from + i]])));
    landed = begun;
  }
  const hours = upTo(HOURS).map((hour) => `hour=${hour}`);
  await land(hours);
  async function work(): Promise<number> {
    let merges = 0;
    for (let round = 0; round < rounds; round++) {
      for (let i = 0; i < 2; i++) await land(hours);
      await world.clock.advance(HOUR_MS);
      await log.maintain();
      await world.clock.advance(HOUR_MS);
      const [run] = await Promise.all([compact(round), land(['hour=99'])]);
      expect(run.reason).toBeUndefined();
      expect(run).toMatchObject({ outcome: 'done', groupsFailed: 0 });
      merges += run.groups;
    }
    return merges;
  }
  return { rows: () => ({ landed, begun }), over: work() };
}

test('a reader of manifests sees every row exactly once all the time, over a hundred compactions', async () => {
  world = await compactionWorld(engines, { manifests: true });
  const log = await world.openLog();
  let looks = 0;
  const lake = await busyLake(log, 10, (round) =>
    world.compact({ rule: BY_MANIFEST, ...(round === 1 ? { step: look } : {}) }),
  );
  async function look(): Promise<void> {
    const { landed } = lake.rows();
    const ids = await byManifests();
    looks++;
    const met = new Set(ids);
    expect(met.size).toBe(ids.length);
    expect(upTo(landed).filter((id) => !met.has(id))).toEqual([]);
    expect(Math.max(...ids)).toBeLessThan(lake.rows().begun);
  }
  const over = new AbortController();
  async function watch(): Promise<void> {
    while (!over.signal.aborted) {
      await look();
      await pause(LOOK_EVERY_MS);
    }
  }
  const work = lake.over.finally(() => over.abort());
  const watched = watch();
  await Promise.allSettled([work, watched]);
  await watched;
  expect(await work).toBeGreaterThanOrEqual(100);
  // One round is looked at after every step of every merge, the others as time passes.
  expect(looks).toBeGreaterThan(4 * HOURS);
  expect(sorted(await byManifests())).toEqual(upTo(lake.rows().landed));
}, 300_000);

test('a reader that lists folders sees a file that is gone, or every row: it never misses one silently', async () => {
  world = await compactionWorld(engines);
  const seen = { whole: 0, twice: 0, gone: 0 };
  let before: string[] = [];
  async function read(files: readonly string[], landed: number): Promise<void> {
    const ids: number[] = [];
    try {
      for (const path of files) ids.push(...(await idsIn(path)));
    } catch (error) {
      expect((error as NodeJS.ErrnoException).code).toBe('ENOENT');
      seen.gone++;
      return;
    }
    const met = new Set(ids);
    expect(upTo(landed).filter((id) => !met.has(id))).toEqual([]);
    seen[ids.length > met.size ? 'twice' : 'whole']++;
  }
  const lake = await busyLake(await world.openLog(), 3, () => world.compact({ step: look }));
  async function look(step: LandingStep): Promise<void> {
    if (step === 'entry-created') before = await listed();
    if (step === 'published-one' || step === 'published') await read(await listed(), lake.rows().landed);
    // Listed before the files went, read after.
    if (step === 'published') await read(before, 0);
  }
  const merges = await lake.over;
  expect(merges).toBeGreaterThanOrEqual(3 * HOURS);
  expect(Math.min(seen.twice, seen.gone)).toBeGreaterThanOrEqual(merges);
  const { whole } = seen;
  expect(whole).toBeGreaterThanOrEqual(merges);
  await read(await listed(), lake.rows().landed);
  expect(seen.whole).toBe(whole + 1);
}, 300_000);

test('a reader that lists in order of names, page by page, has a file that is gone, or every row', async () => {
  world = await compactionWorld(engines);
  const log = await world.openLog();
  for (let id = 0; id < 6; id++) await world.land(log, 'hour=1', [id]);
  const rowsOf = new Map<string, number[]>();
  /** The folder before, while and after files are exchanged. */
  const folders: string[][] = [];
  async function look(): Promise<void> {
    const files = (await listed()).sort();
    for (const path of files) rowsOf.set(path, rowsOf.get(path) ?? (await idsIn(path)));
    folders.push(files);
  }
  await look();
  for (let round = 0; round < 2; round++) {
    await world.clock.advance(HOUR_MS);
    await log.maintain();
    await world.clock.advance(HOUR_MS);
    await world.compact({ step: (step) => (step === 'published-one' || step === 'published' ? look() : undefined) });
    for (let id = 0; id < 3; id++) await world.land(log, 'hour=1', [100 + 10 * round + id]);
    await look();
  }
  const names = [...rowsOf.keys()].sort();
  const last = new Set(folders.at(-1));
  // Every way in which a reader's pages may fall between the changes: page after page of the folder as it is then.
  const pagesFrom = (at: number, after: string): string[][] => {
    const now = folders[at] ?? [];
    if (at === folders.length - 1) return [now.filter((path) => path > after)];
    return ['', ...names]
      .filter((until) => until >= after)
      .flatMap((until) => {
        const page = now.filter((path) => path > after && path <= until);
        return pagesFrom(at + 1, until).map((rest) => [...page, ...rest]);
      });
  };
  const found = pagesFrom(0, '').filter((files) => files.every((path) => last.has(path)));
  expect(found.length).toBeGreaterThan(100);
  for (const files of found)
    expect(sorted(files.flatMap((path) => rowsOf.get(path) ?? []))).toEqual(expect.arrayContaining(upTo(6)));
}, 300_000);
