import { describe, expect, test } from 'vitest';
import { manualClock } from '../../src/clock/manual-clock.ts';
import { memoryStore } from '../../src/lake/memory/memory-store.ts';
import { type LandingLog, openLandingLog } from '../../src/landing/landing-log.ts';
import { lakePath } from '../../src/model/lake-path.ts';
import { asOffset, asShard } from '../../src/model/stream.ts';
import type { LakeStore } from '../../src/ports/lake-store.ts';
import { logOptions } from './log-options.ts';

const DAY_MS = 24 * 3_600_000;
const STAGES = '_lakeward/d/staged/';

/** A log with two landings left behind a day ago, and one of a minute ago. */
async function withStrays() {
  const clock = manualClock();
  const store = memoryStore({ clock, takeLocal: async (local) => new TextEncoder().encode(local) });
  const start = async () => new Map([[asShard(0), asOffset(0)]]);
  const log = await openLandingLog(await logOptions({ store, clock, start }));
  const stage = (nonce: string, name: string) => log.stage(nonce, { local: 'rows', name, directory: 'd' });
  const slow = await stage('slow', 'a');
  await stage('dead', 'b');
  await stage('dead', 'c');
  clock.setNowMs(clock.nowMs() + DAY_MS + 60_000);
  await stage('young', 'd');
  return { clock, store, log, slow };
}

const staged = async (store: LakeStore): Promise<string[]> =>
  (await store.list(STAGES)).files.map(({ path }) => path.slice(STAGES.length));
const named = async (log: LandingLog, dryRun: boolean): Promise<string[]> =>
  (await log.sweep({ dryRun })).files.map(({ path, condemned }) => `${path.slice(STAGES.length)} ${condemned}`);

describe('a sweep', () => {
  test('says in a dry run what it takes afterwards, and a dry run changes nothing', async () => {
    const { store, log } = await withStrays();
    const before = (await store.list('')).files;
    const said = await named(log, true);
    expect(said).toEqual(['dead/b false', 'dead/c false', 'slow/a false']);
    expect((await store.list('')).files).toEqual(before);
    expect(log.view().entry).toBe(0);

    expect(await named(log, false)).toEqual(said);
    expect(await staged(store)).toEqual(['young/d']);
    expect(log.view().entry).toBe(1);
    expect(await named(log, true)).toEqual([]);
  });

  test('tells what comes up under a nonce that was condemned, and takes it without another entry', async () => {
    const { clock, store, log } = await withStrays();
    await log.sweep({ dryRun: false });
    await store.create(lakePath(`${STAGES}dead/late`), new Uint8Array(1));
    clock.setNowMs(clock.nowMs() + DAY_MS + 1);
    expect(await named(log, true)).toEqual(['dead/late true', 'young/d false']);
    await log.sweep({ dryRun: false });
    expect(await staged(store)).toEqual([]);
  });

  test('makes the slow worker of a condemned nonce start over', async () => {
    const { store, log, slow } = await withStrays();
    await log.sweep({ dryRun: false });
    const file = {
      handle: slow,
      rows: 1,
      bytes: slow.bytes,
      partition: '',
      eventMinMs: 0,
      eventMaxMs: 0,
      planVersion: 1,
      closedBecause: 'age' as const,
      columns: [],
      closesAtMs: 0,
    };
    const ranges = new Map([[asShard(0), { from: asOffset(0), to: asOffset(1) }]]);
    const rest = { planVersion: 1, rejected: [], extraRows: 0, lateRows: 0 };
    expect(await log.commit({ nonce: 'slow', ranges, files: [file], ...rest })).toBe('superseded');
    expect((await store.list('d/')).files).toEqual([]);
  });
});
