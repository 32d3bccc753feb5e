/** Waits for work that may never end. Pure but for the clock that is handed in. Invariant: no timer and no listener is left behind. */

/** The part of a clock that is needed. */
interface Sleeper {
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

/** Resolves when the work is over, however it ended, or the time is. */
export async function atMost(clock: Sleeper, ms: number, work: Promise<unknown>): Promise<void> {
  const timer = new AbortController();
  await Promise.race([work.catch(() => undefined), clock.sleep(ms, timer.signal).catch(() => undefined)]);
  timer.abort();
}

/** The work's end, or at once the reason of the abort; the work then goes on for nobody. */
export async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  const aborted = Promise.withResolvers<never>();
  const abort = (): void => aborted.reject(signal.reason as Error);
  if (signal.aborted) abort();
  signal.addEventListener('abort', abort, { once: true });
  try {
    // Also of an abort that came before: what the work throws later is nobody's.
    return await Promise.race([aborted.promise, work]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
