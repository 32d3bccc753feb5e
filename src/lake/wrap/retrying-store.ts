/**
 * Repeats the calls that bear it unseen, and slows down when the store asks to. `create` and `stage` are made once: whether a creation
 * was one's own is read back, and a file is staged anew under another path, by the landing log and not here. What the store is known
 * to have refused is told at once, since the operator has to do something.
 */
import { isLakewardError } from '../../model/errors.ts';
import type { CallOptions } from '../../ports/call-options.ts';
import type { Clock } from '../../ports/clock.ts';
import type { LakeStore } from '../../ports/lake-store.ts';
import type { Telemetry } from '../../ports/telemetry.ts';
import type { StorePace } from './store-pace.ts';

const THROTTLED_TRIES = 10;
/** Few: the landing log repeats what stays unclear. */
const UNCLEAR_TRIES = 3;
const UNCLEAR_WAIT_MS = 100;

export interface RetryingOptions {
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly pace: StorePace;
}

export function retryingStore(inner: LakeStore, { clock, telemetry, pace }: RetryingOptions): LakeStore {
  const throttles = telemetry.counter({
    name: 'lakeward_lake_throttled_total',
    help: 'Calls that the lake store answered with a request to slow down.',
    labels: ['operation'],
  });
  const repeats = telemetry.counter({
    name: 'lakeward_lake_repeated_total',
    help: 'Calls on the lake store that were repeated after a failure that may pass.',
    labels: ['operation'],
  });

  async function once<T>(operation: keyof LakeStore, call: () => Promise<T>, options?: CallOptions): Promise<T> {
    const level = await pace.turn(options?.signal);
    try {
      const answer = await call();
      pace.answered(level);
      return answer;
    } catch (error) {
      if (isThrottled(error)) {
        throttles.add(1, { operation });
        pace.throttled(level);
      }
      throw error;
    }
  }

  async function repeated<T>(operation: keyof LakeStore, call: () => Promise<T>, options?: CallOptions): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await once(operation, call, options);
      } catch (error) {
        const tries = triesOf(error);
        if (attempt >= tries) throw error;
        repeats.add(1, { operation });
        // The pace is the wait of a throttled call.
        if (!isThrottled(error)) await clock.sleep(clock.random() * UNCLEAR_WAIT_MS * 2 ** attempt, options?.signal);
      }
    }
  }

  return {
    create: (path, bytes, options) => once('create', () => inner.create(path, bytes, options), options),
    stage: (file, options) => once('stage', () => inner.stage(file, options), options),
    overwrite: (path, bytes, options) => repeated('overwrite', () => inner.overwrite(path, bytes, options), options),
    read: (path, options) => repeated('read', () => inner.read(path, options), options),
    list: (prefix, options) => repeated('list', () => inner.list(prefix, options), options),
    remove: (path, options) => repeated('remove', () => inner.remove(path, options), options),
    publish: (handle, options) => repeated('publish', () => inner.publish(handle, options), options),
    discard: (handle, options) => repeated('discard', () => inner.discard(handle, options), options),
  };
}

function isThrottled(error: unknown): boolean {
  return isLakewardError(error, 'lake-unavailable') && error.details?.['throttled'] === true;
}

function triesOf(error: unknown): number {
  if (!isLakewardError(error, 'lake-unavailable')) return 1;
  if (isThrottled(error)) return THROTTLED_TRIES;
  return error.details?.['refused'] === true || error.details?.['systemCode'] !== undefined ? 1 : UNCLEAR_TRIES;
}
