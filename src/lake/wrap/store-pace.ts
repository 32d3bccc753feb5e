/**
 * How fast a store that asks to slow down is asked again. All calls of all stores that share a pace wait, with full jitter up to a
 * bound that doubles with every throttled answer to a call of the present pace and halves with every good one.
 */
import type { Clock } from '../../ports/clock.ts';

const FIRST_WAIT_MS = 100;
const WAIT_MAX_MS = 20_000;
const LEVEL_MAX = 10;

export interface StorePace {
  /** Waits as long as the pace demands; gives the level the call is made at. */
  turn(signal?: AbortSignal): Promise<number>;
  throttled(level: number): void;
  answered(level: number): void;
}

export function storePace(clock: Clock): StorePace {
  let level = 0;
  return {
    async turn(signal) {
      if (level > 0) {
        const boundMs = Math.min(WAIT_MAX_MS, FIRST_WAIT_MS * 2 ** level);
        await clock.sleep(Math.ceil(clock.random() * boundMs), signal);
      }
      return level;
    },
    // Answers to calls of an earlier level say nothing of the present one: a hundred at once are one step.
    throttled: (at) => {
      if (at >= level) level = Math.min(at + 1, LEVEL_MAX);
    },
    answered: (at) => {
      if (at === level) level = Math.max(level - 1, 0);
    },
  };
}
