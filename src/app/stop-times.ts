/**
 * How the time of a stop (`server.drain`) is shared out: requests under way first, then landing what waits, and a rest for closing, which is
 * what takes long when Kafka, Redis or the lake do not answer. Pure.
 */
export interface StopTimes {
  /** From the first step to the last. */
  readonly allMs: number;
  /** Of it for requests under way. */
  readonly requestsMs: number;
  /** Of it at the end for everything after the landing. */
  readonly closingMs: number;
}

/** Between the last step and the end of the process; the rest is for steps after the landing. */
const EXIT = { share: 0.1, msMax: 1_000 };
const CLOSING = { share: 0.3, msMax: 3_000 };
/** Also a stop that is to land nothing closes in order. */
const ALL_MS_MIN = 3_000;

export function stopTimes(drainMs: number): StopTimes {
  const endsMs = drainMs - Math.min(drainMs * EXIT.share, EXIT.msMax);
  const landingMs = endsMs - Math.min(drainMs * CLOSING.share, CLOSING.msMax);
  const allMs = Math.max(endsMs, ALL_MS_MIN);
  return { allMs, requestsMs: allMs / 3, closingMs: allMs - landingMs };
}
