import { describe, expect, test } from 'vitest';
import { memoryStore } from '../../src/lake/memory/memory-store.ts';
import { valid } from '../../src/landing/fold.ts';
import type { LandingRules } from '../../src/landing/room.ts';
import { faultyStore } from '../faults/lake/faulty-store.ts';
import { type Budget, seededWorld } from '../faults/lake/world.ts';
import { watched } from './onlooker.ts';
import { simulate } from './simulation.ts';

const SEEDS = Number(process.env['LAKEWARD_LANDING_SEEDS'] ?? 1000);

const seen = new Set<string>();

async function runSeed(seed: number, rules?: Partial<LandingRules>): Promise<void> {
  const budget: Budget = { crashes: 4, powerCuts: 0, failures: 8, late: 4, losses: seed % 4 === 0 ? 1 : 0 };
  const world = seededWorld(seed, budget);
  const encoder = new TextEncoder();
  const memory = memoryStore({ clock: world.clock, takeLocal: async (local) => encoder.encode(local) });
  const loses = (): boolean => {
    if (budget.losses <= 0 || !world.chance(0.02)) return false;
    budget.losses--;
    return true;
  };
  const store = watched(memory, loses, seen);
  await simulate({
    world,
    workers: 2 + (seed % 2),
    shards: [9, 6],
    lossy: budget.losses > 0,
    holds: seed % 2 === 0,
    resends: ([undefined, 'narrow', 'wide'] as const)[seed % 3],
    open: async (actor) => faultyStore(store, world, actor),
    onlooker: async () => memory,
    local: async (_actor, content) => content,
    ...(rules === undefined ? {} : { rules }),
  });
}

async function firstFailure(seeds: number, rules?: Partial<LandingRules>): Promise<string | undefined> {
  for (let seed = 1; seed <= seeds; seed++) {
    try {
      await runSeed(seed, rules);
    } catch (error) {
      return `seed ${seed}: ${String(error instanceof Error ? error.stack : error)}`;
    }
  }
  return undefined;
}

describe('landing through crashes, sleeps, lost and late answers', () => {
  test(`shows every record exactly once, over ${SEEDS} seeds`, { timeout: 120_000 }, async () => {
    expect(await firstFailure(SEEDS)).toBeUndefined();
    expect([...seen].sort()).toEqual([
      'append',
      'emptied',
      'held',
      'merge',
      'merge undone',
      'merge, inputs stay',
      'open',
      'release',
      'release undone',
      'replace',
      'replay',
      'sweep',
      'undo',
    ]);
  });

  test.each<[string, Partial<LandingRules>, RegExp]>([
    ['takes any entry for its own', { isOwn: () => true }, /missing|no entry names/],
    [
      'does not check that an entry follows from those before',
      { valid: () => true },
      /visible twice|taken for lost|landed twice/,
    ],
    [
      'lets rejected rows be replayed that were replayed before',
      { valid: (state, entry, ...rest) => entry.kind === 'replay' || valid(state, entry, ...rest) },
      /visible twice|is removed/,
    ],
    [
      'does not heed that event ids came to be known since',
      {
        valid: (state, entry, ...rest) =>
          valid(state, 'dedupe' in entry ? { ...entry, dedupe: undefined as never } : entry, ...rest),
      },
      /has landed twice/,
    ],
    [
      'does not heed that a sweep condemned a nonce',
      { valid: (state, ...rest) => valid({ ...state, condemned: [] }, ...rest) },
      /taken for lost|vanished/,
    ],
    [
      'lets files be merged that were merged before',
      { valid: (state, entry, ...rest) => entry.kind === 'replace' || valid(state, entry, ...rest) },
      /visible twice|no entry names/,
    ],
    [
      'lets held rows be released that were released before',
      { valid: (state, entry, ...rest) => ('released' in entry && entry.released) || valid(state, entry, ...rest) },
      /visible twice|no entry names/,
    ],
    ['does not publish the newest entry before the next', { helpsNewest: false }, /is visible$/m],
  ])('would be noticed to fail if the log %s', async (_, rules, complaint) => {
    expect(await firstFailure(500, rules)).toMatch(complaint);
  });
});
