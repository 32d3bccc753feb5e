import { expect, test } from 'vitest';
import { openFileStore } from '../../src/lake/file/file-store.ts';
import type { FolderEntry, LakeFileSystem } from '../../src/lake/file/file-system.ts';
import type { LandingRules } from '../../src/landing/room.ts';
import { powerCutDisk } from '../faults/lake/power-cut-disk.ts';
import { type Actor, type Budget, seededWorld, type World } from '../faults/lake/world.ts';
import { simulate } from './simulation.ts';

const SEEDS = Number(process.env['LAKEWARD_POWER_SEEDS'] ?? 300);

/** Each call of a process on the disk is a turn; some fail as a full or failing disk does. */
function asTurns(disk: LakeFileSystem, world: World, actor: Actor, budget: Budget): LakeFileSystem {
  const turn = <T>(apply: () => Promise<T>): Promise<T> =>
    world.turn(actor, () => {
      if (budget.failures > 0 && world.chance(0.01)) {
        budget.failures--;
        throw Object.assign(new Error('seeded'), { code: world.chance(0.5) ? 'ENOSPC' : 'EIO' });
      }
      return apply();
    });
  return {
    writeNew: (path, bytes) => turn(() => disk.writeNew(path, bytes)),
    copyNew: (from, to) => turn(() => disk.copyNew(from, to)),
    syncFile: (path) => turn(() => disk.syncFile(path)),
    syncFolder: (path) => turn(() => disk.syncFolder(path)),
    link: (from, to) => turn(() => disk.link(from, to)),
    rename: (from, to) => turn(() => disk.rename(from, to)),
    unlink: (path) => turn(() => disk.unlink(path)),
    makeFolder: (path) => turn(() => disk.makeFolder(path)),
    removeFolder: (path) => turn(() => disk.removeFolder(path)),
    read: (path, offset, length) => turn(() => disk.read(path, offset, length)),
    async *readFolder(path) {
      yield await turn(async () => {
        const entries: FolderEntry[] = [];
        for await (const portion of disk.readFolder(path)) entries.push(...portion);
        return entries;
      });
    },
    facts: (path) => turn(() => disk.facts(path)),
  };
}

type Bend = (disk: LakeFileSystem) => LakeFileSystem;

async function runSeed(seed: number, rules?: Partial<LandingRules>, bend: Bend = (disk) => disk): Promise<void> {
  const budget: Budget = { crashes: 4, powerCuts: 3, failures: 6, late: 0, losses: 0 };
  const diskBudget: Budget = { ...budget };
  let cut = (): void => undefined;
  const world = seededWorld(seed, budget, () => cut());
  const { clock, random } = world;
  const disk = powerCutDisk({ nowMs: () => clock.nowMs(), random });
  cut = () => disk.cutPower();
  await disk.makeFolder('/tmp');
  await disk.syncFolder('/');
  let locals = 0;
  await simulate({
    world,
    workers: 2,
    shards: [5, 3],
    lossy: false,
    holds: seed % 2 === 0,
    open: (actor) =>
      openFileStore({ folder: '/lake', clock, fileSystem: bend(asTurns(disk, world, actor, diskBudget)) }),
    onlooker: () => openFileStore({ folder: '/lake', clock, fileSystem: disk }),
    async local(_actor, content) {
      const path = `/tmp/local-${locals++}`;
      await disk.writeNew(path, new TextEncoder().encode(content));
      return path;
    },
    ...(rules === undefined ? {} : { rules }),
  });
}

async function firstFailure(seeds: number, rules?: Partial<LandingRules>, bend?: Bend): Promise<string | undefined> {
  for (let seed = 1; seed <= seeds; seed++) {
    try {
      await runSeed(seed, rules, bend);
    } catch (error) {
      return `seed ${seed}: ${String(error instanceof Error ? error.stack : error)}`;
    }
  }
  return undefined;
}

test(`a lake in a folder keeps every record exactly once through power cuts, over ${SEEDS} seeds`, {
  timeout: 120_000,
}, async () => {
  expect(await firstFailure(SEEDS)).toBeUndefined();
});

test('would be noticed to fail if names were not synced', async () => {
  const bend: Bend = (disk) => ({ ...disk, syncFolder: async () => undefined });
  expect(await firstFailure(100, undefined, bend)).toMatch(/seed \d+/);
});

test('would be noticed to fail if contents were not synced', async () => {
  const bend: Bend = (disk) => ({ ...disk, syncFile: async () => undefined });
  expect(await firstFailure(100, undefined, bend)).toMatch(/seed \d+/);
});
