import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { LandingStep } from '../../src/landing/steps.ts';
import type { LandingLog } from '../../src/landing/landing-log.ts';
import type { DataFile } from '../../src/model/data-file.ts';
import { isLakewardError, LakewardError } from '../../src/model/errors.ts';
import type { LakeStore } from '../../src/ports/lake-store.ts';
import { mulberry } from '../faults/lake/world.ts';
import { type Bench, bench, columns, INT64, STRING } from '../convert/records.ts';
import { type CompactionWorld, compactionWorld, HOUR_MS } from './world.ts';

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

/** Four hours of five files each, quiet since. */
async function landHours(hours = 4, files = 5): Promise<LandingLog> {
  const log = await world.openLog();
  for (let i = 0; i < files; i++) {
    const ids = (hour: number): [string, number[]] => [`hour=${hour}`, [0, 1].map((n) => hour * 1000 + i * 10 + n)];
    await world.landAll(log, new Map(Array.from({ length: hours }, (_, hour) => ids(hour))));
  }
  await settle(log);
  return log;
}

async function settle(log: LandingLog): Promise<void> {
  await world.clock.advance(HOUR_MS);
  await log.maintain();
  await world.clock.advance(HOUR_MS);
}

const perPartition = (files: readonly string[]): number[] => {
  const groups = Map.groupBy(files, (path) => path.slice(0, path.indexOf('/')));
  return Array.from(groups.values(), ({ length }) => length);
};

describe('a run of compaction', { timeout: 120_000 }, () => {
  test('makes one sorted file of each quiet partition, and finds nothing to do then', async () => {
    await landHours();
    const before = await world.listed();
    const run = await world.compact();
    expect(run).toMatchObject({
      outcome: 'done',
      groups: 4,
      groupsFailed: 0,
      filesBefore: 20,
      filesAfter: 4,
      rows: 40,
    });
    expect(run.bytesAfter).toBeLessThan(run.bytesBefore);
    const after = await world.listed();
    expect(after.rows).toEqual(before.rows);
    expect(perPartition(after.files)).toEqual([1, 1, 1, 1]);
    await settle(await world.openLog());
    expect(await world.compact()).toMatchObject({ outcome: 'done', groups: 0, filesBefore: 0 });
    expect((await world.openLog()).view()).toMatchObject({ liveFiles: 4, totals: { rows: 40, files: 20 } });
  });

  test('waits until a partition is quiet, and merges late rows with what they came to', async () => {
    const log = await landHours(2);
    await world.land(log, 'hour=1', [7777]);
    expect(await world.compact()).toMatchObject({ groups: 1, filesBefore: 5 });
    await settle(log);
    expect(await world.compact()).toMatchObject({ groups: 1, filesBefore: 6 });
    const { rows, files } = await world.listed();
    expect(rows).toContain('hour=1 7777');
    expect(perPartition(files)).toEqual([1, 1]);
  });

  test('leaves replaced files for readers of a list, who see each row once all the time', async () => {
    await landHours(2);
    const before = await world.listed();
    const readManifest = async (): Promise<number> => {
      const files: DataFile[] = [];
      const log = await world.openLog();
      await log.eachFile(({ file }) => files.push(file));
      for (const { path } of files) expect(await world.store.read(path)).toBeDefined();
      return files.reduce((rows, file) => rows + file.rows, 0);
    };
    const rule = { readers: 'manifest', keepMs: 7 * 24 * HOUR_MS } as const;
    const step = async (): Promise<void> => expect(await readManifest()).toBe(20);
    await world.compact({ rule, step });
    expect((await world.listed()).files).toHaveLength(12);
    await world.clock.advance(rule.keepMs + 1);
    await (await world.openLog()).maintain();
    const after = await world.listed();
    expect(after.files).toHaveLength(2);
    expect(after.rows).toEqual(before.rows);
  });

  test('merges each version by itself where columns cannot become one another’s', async () => {
    const log = await world.openLog();
    const text = { version: 2, columns: columns({ id: STRING, text: INT64 }) };
    for (const id of [1, 2]) await world.land(log, 'hour=1', [id]);
    for (const id of [3, 4]) await world.land(log, 'hour=1', [id], text);
    await settle(log);
    const before = await world.listed();
    expect(await world.compact()).toMatchObject({ groups: 1, filesBefore: 4, filesAfter: 2 });
    expect((await world.listed()).rows).toEqual(before.rows);
  });

  test('leaves files alone that are not what landed, tells, and merges the others', async () => {
    await landHours(2);
    const [bad] = (await world.listed()).files;
    const store: LakeStore = {
      ...world.store,
      read: async (path, call) => {
        const bytes = await world.store.read(path, call);
        return path === `d/${bad}` ? bytes?.with(20, (bytes[20] ?? 0) ^ 1) : bytes;
      },
    };
    const stubborn = new Set<string>();
    const run = await world.compact({ store, stubborn });
    expect(run).toMatchObject({ outcome: 'done', groups: 1, groupsFailed: 1 });
    expect(run.reason).toContain('is not what landed');
    expect(await world.compact({ store, stubborn })).toMatchObject({ groups: 0, groupsFailed: 0 });
    expect(perPartition((await world.listed()).files).toSorted((a, b) => a - b)).toEqual([1, 5]);
  });

  test('that is cancelled leaves every row where it was, and the next one goes on', async () => {
    await landHours(3);
    const before = await world.listed();
    const cancel = new AbortController();
    const step = (name: LandingStep): void => {
      if (name === 'published') cancel.abort(new LakewardError('service-stopping', 'enough'));
    };
    expect(await world.compact({ signal: cancel.signal, step })).toMatchObject({ outcome: 'cancelled' });
    const run = await world.compact();
    expect(run.outcome).toBe('done');
    expect(run.groups).toBeGreaterThan(0);
    const after = await world.listed();
    expect(after.rows).toEqual(before.rows);
    expect(after.files).toHaveLength(3);
  });
});

