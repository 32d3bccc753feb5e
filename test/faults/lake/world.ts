/**
 * A seeded world for processes that share a store. Every effect is one turn: a process asks for it, the world decides whose turn
 * comes next and how it ends: done, failed before, failed after, applied late, or with the death of the process. A dead process
 * never hears an answer again, as after kill -9. The seed decides everything.
 */
import { LakewardError } from '../../../src/model/errors.ts';
import type { Clock } from '../../../src/ports/clock.ts';

export interface Actor {
  readonly name: string;
  alive: boolean;
  /** Not served before this turn: a process that sleeps. */
  pausedUntil: number;
}

export interface Budget {
  crashes: number;
  powerCuts: number;
  failures: number;
  late: number;
  losses: number;
}

interface Turn {
  readonly actor: Actor;
  readonly late: boolean;
  readonly apply: () => unknown;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

export interface World {
  readonly clock: Clock;
  readonly random: () => number;
  /** True with this probability. */
  chance(probability: number): boolean;
  actor(name: string): Actor;
  /** One effect of a process. `late`: may be answered as failed and take effect afterwards. */
  turn<T>(actor: Actor, apply: () => T | Promise<T>, late?: boolean): Promise<T>;
  /** Serves turns until `done`, at most so many. */
  run(done: () => boolean): Promise<void>;
  /** No fault from now on; what is late arrives. */
  calm(): Promise<void>;
}

/** How a world keeps step with what is no turn of it: by default with code that waits for nothing else. */
export interface Pace {
  readonly startMs: number;
  /** Lets the processes come to their next turns. */
  readonly breath: () => Promise<void>;
  /** So many breaths without a turn mean that nobody will ask for one. */
  readonly breathsMax: number;
}

const TURNS_MAX = 20_000;
const PACE: Pace = { startMs: 1_800_000_000_000, breath: immediate, breathsMax: 20 };

export function seededWorld(
  seed: number,
  budget: Budget,
  powerCut: () => void = () => undefined,
  { startMs, breath, breathsMax }: Pace = PACE,
): World {
  const random = mulberry(seed);
  const chance = (probability: number): boolean => random() < probability;
  const actors: Actor[] = [];
  let pending: Turn[] = [];
  let late: (() => unknown)[] = [];
  let turns = 0;
  let nowMs = startMs;
  let ids = 0;
  let faults = true;

  const spend = (kind: keyof Budget, probability: number): boolean => {
    if (!faults || budget[kind] <= 0 || !chance(probability)) return false;
    budget[kind]--;
    return true;
  };
  const kill = (actor: Actor): void => {
    actor.alive = false;
    pending = pending.filter((turn) => turn.actor !== actor);
  };
  const unavailable = (): LakewardError => new LakewardError('lake-unavailable', 'the answer is lost');

  async function serve(turn: Turn): Promise<void> {
    const { actor, apply, resolve, reject } = turn;
    if (spend('powerCuts', 0.004)) {
      for (const other of actors) kill(other);
      powerCut();
      return;
    }
    if (spend('crashes', 0.02)) {
      if (chance(0.5)) await settle(apply);
      kill(actor);
      return;
    }
    if (turn.late && spend('late', 0.04)) {
      late.push(apply);
      reject(unavailable());
    } else if (turn.late && spend('failures', 0.06)) {
      if (chance(0.6)) await settle(apply);
      reject(unavailable());
    } else {
      try {
        resolve(await apply());
      } catch (error) {
        reject(error);
      }
    }
  }

  async function applyLate(): Promise<void> {
    const apply = late.splice(Math.floor(random() * late.length), 1)[0];
    if (apply !== undefined) await settle(apply);
  }

  const world: World = {
    random,
    chance,
    clock: {
      nowMs: () => nowMs,
      monotonicMs: () => nowMs,
      sleep: async () => undefined,
      random,
      uuid: () => `id${String(++ids).padStart(6, '0')}`,
    },
    actor(name) {
      const actor = { name, alive: true, pausedUntil: 0 };
      actors.push(actor);
      return actor;
    },
    turn<T>(actor: Actor, apply: () => T | Promise<T>, mayBeLate = false) {
      if (!actor.alive) return new Promise<T>(() => undefined);
      return new Promise<T>((resolve, reject) => {
        pending.push({ actor, late: mayBeLate, apply, resolve: resolve as (value: unknown) => void, reject });
      });
    },
    async run(done) {
      let idle = 0;
      for (;;) {
        await breath();
        if (done()) return;
        if (turns++ > TURNS_MAX) throw new Error('the world does not come to an end');
        nowMs += Math.floor(random() * 40);
        if (chance(0.01)) nowMs += 10_000;
        if (late.length > 0 && chance(0.05)) await applyLate();
        let awake = pending.filter(({ actor }) => actor.pausedUntil <= turns);
        if (awake.length === 0) awake = pending;
        const turn = awake[Math.floor(random() * awake.length)];
        if (turn === undefined) {
          if (idle++ > breathsMax) throw new Error('every process waits for something that never comes');
          continue;
        }
        idle = 0;
        pending.splice(pending.indexOf(turn), 1);
        if (faults && chance(0.01)) turn.actor.pausedUntil = turns + Math.floor(random() * 300);
        await serve(turn);
      }
    },
    async calm() {
      faults = false;
      while (late.length > 0) await applyLate();
    },
  };
  return world;
}

async function settle(apply: () => unknown): Promise<void> {
  try {
    await apply();
  } catch {
    // Nobody hears of it.
  }
}

function immediate(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

export function mulberry(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
