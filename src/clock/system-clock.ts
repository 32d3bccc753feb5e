/**
 * The real clock: wall time, monotonic time, abortable sleep, chance. The only source of these in a running server.
 */
import { getRandomValues } from 'node:crypto';
import type { Clock } from '../ports/clock.ts';
import { uuidV7Maker } from './uuid-v7.ts';

/** Random bytes are taken from the system in blocks: one call an id was measurable on the way of a request. */
const RANDOM_BLOCK_BYTES = 4096;
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
    uuid: uuidV7Maker(nowMs, randomBytesInBlocks()),
  };
}

/** Fills arrays of up to a block; each random byte is handed out once. */
function randomBytesInBlocks(): (bytes: Uint8Array) => void {
  const block = new Uint8Array(RANDOM_BLOCK_BYTES);
  let used = RANDOM_BLOCK_BYTES;
  return (bytes) => {
    if (used + bytes.length > RANDOM_BLOCK_BYTES) {
      getRandomValues(block);
      used = 0;
    }
    bytes.set(block.subarray(used, used + bytes.length));
    used += bytes.length;
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
