/**
 * How many bytes the next landing of a worker takes: half of what was too much for a conversion, down to a single record, and twice as
 * many again after a while of conversions that went well. Lives as long as its worker; nothing is kept.
 */
import { isLakewardError } from '../model/errors.ts';

export interface LandingBudget {
  /** Of so many bytes a landing takes when nothing is short. */
  bytesMax(whole: number): number;
  /** A conversion of so many bytes failed; only a want of resources makes the next one smaller. */
  failed(error: unknown, bytes: number): void;
  converted(): void;
}

/** A doubling that comes too early costs a failed conversion. */
const CONVERSIONS_BEFORE_MORE = 8;

export function landingBudget(): LandingBudget {
  let most = Number.POSITIVE_INFINITY;
  let conversions = 0;
  return {
    bytesMax(whole) {
      if (most >= whole) most = Number.POSITIVE_INFINITY;
      return Math.min(most, whole);
    },
    failed(error, bytes) {
      if (!isLakewardError(error, 'convert-failed') || error.details?.['resource'] !== true) return;
      most = Math.max(1, Math.floor((bytes === 0 ? most : Math.min(most, bytes)) / 2));
      conversions = 0;
    },
    converted() {
      conversions += 1;
      if (conversions % CONVERSIONS_BEFORE_MORE === 0) most *= 2;
    },
  };
}
