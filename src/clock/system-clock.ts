/**
 * The real clock: wall time, monotonic time, abortable sleep, chance. The only source of these in a running server.
 */
import { getRandomValues } from 'node:crypto';
import type { Clock } from '../ports/clock.ts';
import { uuidV7Maker } from './uuid-v7.ts';

/** Longest delay a timer takes; a longer sleep is slept in parts. */
const TIMER_MS_MAX = 2 ** 31 - 1;

export function systemClock(): Clock {
  const nowMs = (): number => Date.now();
  const monotonicMs = (): number => performance.now();
  return {
    nowMs,
    monotonicMs,
    async sleep(ms, signal) {
      const endMs = monotonicMs() + ms;
      for (let leftMs = ms; ; leftMs = endMs - monotonicMs()) {
        await timer(Math.min(Math.max(leftMs, 0), TIMER_MS_MAX), signal);
        if (leftMs <= TIMER_MS_MAX) return;
      }
    },
    random: () => Math.random(),
    uuid: uuidV7Maker(nowMs, (bytes) => getRandomValues(bytes)),
  };
}

function timer(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(signal.reason);
      return;
    }
    const abort = (): void => {
      clearTimeout(handle);
      reject(signal?.reason);
    };
    const handle = setTimeout(() => {
      signal?.removeEventListener('abort', abort);
      resolve();
    }, ms);
    signal?.addEventListener('abort', abort, { once: true });
  });
}
