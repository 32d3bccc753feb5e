/**
 * Bounded repetition of store calls that failed for a reason that may pass, with growing waits and jitter. Every store method bears
 * repetition; what a repetition may mean for a decision is the caller's to know.
 */
import type { LakewardError } from '../model/errors.ts';
import { isLakewardError } from '../model/errors.ts';
import type { CallOptions } from '../ports/call-options.ts';
import type { Clock } from '../ports/clock.ts';

const TRIES = 5;
const FIRST_WAIT_MS = 50;
const WAIT_MAX_MS = 2_000;

export interface Retrying {
  readonly clock: Clock;
  /** How often a call is made at most. */
  readonly tries?: number | undefined;
  /** Failures that are thrown at once. */
  readonly final?: ((error: LakewardError) => boolean) | undefined;
}

/** Calls until it does not throw `lake-unavailable`; the last failure is thrown. */
export async function repeated<T>(
  { clock, tries = TRIES, final }: Retrying,
  call: (attempt: number) => Promise<T>,
  options?: CallOptions,
): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await call(attempt);
    } catch (error) {
      if (!isLakewardError(error, 'lake-unavailable') || attempt + 1 >= tries || final?.(error) === true) throw error;
      await clock.sleep(waitMs(clock, attempt), options?.signal);
    }
  }
}

/** Full jitter: anything up to a bound that doubles. */
export function waitMs(clock: Clock, attempt: number): number {
  return Math.ceil(clock.random() * Math.min(WAIT_MAX_MS, FIRST_WAIT_MS * 2 ** attempt));
}
