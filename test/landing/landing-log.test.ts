import { describe, expect, test } from 'vitest';
import { manualClock } from '../../src/clock/manual-clock.ts';
import { memoryStore } from '../../src/lake/memory/memory-store.ts';
import {
  type AppendDraft,
  type LandingLog,
  type LandingLogOptions,
  openLandingLog,
} from '../../src/landing/landing-log.ts';
import { LakewardError } from '../../src/model/errors.ts';
import { lakePath } from '../../src/model/lake-path.ts';
import { asOffset, asShard, asStreamId } from '../../src/model/stream.ts';
import type { Clock } from '../../src/ports/clock.ts';
import type { LakeStore } from '../../src/ports/lake-store.ts';
import { logOptions } from './log-options.ts';

const HOUR_MS = 3_600_000;
const text = new TextEncoder();

interface Bench {
  readonly store: LakeStore;
  readonly options: LandingLogOptions;
  readonly clock: Clock;
}

async function bench(): Promise<Bench> {
  // Waits end at once.
  const clock = { ...manualClock(), sleep: async () => undefined };
  const store = memoryStore({ clock, takeLocal: async (local) => text.encode(local) });
  const start = async () => new Map([[asShard(0), asOffset(100)]]);
  const options = await logOptions({ store, clock, start, tuning: { tries: 1 } });
  return { store, options, clock };
}

async function draftOf(log: LandingLog, count: number, more: Partial<AppendDraft> = {}): Promise<AppendDraft> {
  const nonce = log.nonce();
  const from = log.view().positions.get(asShard(0)) ?? asOffset(0);
  const local = `rows of ${nonce}`;
  const handle = await log.stage(nonce, { local, name: `${nonce}.parquet`, directory: 'd/hour=01' });
  const file = {
    handle,
    rows: count,
    bytes: handle.bytes,
    partition: 'hour=01',
    eventMinMs: 0,
    eventMaxMs: 1,
    planVersion: 2,
    closedBecause: 'age' as const,
    columns: [{ column: 'a', nulls: 0, min: '1', max: '9' }],
    closesAtMs: 2 * HOUR_MS,
  };
  const ranges = new Map([[asShard(0), { from, to: asOffset(from + count) }]]);
  return { nonce, ranges, planVersion: 2, files: [file], rejected: [], extraRows: 1, lateRows: 0, ...more };
}

const visible = async (store: LakeStore, prefix: string): Promise<string[]> =>
  (await store.list(prefix)).files.map((file) => file.path);

