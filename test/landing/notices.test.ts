/** Notices of a landing log beside its markers: none is left out, whatever fails between the two, and they come in the order of entries. */
import { expect, test } from 'vitest';
import { type LandingLog, openLandingLog } from '../../src/landing/landing-log.ts';
import { noticeBox } from '../../src/landing/notices.ts';
import { LakewardError } from '../../src/model/errors.ts';
import { asOffset, asShard } from '../../src/model/stream.ts';
import { memoryLog } from './memory-log.ts';

/** One row in each partition; a partition is over at its number. */
async function land(log: LandingLog, partitions: readonly number[], watermarkMs: number): Promise<string> {
  const nonce = log.nonce();
  const from = log.view().positions.get(asShard(0)) ?? asOffset(0);
  const files = [];
  for (const closesAtMs of partitions) {
    const partition = `p=${closesAtMs}`;
    const handle = await log.stage(nonce, { local: 'x', name: `${nonce}-${closesAtMs}`, directory: `d/${partition}` });
    const facts = { partition, eventMinMs: 0, eventMaxMs: 1, columns: [], planVersion: 1, closesAtMs, rows: 1 };
    files.push({ ...facts, bytes: handle.bytes, closedBecause: 'age' as const, handle });
  }
  const ranges = new Map([[asShard(0), { from, to: asOffset(from + partitions.length) }]]);
  return log.commit({ nonce, ranges, planVersion: 1, files, rejected: [], extraRows: 0, lateRows: 0, watermarkMs });
}

test.each(['complete/', 'notices/'])('a process that dies before %s are written leaves none out', async (folder) => {
  const { options, store } = await memoryLog();
  const noticed = { ...options, notices: true };
  const { create } = store;
  const log = await openLandingLog(noticed);
  await land(log, [1, 2, 3], 0);
  store.create = async (path, ...rest) => {
    if (path.includes(`/${folder}`)) throw new LakewardError('lake-unavailable', 'cut');
    return create(path, ...rest);
  };
  await expect(land(log, [9], 2)).rejects.toMatchObject({ code: 'lake-unavailable' });
  // Nobody goes on without them.
  await expect(openLandingLog(noticed)).rejects.toMatchObject({ code: 'lake-unavailable' });
  store.create = create;
  const other = await openLandingLog(noticed);
  expect(other.view()).toMatchObject({ entry: 2, totals: { rows: 4 } });
  expect(await land(other, [1], 3)).toBe('committed');
  const box = noticeBox(store, 'd');
  const { notices } = await box.pending();
  const told = await Promise.all(notices.map(async ({ n }) => (await box.read(n)).map(textOf).sort()));
  expect(told).toEqual([
    ['2 complete p=1 1', '2 complete p=2 1'],
    ['3 complete p=3 1', '3 reopened p=1 2'],
  ]);
  await box.told(2);
  expect((await box.pending({ tidy: true })).notices).toMatchObject([{ n: 3 }]);
});

function textOf(event: Awaited<ReturnType<ReturnType<typeof noticeBox>['read']>>[number]): string {
  return `${event.entry} ${event.event} ${event.partition} ${event.rows}`;
}
