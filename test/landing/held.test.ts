/** Late rows that are held: durable and counted, shown to nobody, and shown once when they are released. */
import { expect, test } from 'vitest';
import { type LandedFile, type LandingLog, openLandingLog } from '../../src/landing/landing-log.ts';
import type { LakePath } from '../../src/model/lake-path.ts';
import { asOffset, asShard } from '../../src/model/stream.ts';
import type { LakeStore } from '../../src/ports/lake-store.ts';
import { memoryLog } from './memory-log.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

const bench = (tuning: object = {}) => memoryLog({ sweepEveryMs: 0, ...tuning });

const COMMON = { eventMinMs: 0, eventMaxMs: 1, columns: [], planVersion: 1 };

/** Lands a file of the hour that ends first; the watermark is past it from the first landing on. */
async function land(log: LandingLog, rows: number, held = false): Promise<void> {
  const nonce = log.nonce();
  const from = log.view().positions.get(asShard(0)) ?? asOffset(0);
  const directory = `${held ? log.heldFolder : ''}d/hour=0`;
  const handle = await log.stage(nonce, { local: 'x'.repeat(rows), name: `${nonce}-data`, directory });
  const ranges = new Map([[asShard(0), { from, to: asOffset(from + rows) }]]);
  const facts = { partition: 'hour=0', closesAtMs: HOUR_MS, rows, bytes: handle.bytes };
  const files = [{ ...COMMON, ...facts, closedBecause: 'age' as const, handle }];
  const counts = { extraRows: 0, lateRows: held ? rows : 0, watermarkMs: 2 * HOUR_MS };
  await log.commit({ nonce, ranges, planVersion: 1, files, rejected: [], ...counts });
}

async function releaseDraft(log: LandingLog) {
  const nonce = log.nonce();
  const removed = log.view().held.map(({ file }) => file);
  const rows = removed.reduce((sum, file) => sum + file.rows, 0);
  const handle = await log.stage(nonce, { local: 'x'.repeat(rows), name: `${nonce}-late`, directory: 'd/hour=0' });
  const side = { rows, checksum: 'c' };
  const facts = { partition: 'hour=0', closesAtMs: HOUR_MS, rows, bytes: handle.bytes };
  const files = [{ ...COMMON, ...facts, closedBecause: 'merge' as const, handle }];
  return { nonce, removed, files, before: side, after: side, released: true as const };
}

const listed = async (store: LakeStore, prefix: string): Promise<LakePath[]> =>
  (await store.list(prefix)).files.map(({ path }) => path);

async function shown(log: LandingLog): Promise<{ data: number[]; held: LandedFile[] }> {
  const data: number[] = [];
  const held: LandedFile[] = [];
  await log.eachFile(({ file }) => data.push(file.rows), { held: (file) => held.push(file) });
  return { data: data.sort((a, b) => a - b), held };
}

async function markerOf(store: LakeStore, path: LakePath | undefined): Promise<unknown> {
  return JSON.parse(new TextDecoder().decode(path === undefined ? undefined : await store.read(path)));
}

test.each([1000, 1])(
  'held rows land and show nowhere until they are released, also over a checkpoint every %i entries',
  async (checkpointEntries) => {
    const { options, store } = await bench({ checkpointEntries });
    const log = await openLandingLog({ ...options, manifests: true });
    await land(log, 3);
    await land(log, 4, true);
    await log.maintain();
    await land(log, 5, true);
    await log.maintain();
    for (const opened of [log, await openLandingLog({ ...options, manifests: true })]) {
      const { held, liveFiles, totals, positions } = opened.view();
      expect(held.map(({ file }) => file.rows)).toEqual([4, 5]);
      expect([liveFiles, totals.rows, totals.lateRows, positions.get(asShard(0))]).toEqual([1, 12, 9, 12]);
      expect(await shown(opened)).toMatchObject({ data: [3], held: [{ file: { rows: 4 } }, { file: { rows: 5 } }] });
      expect((await opened.files({ limit: 10 })).items.map(({ rows }) => rows)).toEqual([3]);
    }
    expect(await listed(store, 'd/')).toHaveLength(1);
    expect(await listed(store, '_lakeward/d/held/d/hour=0/')).toHaveLength(2);
    expect(await listed(store, '_lakeward/d/reopened/')).toEqual([]);
    expect(await listed(store, '_lakeward/d/manifest/hour=0/')).toHaveLength(1);

    expect(await log.commitMerge(await releaseDraft(log))).toBe('committed');
    await log.maintain();
    for (const opened of [log, await openLandingLog({ ...options, manifests: true })]) {
      expect(await shown(opened)).toEqual({ data: [3, 9], held: [] });
      expect(opened.view()).toMatchObject({ held: [], liveFiles: 2, totals: { rows: 12, lateRows: 9 } });
    }
    expect(await listed(store, '_lakeward/d/held/')).toEqual([]);
    const [reopened, ...others] = await listed(store, '_lakeward/d/reopened/hour=0/');
    expect(others).toEqual([]);
    expect(await markerOf(store, reopened)).toMatchObject({ rows: 12, files: 2, lateRows: 9 });
    const manifests = await listed(store, '_lakeward/d/manifest/hour=0/');
    expect(await markerOf(store, manifests.at(-1))).toMatchObject({ rows: 12 });
  },
);

test('rows are released once, and those held meanwhile stay held', async () => {
  const { options } = await bench();
  const log = await openLandingLog(options);
  await land(log, 3);
  await land(log, 4, true);
  const other = await openLandingLog(options);
  const [one, two] = [await releaseDraft(log), await releaseDraft(other)];
  await land(log, 5, true);
  expect(await log.commitMerge(one)).toBe('committed');
  expect(await other.commitMerge(two)).toBe('superseded');
  for (const opened of [log, other]) {
    const { data, held } = await shown(opened);
    expect([data, held.map(({ file }) => file.rows)]).toEqual([[3, 4], [5]]);
  }
});

test.each([1000, 1])(
  'a release whose file is lost is taken back: the rows are held again (%i)',
  async (checkpointEntries) => {
    const { options, store } = await bench({ checkpointEntries });
    const log = await openLandingLog(options);
    await land(log, 3);
    await land(log, 4, true);
    await log.maintain();
    const draft = await releaseDraft(log);
    const { publish } = store;
    store.publish = async (handle) => {
      await store.discard(handle);
      return publish(handle);
    };
    expect(await log.commitMerge(draft)).toBe('superseded');
    store.publish = publish;
    expect(await shown(log)).toMatchObject({ data: [3], held: [{ file: { rows: 4 } }] });
    expect(await listed(store, '_lakeward/d/reopened/')).toEqual([]);
    expect(await log.commitMerge(await releaseDraft(log))).toBe('committed');
    const { data, held } = await shown(await openLandingLog(options));
    expect([data, held]).toEqual([[3, 4], []]);
    expect(log.view().liveFiles).toBe(2);
  },
);

test('a held file that a late copy puts back is removed for a day', async () => {
  const { options, store, later } = await bench();
  const log = await openLandingLog(options);
  await land(log, 3);
  await land(log, 4, true);
  const [path] = await listed(store, '_lakeward/d/held/');
  await log.commitMerge(await releaseDraft(log));
  for (const hours of [1, 22]) {
    await store.create(path as LakePath, new TextEncoder().encode('xxxx'));
    later(hours * HOUR_MS);
    await log.maintain();
    expect(await listed(store, '_lakeward/d/held/')).toEqual([]);
  }
});