describe('a landing log', () => {
  test('starts where it is told, lands, and says the same when opened again', async () => {
    const { options, store } = await bench();
    const log = await openLandingLog(options);
    expect(log.view()).toMatchObject({ entry: 0, positions: new Map([[0, 100]]), liveFiles: 0 });
    expect(await log.commit(await draftOf(log, 10, { watermarkMs: HOUR_MS + 5 }))).toBe('committed');
    expect(log.view()).toMatchObject({
      entry: 1,
      positions: new Map([[0, 110]]),
      planVersion: 2,
      liveFiles: 1,
      watermarkMs: HOUR_MS + 5,
      closedThroughMs: HOUR_MS,
      totals: { rows: 10, files: 1, extraRows: 1 },
    });
    expect(await visible(store, 'd/')).toHaveLength(1);
    expect(await visible(store, '_lakeward/d/staged/')).toEqual([]);
    const start = (): never => {
      throw new Error('asked twice');
    };
    expect((await openLandingLog({ ...options, start })).view()).toEqual(log.view());
  });

  test('lets one of two workers with the same range land; the other is superseded and leaves nothing', async () => {
    const { options, store } = await bench();
    const [one, two] = [await openLandingLog(options), await openLandingLog(options)];
    const drafts = [await draftOf(one, 5), await draftOf(two, 7)] as const;
    expect(await one.commit(drafts[0])).toBe('committed');
    expect(await two.commit(drafts[1])).toBe('superseded');
    expect(two.view().positions).toEqual(new Map([[0, 105]]));
    expect(await visible(store, 'd/')).toHaveLength(1);
    expect(await visible(store, '_lakeward/d/staged/')).toEqual([]);
  });

  test('is told by a commit of the same draft again that it was committed', async () => {
    const { options } = await bench();
    const log = await openLandingLog(options);
    const draft = await draftOf(log, 3);
    expect(await log.commit(draft)).toBe('committed');
    expect(await log.commit(draft)).toBe('committed');
    expect(log.view().totals.rows).toBe(3);
  });

  test('writes down gaps and counts what they lost', async () => {
    const { options } = await bench();
    const log = await openLandingLog(options);
    const gap = { shard: asShard(0), from: asOffset(100), to: asOffset(140), cause: 'expired' as const };
    expect(await log.commitGap([gap])).toBe('committed');
    expect(log.view()).toMatchObject({ positions: new Map([[0, 140]]), totals: { lostOffsets: 40 } });
    expect(await log.commitGap([gap])).toBe('superseded');
  });

  test('marks a partition complete once, when the watermark passes its end', async () => {
    const { options, store } = await bench();
    const log = await openLandingLog(options);
    await log.commit(await draftOf(log, 4, { watermarkMs: HOUR_MS }));
    expect(await visible(store, '_lakeward/d/complete/')).toEqual([]);
    await log.commit(await draftOf(log, 6, { watermarkMs: 2 * HOUR_MS }));
    const path = lakePath('_lakeward/d/complete/hour=01.json');
    expect(JSON.parse(new TextDecoder().decode(await store.read(path)))).toMatchObject({
      rows: 10,
      files: 2,
      entry: 2,
    });
    await log.commit(await draftOf(log, 1, { watermarkMs: 3 * HOUR_MS }));
    expect(JSON.parse(new TextDecoder().decode(await store.read(path)))).toMatchObject({ rows: 10 });
  });

  test('says of every landing that reopens a closed partition how many rows it has now, whoever finishes it', async () => {
    const { options, store } = await bench();
    let dies = false;
    const step = (name: string): void => {
      if (dies && name === 'published') throw new Error('died');
    };
    const log = await openLandingLog({ ...options, step, tuning: { checkpointEntries: 2 } });
    for (const rows of [4, 6]) {
      await log.commit(await draftOf(log, rows, { watermarkMs: 2 * HOUR_MS }));
      await log.maintain();
    }
    dies = true;
    await expect(log.commit(await draftOf(log, 3))).rejects.toThrow('died');
    expect(await visible(store, '_lakeward/d/reopened/')).toHaveLength(1);
    await openLandingLog(options);
    const reopened = await visible(store, '_lakeward/d/reopened/');
    expect(reopened).toEqual([
      '_lakeward/d/reopened/hour=01/00000000000000000002.json',
      '_lakeward/d/reopened/hour=01/00000000000000000003.json',
    ]);
    const markers = await Promise.all(
      reopened.map(async (path) => JSON.parse(new TextDecoder().decode(await store.read(lakePath(path)))) as object),
    );
    expect(markers).toMatchObject([
      { rows: 10, files: 2, lateRows: 6, entry: 2 },
      { rows: 13, files: 3, lateRows: 3, entry: 3 },
    ]);
  });

  test('pages its files in path order, over checkpoints and after them', async () => {
    const { options } = await bench();
    const log = await openLandingLog({ ...options, tuning: { checkpointEntries: 4, partFilesMax: 6 } });
    for (let i = 0; i < 19; i++) {
      await log.commit(await draftOf(log, 1));
      await log.maintain();
    }
    const again = await openLandingLog(options);
    expect(again.view()).toEqual(log.view());
    const found: string[] = [];
    for (let after: string | undefined; ; ) {
      const page = await again.files({ prefix: 'd/', after, limit: 4 });
      found.push(...page.items.map((file) => file.path));
      if (page.next === undefined) break;
      after = page.next;
    }
    expect(found).toEqual([...new Set(found)].sort());
    expect(found).toHaveLength(19);
    expect((await again.files({ prefix: 'elsewhere', limit: 4 })).items).toEqual([]);
  });
});

describe('a landing log refuses', () => {
  test('another lake, and a stream made anew under its name', async () => {
    const { options } = await bench();
    await openLandingLog(options);
    const other = { name: 's', id: asStreamId('s-2') };
    await expect(openLandingLog({ ...options, stream: other })).rejects.toMatchObject({ code: 'incarnation-mismatch' });
    await expect(openLandingLog({ ...options, lakeId: 'x' })).rejects.toMatchObject({ code: 'incarnation-mismatch' });
  });

  test('to commit to a lake that was emptied while it was open, and makes nothing there', async () => {
    const { options, store } = await bench();
    const log = await openLandingLog(options);
    const draft = await draftOf(log, 2);
    for (const path of await visible(store, '')) await store.remove(lakePath(path));
    await expect(log.commit(draft)).rejects.toMatchObject({ code: 'incarnation-mismatch' });
    expect(await visible(store, '')).toEqual([]);
  });

  test('a damaged entry, a missing one, and an emptied one without checkpoint', async () => {
    for (const damage of ['damaged', 'missing', 'emptied'] as const) {
      const { options, store } = await bench();
      const log = await openLandingLog(options);
      for (let i = 0; i < 3; i++) await log.commit(await draftOf(log, 1));
      const path = lakePath(`_lakeward/d/log/0/${'2'.padStart(20, '0')}.json`);
      if (damage === 'missing') await store.remove(path);
      else await store.overwrite(path, text.encode(damage === 'emptied' ? '{}' : '{"v":1,"n":2,"kind":"app'));
      await expect(openLandingLog(options)).rejects.toMatchObject({ code: 'landing-log-damaged' });
    }
  });

  test('to open a log whose entries are missing behind its checkpoint, or that lost its beginning', async () => {
    for (const missing of [[4], [4, 5, 6, 7], [0, 1, 2, 3]]) {
      const { options: plain, store } = await bench();
      const options = { ...plain, tuning: { tries: 1, checkpointEntries: 4 } };
      const log = await openLandingLog(options);
      for (let i = 1; i <= 9; i++) {
        await log.commit(await draftOf(log, 1));
        if (i === 3 && missing[0] !== 0) await log.maintain();
      }
      for (const n of missing) await store.remove(lakePath(`_lakeward/d/log/0/${String(n).padStart(20, '0')}.json`));
      await expect(openLandingLog(options)).rejects.toMatchObject({ code: 'landing-log-damaged' });
    }
  });

  test('to go on after a loss that cannot be rebuilt; with records gone it says so in the log, once', async () => {
    const { options, store } = await bench();
    const log = await openLandingLog(options);
    const draft = await draftOf(log, 2);
    for (const { handle } of draft.files) await store.discard(handle);
    await expect(log.commit(draft)).rejects.toMatchObject({ code: 'stage-lost' });
    await expect(openLandingLog(options)).rejects.toMatchObject({ code: 'stage-lost' });
    const rebuild = async (): Promise<'gone'> => 'gone';
    await expect(openLandingLog({ ...options, rebuild })).rejects.toMatchObject({ code: 'stage-lost' });
    const resumed = await openLandingLog(options);
    expect(resumed.view()).toMatchObject({ entry: 2, liveFiles: 0, totals: { lostOffsets: 2 } });
    expect(await resumed.commit(await draftOf(resumed, 2))).toBe('committed');
  });
});

