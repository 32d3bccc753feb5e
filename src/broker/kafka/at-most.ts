/** Waits for work that Kafka may never answer. Invariant: no timer is left behind. */
import type { Clock } from '../../ports/clock.ts';

/** Resolves when the work is over, however it ended, or the time is. */
export async function atMost(clock: Pick<Clock, 'sleep'>, ms: number, work: Promise<unknown>): Promise<void> {
  const timer = new AbortController();
  await Promise.race([work.catch(() => undefined), clock.sleep(ms, timer.signal).catch(() => undefined)]);
  timer.abort();
}

/** The work's end, or at once the reason of the abort; the work then goes on for nobody. */
export async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  signal.throwIfAborted();
  const { promise, reject } = Promise.withResolvers<never>();
  const abort = (): void => reject(signal.reason as Error);
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
