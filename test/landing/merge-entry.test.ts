/** Merges in a landing log: the fence, what becomes of the files they replace, and what a store does that loses their files. */
import { expect, test } from 'vitest';
import { type LandedFile, type LandingLog, openLandingLog } from '../../src/landing/landing-log.ts';
import type { DataFile } from '../../src/model/data-file.ts';
import { asOffset, asShard } from '../../src/model/stream.ts';
import type { LakeStore } from '../../src/ports/lake-store.ts';
import { memoryLog } from './memory-log.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

const bench = (tuning: object = {}) => memoryLog({ sweepEveryMs: 0, ...tuning });

const COMMON = { partition: 'p', eventMinMs: 0, eventMaxMs: 1, columns: [], planVersion: 1 };

async function landFile(log: LandingLog, rows: number): Promise<void> {
  const nonce = log.nonce();
  const from = log.view().positions.get(asShard(0)) ?? asOffset(0);
  const handle = await log.stage(nonce, { local: 'x'.repeat(rows), name: `${nonce}-data`, directory: 'd/p' });
  const ranges = new Map([[asShard(0), { from, to: asOffset(from + rows) }]]);
  const files = [{ ...COMMON, rows, bytes: handle.bytes, closedBecause: 'age' as const, handle }];
  await log.commit({ nonce, ranges, planVersion: 1, files, rejected: [], extraRows: 0, lateRows: 0 });
}

async function filesOf(log: LandingLog): Promise<LandedFile[]> {
  const found: LandedFile[] = [];
  await log.eachFile((file) => found.push(file));
  return found.sort((a, b) => (a.file.path < b.file.path ? -1 : 1));
}

async function mergeDraft(log: LandingLog, removed: readonly DataFile[], keepMs?: number) {
  const nonce = log.nonce();
  const rows = removed.reduce((sum, file) => sum + file.rows, 0);
  const handle = await log.stage(nonce, { local: 'x'.repeat(rows), name: `${nonce}-merged`, directory: 'd/p' });
  const side = { rows, checksum: 'c' };
  const files = [{ ...COMMON, rows, bytes: handle.bytes, closedBecause: 'merge' as const, handle }];
  return { nonce, removed, files, before: side, after: side, ...(keepMs === undefined ? {} : { keepMs }) };
}

const visible = async (store: LakeStore): Promise<number> => (await store.list('d/')).files.length;
const dataOf = async (log: LandingLog): Promise<DataFile[]> => (await filesOf(log)).map(({ file }) => file);

test.each([1000, 1])('files are merged once, also over a checkpoint every %i entries', async (checkpointEntries) => {
  const { options, store } = await bench({ checkpointEntries });
  const log = await openLandingLog(options);
  for (const rows of [3, 4, 5]) await landFile(log, rows);
  await log.maintain();
  const other = await openLandingLog(options);
  const inputs = (await dataOf(log)).slice(0, 2);
  const [one, two] = [await mergeDraft(log, inputs), await mergeDraft(other, inputs.slice(1))];
  expect(await log.commitMerge(one)).toBe('committed');
  expect(await other.commitMerge(two)).toBe('superseded');
  await log.maintain();
  for (const opened of [log, other, await openLandingLog(options)]) {
    expect((await dataOf(opened)).map(({ rows }) => rows).sort((a, b) => a - b)).toEqual([5, 7]);
    expect(opened.view()).toMatchObject({ liveFiles: 2, totals: { rows: 12, files: 3 } });
  }
  expect(await visible(store)).toBe(2);
});

test('nothing is merged unless both sides hold the same rows', async () => {
  const { options, store } = await bench();
  const log = await openLandingLog(options);
  await landFile(log, 3);
  const draft = await mergeDraft(log, await dataOf(log));
  for (const after of [
    { rows: 3, checksum: 'other' },
    { rows: 2, checksum: 'c' },
  ])
    await expect(log.commitMerge({ ...draft, after })).rejects.toThrow(/nothing was changed/);
  await expect(log.commitMerge({ ...draft, removed: [] })).rejects.toThrow(/nothing was changed/);
  expect(await visible(store)).toBe(1);
});

test('a file may be replaced when the entry after its own, or a checkpoint, is older than any copy', async () => {
  const { options, later } = await bench();
  const log = await openLandingLog(options);
  await landFile(log, 1);
  later(60 * MINUTE_MS);
  expect((await filesOf(log)).map(({ settled }) => settled)).toEqual([false]);
  await landFile(log, 2);
  later(14 * MINUTE_MS);
  expect((await filesOf(log)).map(({ settled }) => settled)).toEqual([false, false]);
  later(MINUTE_MS);
  expect((await filesOf(log)).map(({ settled }) => settled)).toEqual([true, false]);
  // Nobody lands any more.
  await log.maintain();
  later(15 * MINUTE_MS);
  expect((await filesOf(log)).map(({ settled }) => settled)).toEqual([true, true]);
});

test('what readers of a list need stays for its time, and a copy that comes late is removed for a day', async () => {
  const { options, store, later, clock } = await bench({ checkpointEntries: 1 });
  const log = await openLandingLog(options);
  for (const rows of [3, 4]) await landFile(log, rows);
  const inputs = await dataOf(log);
  await log.commitMerge(await mergeDraft(log, inputs, clock.nowMs() + 7 * DAY_MS));
  expect((await dataOf(log)).map(({ rows }) => rows)).toEqual([7]);
  const again = await openLandingLog(options);
  for (const days of [0, 6]) {
    later(days * DAY_MS);
    await again.maintain();
    expect(await visible(store)).toBe(3);
  }
  later(DAY_MS + 1);
  await again.maintain();
  expect(await visible(store)).toBe(1);
  const [first] = inputs;
  if (first === undefined) throw new Error('no input');
  await store.create(first.path, new Uint8Array(1));
  later(MINUTE_MS);
  await again.maintain();
  expect(await visible(store)).toBe(1);
  // Two days later nobody looks for them any more, and the checkpoint says nothing of them.
  later(2 * DAY_MS);
  await landFile(again, 1);
  await again.maintain();
  const newest = (await store.list('_lakeward/d/checkpoint/')).files.at(-1);
  const text = new TextDecoder().decode(newest && (await store.read(newest.path)));
  expect(text).not.toContain('"leaving"');
});

test.each([1000, 1])('a merge that loses a file is taken back, over a checkpoint every %i entries', async (every) => {
  const { options, store } = await bench({ checkpointEntries: every });
  const log = await openLandingLog(options);
  for (const rows of [3, 4]) await landFile(log, rows);
  await log.maintain();
  const before = log.view();
  const inputs = await dataOf(log);
  const draft = await mergeDraft(log, inputs);
  const { publish } = store;
  store.publish = async (handle, call) => {
    if (handle.final === draft.files[0]?.handle.final) await store.discard(handle);
    return publish(handle, call);
  };
  expect(await log.commitMerge(draft)).toBe('superseded');
  await log.maintain();
  for (const opened of [log, await openLandingLog(options)]) {
    expect(await dataOf(opened)).toEqual(inputs);
    expect(opened.view()).toMatchObject({ totals: before.totals, liveFiles: before.liveFiles });
  }
  expect(await visible(store)).toBe(2);
  expect(await log.commitMerge(await mergeDraft(log, inputs))).toBe('committed');
  expect(await visible(store)).toBe(1);
});
