/**
 * Time and chance: everything that would make a run unrepeatable comes through here, so that a test can drive time by hand and a
 * seed can replay a run.
 */
export interface Clock {
  /** Wall clock, epoch ms. May jump. */
  nowMs(): number;
  /** For durations, ms; never goes back. */
  monotonicMs(): number;
  /** Resolves after `ms`; rejects with the signal's reason when aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Uniform in [0, 1). */
  random(): number;
  /** A new UUID, version 7: unique, ascending with time. */
  uuid(): string;
}