describe('rows stay what they were', () => {
  test('when the process dies after any step, with late rows landing in between', { timeout: 120_000 }, async () => {
    const log = await landHours(1, 4);
    let late = 5000;
    let died = 0;
    for (let at = 1; ; at++) {
      let steps = 0;
      const dead = new Error('died');
      const run = await world.compact({
        step: () => {
          if (++steps >= at) throw dead;
        },
      });
      if (run.outcome === 'done' && steps < at) break;
      died++;
      // Whoever lands next finishes what the dead one left.
      await log.refresh();
      await world.land(log, 'hour=0', [late++]);
      const { rows, files } = await world.listed();
      expect(rows).toHaveLength(8 + late - 5000);
      expect(new Set(rows).size).toBe(rows.length);
      const live: string[] = [];
      await log.eachFile(({ file }) => live.push(file.path.slice('d/'.length)));
      expect(files).toEqual(live.sort());
      await settle(log);
    }
    expect(died).toBeGreaterThanOrEqual(6);
    expect((await world.listed()).files).toHaveLength(1);
  });

  test('when two compactors and a writer of late rows are at work at once', { timeout: 120_000 }, async () => {
    const log = await landHours(3, 3);
    const before = (await world.listed()).rows;
    const runs = await Promise.all([
      world.compact(),
      world.compact(),
      (async () => {
        for (let i = 0; i < 10; i++) await world.land(log, `hour=${i % 3}`, [9000 + i]);
      })(),
    ]);
    expect(runs.slice(0, 2).map((run) => run?.outcome)).toEqual(['done', 'done']);
    const { rows } = await world.listed();
    expect(rows).toEqual([...before, ...Array.from({ length: 10 }, (_, i) => `hour=${i % 3} ${9000 + i}`)].sort());
  });

  test('when the store fails before and after it does what it is asked', { timeout: 120_000 }, async () => {
    const log = await landHours(2, 3);
    const before = (await world.listed()).rows;
    const random = mulberry(7);
    const faulty = (share: number): LakeStore => {
      const shaky = Object.entries(world.store).map(([name, method]) => [
        name,
        async (...args: unknown[]) => {
          const fails = random() < share;
          if (fails && random() < 0.5) throw new LakewardError('lake-unavailable', 'before');
          const answer: unknown = await (method as (...given: unknown[]) => Promise<unknown>)(...args);
          if (fails) throw new LakewardError('lake-unavailable', 'after');
          return answer;
        },
      ]);
      return Object.fromEntries(shaky) as LakeStore;
    };
    let done = false;
    for (let round = 0; round < 40 && !done; round++) {
      const run = await world.compact({ store: faulty(0.25) }).catch((error: unknown) => {
        if (!isLakewardError(error)) throw error;
        return undefined;
      });
      await log.refresh();
      expect((await world.listed()).rows).toEqual(before);
      done = run?.outcome === 'done' && run.groups === 0 && (await world.listed()).files.length === 2;
    }
    expect((await world.listed()).files).toHaveLength(2);
  });
});
