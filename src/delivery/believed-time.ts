/**
 * The wall clock as far as it is believed. One that jumps ahead would make every record old and every partition over at once, and
 * what follows from that cannot be taken back: a gain over the monotonic clock is believed only when it has held for long. Going
 * back, and small corrections, are followed at once. Remembers nothing over a restart.
 */
import type { Clock } from '../ports/clock.ts';

const GAIN_MS_MAX = 10 * 60_000;
const HOLD_MS = 60 * 60_000;

export interface BelievedTime {
  /** Epoch ms; while the wall clock is in doubt, what it would say without its jump. */
  readonly nowMs: number;
  readonly doubt: Doubt | undefined;
}

export interface Doubt {
  readonly gainedMs: number;
  /** When it began, monotonic ms. */
  readonly sinceMs: number;
}

/** Reads the time; a jump is doubted from the first read that sees it. */
export function believedTime(clock: Clock): () => BelievedTime {
  let believedAheadMs = clock.nowMs() - clock.monotonicMs();
  let doubt: Doubt | undefined;
  return () => {
    const monotonicMs = clock.monotonicMs();
    const aheadMs = clock.nowMs() - monotonicMs;
    const gainedMs = aheadMs - believedAheadMs;
    if (gainedMs <= GAIN_MS_MAX) doubt = undefined;
    else if (doubt === undefined || Math.abs(gainedMs - doubt.gainedMs) > GAIN_MS_MAX) {
      doubt = { gainedMs, sinceMs: monotonicMs };
    } else if (monotonicMs - doubt.sinceMs >= HOLD_MS) doubt = undefined;
    if (doubt === undefined) believedAheadMs = aheadMs;
    return { nowMs: believedAheadMs + monotonicMs, doubt };
  };
}
