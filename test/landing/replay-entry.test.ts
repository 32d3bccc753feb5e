/** Replay entries of a landing log: the fence, checkpoints, and what a store does that loses their files. */
import { expect, test } from 'vitest';
import { type LandingLog, openLandingLog } from '../../src/landing/landing-log.ts';
import type { RejectedFile } from '../../src/model/data-file.ts';
import { asOffset, asShard } from '../../src/model/stream.ts';
import type { LakeStore } from '../../src/ports/lake-store.ts';
import { memoryLog } from './memory-log.ts';

const REASON = { code: 'not-json' as const, rows: 2 };
const commonOf = (rows: number) => ({
  rows,
  partition: 'p',
  eventMinMs: 0,
  eventMaxMs: 1,
  columns: [],
  planVersion: 1,
});

/** Lands three rows and rejects two. */
async function landRejects(log: LandingLog): Promise<void> {
  const nonce = log.nonce();
  const at = log.view().positions.get(asShard(0)) ?? asOffset(0);
  const data = await log.stage(nonce, { local: 'abc', name: `${nonce}-data`, directory: 'd' });
  const bad = await log.stage(nonce, { local: 'xy', name: `${nonce}-rejected`, directory: '_rejected/d' });
  const ranges = new Map([[asShard(0), { from: at, to: asOffset(at + 5) }]]);
  const files = [{ ...commonOf(3), bytes: 3, closedBecause: 'age' as const, handle: data }];
  const rejected = [{ rows: 2, bytes: 2, reasons: [REASON], handle: bad }];
  const draft = { nonce, ranges, planVersion: 1, files, rejected, extraRows: 0, lateRows: 0 };
  expect(await log.commit(draft)).toBe('committed');
}

async function replayDraft(log: LandingLog, removed: readonly RejectedFile[]) {
  const nonce = log.nonce();
  const data = await log.stage(nonce, { local: 'x', name: `${nonce}-data`, directory: 'd' });
  const bad = await log.stage(nonce, { local: 'y', name: `${nonce}-rejected`, directory: '_rejected/d' });
  return {
    nonce,
    planVersion: 2,
    removed,
    replayed: [{ ...REASON, rows: 1 }],
    files: [{ ...commonOf(1), bytes: 1, closedBecause: 'replay' as const, handle: data }],
    rejected: [{ rows: 1, bytes: 1, reasons: [{ ...REASON, rows: 1 }], handle: bad }],
    extraRows: 0,
    lateRows: 0,
  };
}

const rejectedOf = async (log: LandingLog): Promise<readonly RejectedFile[]> =>
  (await log.rejectedFiles({ limit: 10 })).items;
const visible = async (store: LakeStore, prefix: string): Promise<number> => (await store.list(prefix)).files.length;

test.each([1000, 1])('a reject lands once, also over a checkpoint every %i entries', async (checkpointEntries) => {
  const { options, store } = await memoryLog({ checkpointEntries });
  const log = await openLandingLog(options);
  await landRejects(log);
  await log.maintain();
  const removed = await rejectedOf(log);
  const other = await openLandingLog(options);
  expect(await log.commitReplay(await replayDraft(log, removed))).toBe('committed');
  expect(await other.commitReplay(await replayDraft(other, removed))).toBe('superseded');
  await log.maintain();
  await expect(log.commitReplay(await replayDraft(log, []))).rejects.toThrow(/would leave/);
  for (const opened of [log, other, await openLandingLog(options)]) {
    expect(opened.view()).toMatchObject({
      liveFiles: 2,
      planVersion: 2,
      totals: { rows: 4, files: 2, rejectedRows: 2, replayedRows: 1 },
      rejects: { groups: [{ code: 'not-json', rejected: 2, skipped: 0, replayed: 1 }] },
    });
    expect(await rejectedOf(opened)).toMatchObject([{ rows: 1 }]);
  }
  expect([await visible(store, 'd/'), await visible(store, '_rejected/')]).toEqual([2, 1]);
});

test('a replay that loses a file is taken back whole, and its rejects can be replayed again', async () => {
  const { options, store } = await memoryLog({ checkpointEntries: 1 });
  const log = await openLandingLog(options);
  await landRejects(log);
  await log.maintain();
  const before = log.view();
  const removed = await rejectedOf(log);
  const draft = await replayDraft(log, removed);
  const { publish } = store;
  store.publish = async (handle, call) => {
    if (handle.final === draft.files[0]?.handle.final) await store.discard(handle);
    return publish(handle, call);
  };
  expect(await log.commitReplay(draft)).toBe('superseded');
  await log.maintain();
  for (const opened of [log, await openLandingLog(options)]) {
    const { totals, liveFiles, rejects } = opened.view();
    expect({ totals, liveFiles, rejects }).toEqual({
      totals: before.totals,
      liveFiles: before.liveFiles,
      rejects: before.rejects,
    });
    expect(await rejectedOf(opened)).toEqual(removed);
  }
  expect([await visible(store, 'd/'), await visible(store, '_rejected/')]).toEqual([1, 1]);
  expect(await log.commitReplay(await replayDraft(log, removed))).toBe('committed');
});

test('a replay whose rejects somebody deleted too says that the rows are gone', async () => {
  const { options, store } = await memoryLog();
  const log = await openLandingLog(options);
  await landRejects(log);
  const removed = await rejectedOf(log);
  const draft = await replayDraft(log, removed);
  const { publish } = store;
  store.publish = async (handle, call) => {
    for (const { path } of removed) await store.remove(path);
    if (handle.final === draft.files[0]?.handle.final) await store.discard(handle);
    return publish(handle, call);
  };
  await expect(log.commitReplay(draft)).rejects.toMatchObject({ code: 'stage-lost' });
  expect((await openLandingLog(options)).view().totals).toMatchObject({ lostOffsets: 1 });
});
