/**
 * Counts what a lake store is asked and how it answers: calls by operation and outcome, their durations, bytes taken in. Changes
 * nothing of what passes through.
 */
import { isLakewardError } from '../../model/errors.ts';
import type { Clock } from '../../ports/clock.ts';
import type { LakeStore } from '../../ports/lake-store.ts';
import type { Telemetry } from '../../ports/telemetry.ts';

const SECONDS = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30];

export interface CountingOptions {
  readonly telemetry: Telemetry;
  readonly clock: Clock;
}

export function countingStore(inner: LakeStore, { telemetry, clock }: CountingOptions): LakeStore {
  const operations = telemetry.counter({
    name: 'lakeward_lake_operations_total',
    help: 'Calls on the lake store by operation and outcome (an answer of the store, or an error code).',
    labels: ['operation', 'outcome'],
  });
  const seconds = telemetry.histogram({
    name: 'lakeward_lake_operation_seconds',
    help: 'Duration of calls on the lake store.',
    labels: ['operation'],
    buckets: SECONDS,
  });
  const stagedBytes = telemetry.counter({
    name: 'lakeward_lake_staged_bytes_total',
    help: 'Bytes of files taken into the lake.',
  });

  async function counted<T>(
    operation: keyof LakeStore,
    call: Promise<T>,
    outcomeOf: (answer: T) => string,
  ): Promise<T> {
    const startedMs = clock.monotonicMs();
    let outcome = 'error';
    try {
      const answer = await call;
      outcome = outcomeOf(answer);
      return answer;
    } catch (error) {
      if (isLakewardError(error)) outcome = error.code;
      throw error;
    } finally {
      operations.add(1, { operation, outcome });
      seconds.observe((clock.monotonicMs() - startedMs) / 1000, { operation });
    }
  }
  const done = (): string => 'done';
  const link = inner.link?.bind(inner);
  const linking: Pick<LakeStore, 'link'> =
    link === undefined
      ? {}
      : { link: (path, local) => counted('link', link(path, local), (isThere) => (isThere ? 'done' : 'refused')) };

  return {
    create: (path, bytes, options) => counted('create', inner.create(path, bytes, options), (answer) => answer),
    overwrite: (path, bytes, options) => counted('overwrite', inner.overwrite(path, bytes, options), done),
    read: (path, options) =>
      counted('read', inner.read(path, options), (answer) => (answer === undefined ? 'absent' : 'found')),
    ...linking,
    list: (prefix, options) => counted('list', inner.list(prefix, options), done),
    remove: (path, options) => counted('remove', inner.remove(path, options), done),
    async stage(file, options) {
      const handle = await counted('stage', inner.stage(file, options), done);
      stagedBytes.add(handle.bytes);
      return handle;
    },
    publish: (handle, options) => counted('publish', inner.publish(handle, options), (answer) => answer),
    discard: (handle, options) => counted('discard', inner.discard(handle, options), done),
  };
}
