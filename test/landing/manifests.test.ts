/** Manifests of partitions: whole after a crash at every step, made when they are first wanted, and tidied. */
import { expect, test } from 'vitest';
import { type LandingLog, type LandingLogOptions, openLandingLog } from '../../src/landing/landing-log.ts';
import type { DataFile } from '../../src/model/data-file.ts';
import { lakePath } from '../../src/model/lake-path.ts';
import { asOffset, asShard } from '../../src/model/stream.ts';
import { memoryLog } from './memory-log.ts';

const HOUR_MS = 3_600_000;
const COMMON = { eventMinMs: 0, eventMaxMs: 1, columns: [], planVersion: 1 };

async function bench() {
  const { store, options: plain, later } = await memoryLog({ sweepEveryMs: 0, checkpointEntries: 3 });
  const options: LandingLogOptions = { ...plain, manifests: true };
  const pathsOf = async (prefix: string): Promise<string[]> => (await store.list(prefix)).files.map(({ path }) => path);
  /** Rows by partition, as the newest manifests say; every file they name is there. */
  async function told(): Promise<Record<string, number>> {
    const rows: Record<string, number> = {};
    const visible = new Set(await pathsOf('d/'));
    for (const path of await pathsOf('_lakeward/d/manifest/')) {
      const text = new TextDecoder().decode(await store.read(lakePath(path)));
      const manifest = JSON.parse(text) as { partition: string; rows: number; files: readonly { path: string }[] };
      rows[manifest.partition] = manifest.rows;
      const isNewest = path === (await pathsOf(path.slice(0, path.lastIndexOf('/') + 1))).at(-1);
      if (isNewest) expect(manifest.files.filter((file) => !visible.has(file.path))).toEqual([]);
    }
    return rows;
  }
  return { store, options, later, told, pathsOf };
}

async function landFiles(log: LandingLog, partitions: Readonly<Record<string, number>>): Promise<void> {
  const nonce = log.nonce();
  const from = log.view().positions.get(asShard(0)) ?? asOffset(0);
  const files = await Promise.all(
    Object.entries(partitions).map(async ([partition, rows]) => {
      const to = { name: `${nonce}-${partition}`, directory: `d/${partition}` };
      const handle = await log.stage(nonce, { local: 'x'.repeat(rows), ...to });
      return { ...COMMON, partition, rows, bytes: handle.bytes, closedBecause: 'age' as const, handle };
    }),
  );
  const ranges = new Map([[asShard(0), { from, to: asOffset(from + 1) }]]);
  await log.commit({ nonce, ranges, planVersion: 1, files, rejected: [], extraRows: 0, lateRows: 0 });
}

async function mergeAll(log: LandingLog, partition: string): Promise<void> {
  const removed: DataFile[] = [];
  await log.eachFile(({ file }) => {
    if (file.partition === partition) removed.push(file);
  });
  const rows = removed.reduce((sum, file) => sum + file.rows, 0);
  const nonce = log.nonce();
  const to = { name: `${nonce}-merged`, directory: `d/${partition}` };
  const handle = await log.stage(nonce, { local: 'x'.repeat(rows), ...to });
  const files = [{ ...COMMON, partition, rows, bytes: handle.bytes, closedBecause: 'merge' as const, handle }];
  const side = { rows, checksum: 'c' };
  await log.commitMerge({ nonce, removed, files, before: side, after: side });
}

test('after a crash at any step manifests say what was before or what is now, and after the next opening what is now', async () => {
  const steps = ['staged', 'entry-created', 'published-one', 'marked', 'removed-one', 'published'] as const;
  for (const crashAt of steps) {
    const { options, told } = await bench();
    const log = await openLandingLog(options);
    await landFiles(log, { p: 2, q: 3 });
    let dies = false;
    const step = (name: string): void => {
      if (dies && name === crashAt) throw new Error('died');
    };
    const dying = await openLandingLog({ ...options, step });
    dies = true;
    if (crashAt !== 'removed-one') {
      await expect(landFiles(dying, { p: 4, r: 1 })).rejects.toThrow('died');
      const meanwhile = await told();
      expect([2, 6]).toContain(meanwhile['p']);
      await openLandingLog(options);
      expect(await told()).toEqual(crashAt === 'staged' ? { p: 2, q: 3 } : { p: 6, q: 3, r: 1 });
      continue;
    }
    dies = false;
    await landFiles(dying, { p: 4, r: 1 });
    dies = true;
    await expect(mergeAll(dying, 'p')).rejects.toThrow('died');
    expect(await told()).toEqual({ p: 6, q: 3, r: 1 });
    await openLandingLog(options);
    expect(await told()).toEqual({ p: 6, q: 3, r: 1 });
  }
});

test('they are made of every partition when they are first wanted, and anew when that is after a while without', async () => {
  const { options, told, later, pathsOf } = await bench();
  const plain = await openLandingLog({ ...options, manifests: false });
  for (const partition of ['p', 'q', 'r', 's']) {
    await landFiles(plain, { [partition]: 1 });
    await plain.maintain();
  }
  expect(await told()).toEqual({});
  await openLandingLog(options);
  expect(await told()).toEqual({ p: 1, q: 1, r: 1, s: 1 });
  await landFiles(await openLandingLog({ ...options, manifests: false }), { p: 5 });
  expect(await told()).toMatchObject({ p: 1 });
  const log = await openLandingLog(options);
  expect(await told()).toMatchObject({ p: 6, q: 1 });
  later(2 * HOUR_MS);
  await landFiles(log, { p: 1 });
  later(2 * HOUR_MS);
  await log.maintain();
  expect(await told()).toEqual({ p: 7, q: 1, r: 1, s: 1 });
  expect(await pathsOf('_lakeward/d/manifest/')).toHaveLength(4);
  await (await openLandingLog({ ...options, manifests: false })).maintain();
  expect(await pathsOf('_lakeward/d/manifest')).toEqual([]);
});
