/**
 * What a fault means for a delivery: wait and try again, or stop and ask an operator. Pure. Anything that may pass by itself is
 * retried for ever, with growing pauses: records stay in the stream meanwhile. Only what no repetition can mend suspends.
 */
import type { DeliveryTrouble } from '../model/delivery.ts';
import type { ErrorCode } from '../model/errors.ts';
import { LakewardError, isLakewardError } from '../model/errors.ts';

const SUSPENDING: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'broker-changed',
  'incarnation-mismatch',
  'key-missing',
  'lake-unsuitable',
  'landing-log-damaged',
  'layout-invalid',
  'reject-budget-exceeded',
  'row-rejected',
  'schema-invalid',
  'stage-lost',
  'transform-invalid',
]);

const FIRST_PAUSE_MS = 500;
const PAUSE_MS_MAX = 30_000;

/** Codes of the catalogue stay; anything else is `internal`. */
export function asLakewardError(error: unknown): LakewardError {
  if (isLakewardError(error)) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new LakewardError('internal', `the delivery worker met an unexpected fault: ${message}`, { cause: error });
}

export function suspends(error: LakewardError): boolean {
  return SUSPENDING.has(error.code);
}

/** Pause before the given retry (1, 2, …), ms: doubling to half a minute, half of it at random, so that many workers spread out. */
export function retryPauseMs(attempt: number, random: number): number {
  const full = Math.min(FIRST_PAUSE_MS * 2 ** Math.min(attempt - 1, 16), PAUSE_MS_MAX);
  return Math.round(full * (0.5 + random / 2));
}

/** The trouble to show: one that stays the same keeps the time it began. */
export function troubleOf(error: LakewardError, known: DeliveryTrouble | undefined, nowMs: number): DeliveryTrouble {
  const sinceMs = known?.code === error.code ? known.sinceMs : nowMs;
  return { code: error.code, message: error.message, sinceMs };
}
