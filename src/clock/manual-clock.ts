/**
 * A clock that stands until a test moves it. Sleeps end in the order of their times, each with the clock at its own time, so
 * a run depends on nothing but the seed and the calls made. Not for servers.
 */
import type { Clock } from '../ports/clock.ts';
import { uuidV7Maker } from './uuid-v7.ts';

export interface ManualClock extends Clock {
  /** Moves time on, ending every sleep that falls due on the way, also those that begin on the way; work they wake settles in between. */
  advance(ms: number): Promise<void>;
  /** Lets woken work settle without moving time. */
  settle(): Promise<void>;
  /** Sets the wall clock alone, as an operator would; monotonic time and sleeps are untouched. */
  setNowMs(ms: number): void;
  /** Sleeps under way. */
  sleepers(): number;
}

interface Sleep {
  readonly dueMs: number;
  readonly wake: () => void;
}

/** Turns of the event loop granted to woken work: enough for chains of promises with a few reads of files in between. */
const SETTLE_TURNS = 8;

/** `nowMs` defaults to 2026-01-01T00:00:00Z, `seed` to 1. */
export function manualClock(options: { readonly nowMs?: number; readonly seed?: number } = {}): ManualClock {
  const random = seededRandom(options.seed ?? 1);
  let monotonic = 0;
  let wallAheadMs = options.nowMs ?? Date.UTC(2026, 0, 1);
  // Insertion order is kept by sets, so equal times wake in the order their sleeps began.
  const sleeps = new Set<Sleep>();
  const nowMs = (): number => wallAheadMs + monotonic;

  function nextDue(untilMs: number): Sleep | undefined {
    let first: Sleep | undefined;
    for (const sleep of sleeps) {
      if (sleep.dueMs <= untilMs && (first === undefined || sleep.dueMs < first.dueMs)) first = sleep;
    }
    return first;
  }

  return {
    nowMs,
    monotonicMs: () => monotonic,
    sleep(ms, signal) {
      return new Promise((resolve, reject) => {
        if (signal?.aborted === true) {
          reject(signal.reason);
          return;
        }
        const abort = (): void => {
          sleeps.delete(sleep);
          reject(signal?.reason);
        };
        const wake = (): void => {
          sleeps.delete(sleep);
          signal?.removeEventListener('abort', abort);
          resolve();
        };
        const sleep: Sleep = { dueMs: monotonic + Math.max(ms, 0), wake };
        sleeps.add(sleep);
        signal?.addEventListener('abort', abort, { once: true });
      });
    },
    random,
    uuid: uuidV7Maker(nowMs, (bytes) => {
      for (let i = 0; i < bytes.length; i += 1) bytes[i] = Math.floor(random() * 256);
    }),
    async advance(ms) {
      const untilMs = monotonic + ms;
      await settle();
      for (let due = nextDue(untilMs); due !== undefined; due = nextDue(untilMs)) {
        monotonic = Math.max(monotonic, due.dueMs);
        due.wake();
        await settle();
      }
      monotonic = untilMs;
    },
    settle,
    setNowMs(ms) {
      wallAheadMs = ms - monotonic;
    },
    sleepers: () => sleeps.size,
  };
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < SETTLE_TURNS; turn += 1) {
    await new Promise<void>((resolve) => {
      setImmediate(resolve);
    });
  }
}

/** mulberry32: small, even, and the same everywhere. */
function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
