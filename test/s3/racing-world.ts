/**
 * A world in which nobody takes turns: processes work at the same time, on real time. At each effect one may die (before or after it)
 * or fall asleep for long enough that others commit, checkpoint, empty and sweep meanwhile: a zombie when it wakes.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../../src/clock/system-clock.ts';
import { mulberry, type World } from '../faults/lake/world.ts';

/** Generous: a busy machine takes its time. */
const RACE_MS_MAX = 140_000;

export interface RacingWorld extends World {
  readonly happened: { deaths: number; sleeps: number };
}

export function racingWorld(seed: number, budget: { deaths: number; sleeps: number }): RacingWorld {
  const random = mulberry(seed);
  const chance = (probability: number): boolean => random() < probability;
  const happened = { deaths: 0, sleeps: 0 };
  let faults = true;
  const spend = (kind: keyof typeof happened, probability: number): boolean => {
    if (!faults || happened[kind] >= budget[kind] || !chance(probability)) return false;
    happened[kind]++;
    return true;
  };
  const never = <T>(): Promise<T> => new Promise<T>(() => undefined);

  return {
    happened,
    random,
    chance,
    clock: systemClock(),
    actor: (name) => ({ name, alive: true, pausedUntil: 0 }),
    async turn(actor, apply) {
      if (!actor.alive) return never();
      if (spend('sleeps', 0.01)) await sleep(200 + random() * 1800);
      const dies = spend('deaths', 0.01);
      // Its request may be under way when a process dies.
      const result = dies && chance(0.5) ? undefined : Promise.resolve().then(apply);
      if (dies) {
        actor.alive = false;
        result?.catch(() => undefined);
        return never();
      }
      const value = await result;
      return actor.alive ? (value as Awaited<ReturnType<typeof apply>>) : never();
    },
    async run(done) {
      for (const from = performance.now(); !done(); await sleep(5)) {
        if (performance.now() - from > RACE_MS_MAX) throw new Error('the race does not come to an end');
      }
    },
    async calm() {
      faults = false;
    },
  };
}