test('a loss that maintenance meets is told to the next commit too, so that the delivery stops', async () => {
  const { options: plain, store } = await bench();
  let failing = true;
  const flaky: LakeStore = {
    ...store,
    async publish(handle, call) {
      if (failing) throw new LakewardError('lake-unavailable', 'seeded');
      return store.publish(handle, call);
    },
  };
  const log = await openLandingLog({ ...plain, store: flaky, rebuild: async () => 'gone' });
  const draft = await draftOf(log, 2);
  await expect(log.commit(draft)).rejects.toMatchObject({ code: 'lake-unavailable' });
  failing = false;
  for (const { handle } of draft.files) await store.discard(handle);
  await expect(log.maintain()).rejects.toMatchObject({ code: 'stage-lost' });
  const next = await draftOf(log, 1);
  await expect(log.commit(next)).rejects.toMatchObject({ code: 'stage-lost' });
  expect(await log.commit(next)).toBe('committed');
  expect(log.view().totals).toMatchObject({ lostOffsets: 2 });
});

test('lists its entries only while it has no checkpoint, and does not read again what it wrote itself', async () => {
  const { options: plain, store } = await bench();
  const calls: string[] = [];
  const watched: LakeStore = {
    ...store,
    list: (prefix, call) => {
      calls.push(`list ${prefix}`);
      return store.list(prefix, call);
    },
    read: (path, call) => {
      calls.push(`read ${path}`);
      return store.read(path, call);
    },
  };
  const options = { ...plain, store: watched, tuning: { tries: 1, checkpointEntries: 4 } };
  const log = await openLandingLog(options);
  expect(calls).toContain('list _lakeward/d/log/0/');
  for (let i = 0; i < 4; i++) await log.commit(await draftOf(log, 1));
  calls.length = 0;
  await log.maintain();
  expect(log.view()).toMatchObject({ entry: 4, liveFiles: 4, totals: { rows: 4 } });
  expect(await log.commit(await draftOf(log, 1))).toBe('committed');
  expect(calls.filter((call) => /log\/0|read .*checkpoint/.test(call))).toEqual([]);
  calls.length = 0;
  const again = await openLandingLog(options);
  expect(again.view()).toEqual(log.view());
  expect((await again.files({ limit: 10 })).items).toEqual((await log.files({ limit: 10 })).items);
  expect(calls.filter((call) => call.startsWith('list'))).toEqual(['list _lakeward/d/checkpoint/']);
});

test('opens in under a second with 100,000 live files', { timeout: 60_000 }, async () => {
  const { options: plain, store } = await bench();
  // Only the log is of interest: files are neither kept nor listed.
  const bare: LakeStore = {
    ...store,
    stage: async ({ staged, final }) => ({ staged, final, bytes: 1, checksum: '00000000' }),
    publish: async () => 'published',
  };
  const options = { ...plain, store: bare };
  const log = await openLandingLog(options);
  for (let entry = 0; entry < 20; entry++) {
    const draft = await draftOf(log, 5000);
    const [file] = draft.files;
    if (file === undefined) throw new Error('no file');
    const files = await Promise.all(
      Array.from({ length: 5000 }, async (_, i) => {
        const name = `${draft.nonce}-${i}.parquet`;
        const handle = await log.stage(draft.nonce, { local: name, name, directory: `d/p=${i}` });
        return { ...file, rows: 1, handle, partition: 'p', closesAtMs: 0 };
      }),
    );
    await log.commit({ ...draft, files });
    await log.maintain();
  }
  const startedMs = performance.now();
  const again = await openLandingLog(options);
  expect(performance.now() - startedMs).toBeLessThan(1000);
  expect(again.view().liveFiles).toBe(100_000);
  expect((await again.files({ prefix: 'd/p=77/', limit: 100 })).items).toHaveLength(20);
});
