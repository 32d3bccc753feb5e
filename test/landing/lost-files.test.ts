/** Files that the lake lost and an operator gave up: what is told of their partitions, and what the log counts. */
import { expect, test } from 'vitest';
import { type LandingLog, openLandingLog } from '../../src/landing/landing-log.ts';
import type { DataFile } from '../../src/model/data-file.ts';
import { asOffset, asShard } from '../../src/model/stream.ts';
import { memoryLog } from './memory-log.ts';

const CLOSES_AT_MS = 1000;

async function landFile(log: LandingLog, rows: number, watermarkMs?: number): Promise<void> {
  const nonce = log.nonce();
  const from = log.view().positions.get(asShard(0)) ?? asOffset(0);
  const handle = await log.stage(nonce, { local: 'x'.repeat(rows), name: `${nonce}-data`, directory: 'd/p' });
  const ranges = new Map([[asShard(0), { from, to: asOffset(from + rows) }]]);
  const facts = { partition: 'p', eventMinMs: 0, eventMaxMs: 1, columns: [], planVersion: 1, closesAtMs: CLOSES_AT_MS };
  const files = [{ ...facts, rows, bytes: handle.bytes, closedBecause: 'age' as const, handle }];
  const draft = { nonce, ranges, planVersion: 1, files, rejected: [], extraRows: 0, lateRows: 0 };
  await log.commit(watermarkMs === undefined ? draft : { ...draft, watermarkMs });
}

async function giveUp(log: LandingLog, file: DataFile): Promise<string> {
  const { partition, rows, bytes } = file;
  const parts = [{ partition, rows, bytes, closesAtMs: CLOSES_AT_MS }];
  const nothing = { removedRejected: [], files: [], rejected: [] };
  return log.commitDrop({ nonce: log.nonce(), cause: 'lost', removed: [file], parts, ...nothing });
}

test.each([1000, 1])(
  'before a partition is complete, what is given up is not told of it, after that it is reopened (checkpoint every %i entries)',
  async (checkpointEntries) => {
    const { options, store } = await memoryLog({ checkpointEntries });
    const noticed = { ...options, manifests: true, notices: true };
    const log = await openLandingLog(noticed);
    const filesOf = async (): Promise<DataFile[]> => {
      const found: DataFile[] = [];
      await log.eachFile(({ file }) => found.push(file));
      return found.sort((a, b) => a.rows - b.rows);
    };
    const told = async (under: string): Promise<unknown> => {
      const { files } = await store.list(`_lakeward/d/${under}/`);
      const bytes = await store.read(files.at(-1)?.path ?? ('none' as never));
      return bytes === undefined ? undefined : JSON.parse(new TextDecoder().decode(bytes));
    };
    for (const rows of [1, 2, 4]) await landFile(log, rows);
    await log.maintain();
    const [, , four] = await filesOf();
    if (four === undefined) throw new Error('no file');
    await store.remove(four.path);
    expect(await giveUp(log, four)).toBe('committed');
    expect(await giveUp(log, four)).toBe('superseded');
    await log.maintain();
    await landFile(log, 8, CLOSES_AT_MS);
    expect(await told('complete')).toMatchObject({ partition: 'p', rows: 11, files: 3 });
    await log.maintain();

    const eight = (await filesOf()).at(-1);
    if (eight === undefined) throw new Error('no file');
    await store.remove(eight.path);
    expect(await giveUp(log, eight)).toBe('committed');
    const after = { partition: 'p', rows: 3, files: 2, lateRows: 0, lostRows: 8 };
    expect(await told('reopened/p')).toMatchObject(after);
    expect(await told('notices')).toMatchObject({ events: [{ event: 'reopened', ...after }] });
    expect(await told('manifest/p')).toMatchObject({ rows: 3, files: [{ rows: 1 }, { rows: 2 }] });
    for (const opened of [log, await openLandingLog(noticed)]) {
      expect(opened.view()).toMatchObject({ liveFiles: 2, totals: { rows: 15, lostRows: 12, lostOffsets: 0 } });
    }
  },
);
