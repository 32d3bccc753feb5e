/** Erasing while processes die, stores fail, rows land and files are merged: in the end the rows before, less those asked for. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { erase } from '../../src/compaction/care/erase.ts';
import type { CareRoom } from '../../src/compaction/care/room.ts';
import { type WantedValues, mayHold, wantedValues } from '../../src/compaction/care/prune.ts';
import type { LandingLog } from '../../src/landing/landing-log.ts';
import type { LandingStep } from '../../src/landing/steps.ts';
import { isLakewardError, LakewardError } from '../../src/model/errors.ts';
import type { EraseReport } from '../../src/ports/lake-care.ts';
import type { LakeStore } from '../../src/ports/lake-store.ts';
import { type Bench, bench } from '../convert/records.ts';
import { mulberry } from '../faults/lake/world.ts';
import { type CompactionWorld, compactionWorld, type How, HOUR_MS, SPEC } from './world.ts';

let engines: Bench;
let world: CompactionWorld;
beforeAll(async () => {
  engines = await bench();
});
beforeEach(async () => {
  world = await compactionWorld(engines);
});
afterEach(() => world.close());
afterAll(() => engines.close());

function roomOf(how: How): CareRoom {
  const room = world.room(how);
  return {
    ...room,
    catalog: undefined as unknown as CareRoom['catalog'],
    ends: { ofTime: () => undefined, ofPartition: () => undefined },
    openLogs: async () => [(await room.openLog('d')) as LandingLog],
    readLogs: async () => [],
    readOtherLogs: async () => [],
    rebuildLost: async () => [],
    lakeId: async () => 'lake',
    comparison: () => undefined,
    rejectedLines: () => {
      throw new Error('nothing is rejected here');
    },
    recordText: (data) => data,
    rejectedStyle: () => ({ name: 'r' }),
    changed: async () => undefined,
    trustedNowMs: () => undefined,
  };
}

function eraseIds(ids: readonly number[], how: How = {}): Promise<EraseReport> {
  const order = { kind: 'erase', field: 'id', values: ids.map(String), by: 'test', dryRun: false } as const;
  const call = { signal: new AbortController().signal, report: () => undefined };
  return erase(roomOf(how), { spec: SPEC, order }, call);
}

async function settle(log: LandingLog): Promise<void> {
  await log.refresh();
  await world.clock.advance(HOUR_MS);
  await log.maintain();
  await world.clock.advance(HOUR_MS);
}

/** Two hours of two files of ten rows. */
async function landHours(): Promise<LandingLog> {
  const log = await world.openLog();
  for (let hour = 0; hour < 2; hour++) {
    for (let i = 0; i < 2; i++) {
      await world.land(
        log,
        `hour=${hour}`,
        Array.from({ length: 10 }, (_, n) => hour * 100 + i * 10 + n),
      );
    }
  }
  await settle(log);
  return log;
}

const WANTED = [3, 7, 13, 105, 999, ...Array.from({ length: 10 }, (_, n) => 110 + n)];
const rest = (rows: readonly string[]): string[] =>
  rows.filter((row) => !WANTED.includes(Number(row.split(' ').at(-1))));

test('rows that were asked for are gone when a process dies at any step, once another has gone on', {
  timeout: 120_000,
}, async () => {
  let died = 0;
  // Three entries of five steps each; the rest is more of the same.
  for (const at of [...Array.from({ length: 15 }, (_, i) => i + 1), Infinity]) {
    await world.close();
    world = await compactionWorld(engines);
    const log = await landHours();
    const before = (await world.listed()).rows;
    let steps = 0;
    const step = (): void => {
      if (++steps >= at) throw new Error('died');
    };
    const first = await eraseIds(WANTED, { step }).catch(() => undefined);
    if (first === undefined) died++;
    // Whoever lands next finishes what the dead one left: every other row is there once, at any time.
    await log.refresh();
    const between = (await world.listed()).rows;
    expect(rest(between)).toEqual(rest(before));
    expect(new Set(between).size).toBe(between.length);
    const report = first ?? (await eraseIds(WANTED));
    expect(report.proof).toMatchObject({ found: 0 });
    expect((await world.listed()).rows).toEqual(rest(before));
    await log.refresh();
    const { liveFiles, totals } = log.view();
    expect({ liveFiles, rows: totals.rows, erased: totals.erasedRows }).toEqual({ liveFiles: 3, rows: 40, erased: 14 });
  }
  expect(died).toBe(15);
});

test('an erasure, a compactor and a writer at once leave every other row where it was', {
  timeout: 60_000,
}, async () => {
  const log = await landHours();
  const before = (await world.listed()).rows;
  await Promise.all([
    eraseIds(WANTED),
    world.compact(),
    (async () => {
      for (let i = 0; i < 6; i++) await world.land(log, `hour=${i % 2}`, [9000 + i]);
    })(),
  ]);
  const late = Array.from({ length: 6 }, (_, i) => `hour=${i % 2} ${9000 + i}`);
  expect(rest((await world.listed()).rows)).toEqual([...rest(before), ...late].sort());
  await settle(log);
  // Of what landed while it ran nothing was promised; now nothing is left.
  const report = await eraseIds(WANTED);
  expect(report).toMatchObject({ waitingRows: 0, proof: { found: 0 } });
  expect((await world.listed()).rows).toEqual([...rest(before), ...late].sort());
});

test('a store that fails before and after it does what it is asked costs no other row', {
  timeout: 60_000,
}, async () => {
  const log = await landHours();
  const before = (await world.listed()).rows;
  const random = mulberry(11);
  const shaky = Object.entries(world.store).map(([name, method]) => [
    name,
    async (...args: unknown[]) => {
      const fails = random() < 0.15;
      if (fails && random() < 0.5) throw new LakewardError('lake-unavailable', 'before');
      const answer: unknown = await (method as (...given: unknown[]) => Promise<unknown>)(...args);
      if (fails) throw new LakewardError('lake-unavailable', 'after');
      return answer;
    },
  ]);
  const store = Object.fromEntries(shaky) as LakeStore;
  let report: EraseReport | undefined;
  for (let round = 0; round < 60 && report === undefined; round++) {
    report = await eraseIds(WANTED, { store }).catch((error: unknown) => {
      if (!isLakewardError(error)) throw error;
      return undefined;
    });
    await log.refresh();
    const { rows } = await world.listed();
    expect(rest(rows)).toEqual(rest(before));
    expect(new Set(rows).size).toBe(rows.length);
  }
  expect(report?.proof).toMatchObject({ found: 0 });
  expect((await world.listed()).rows).toEqual(rest(before));
});

test('an erasure whose new file the store loses is taken back whole, and can be made again', async () => {
  const log = await landHours();
  const before = (await world.listed()).rows;
  let losses = 0;
  const step = async (name: LandingStep): Promise<void> => {
    if (name !== 'entry-created' || losses++ > 0) return;
    const { files } = await world.store.list('_lakeward/d/staged/');
    for (const { path } of files) await world.store.discard({ staged: path });
  };
  const report = await eraseIds(WANTED, { step });
  expect(losses).toBeGreaterThan(1);
  expect(report.proof).toMatchObject({ found: 0 });
  expect((await world.listed()).rows).toEqual(rest(before));
  await log.refresh();
  expect(log.view()).toMatchObject({ liveFiles: 3, totals: { rows: 40, erasedRows: 14 } });
});

test.each<[string, string, string, boolean]>([
  ['a text within the bounds', 'text', 'm', true],
  ['a text before them', 'text', 'a', false],
  ['a text behind them', 'text', 'zz', false],
])('a file is read for %s only where it can be there', (_, kind, value, reads) => {
  const columns = [
    { column: 'k', nulls: 0, min: 'b', max: 'x' },
    { column: '_extra', nulls: 5 },
  ];
  const wanted: WantedValues = wantedValues('k', [value]);
  expect(mayHold({ rows: 5, columns }, wanted, kind as 'text')).toBe(reads);
  expect(mayHold({ rows: 6, columns }, wanted, 'text')).toBe(true);
  expect(mayHold({ rows: 5, columns }, wanted, undefined)).toBe(true);
  expect(mayHold({ rows: 5, columns: columns.slice(1) }, wanted, 'text')).toBe(true);
});

test('numbers are compared as numbers when files are chosen', () => {
  const columns = [
    { column: 'n', nulls: 0, min: '9', max: '100' },
    { column: '_extra', nulls: 5 },
  ];
  const reads = (value: string): boolean => mayHold({ rows: 5, columns }, wantedValues('n', [value]), 'number');
  expect(['8', '9', '10', '1e1', '100.0', '101', 'x'].map(reads)).toEqual([
    false,
    true,
    true,
    true,
    true,
    false,
    false,
  ]);
});
