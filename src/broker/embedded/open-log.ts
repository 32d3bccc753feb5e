/** Opening, widening and closing the log of one stream: from storage on disk to a `StreamLog` in memory, and back to a recovery point. */
import type { LakewardError } from '../../model/errors.ts';
import type { StreamStorage } from '../../ports/broker.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/telemetry.ts';
import type { FileSystem } from './file-system.ts';
import { emptySums, widenSums } from './frame-index.ts';
import type { Committer } from './group-commit.ts';
import { recover } from './recovery.ts';
import { storeState, writeIndex } from './segments.ts';
import { type LogMetrics, type StreamLog, widen } from './stream-log.ts';
import { createWaiters } from './waiters.ts';

export interface OpenLogOptions {
  readonly storage: StreamStorage;
  readonly folder: string;
  readonly files: FileSystem;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: LogMetrics;
  readonly options: { readonly segmentBytes: number };
}

export async function openLog({
  storage,
  folder,
  files,
  clock,
  log,
  metrics,
  options,
}: OpenLogOptions): Promise<StreamLog> {
  const path = `${folder}/${storage.id}`;
  await files.makeFolder(path);
  await files.syncFolder(folder);
  const stream: StreamLog = {
    id: storage.id,
    folder: path,
    files,
    clock,
    log,
    metrics,
    segmentBytes: options.segmentBytes,
    waiters: createWaiters(clock),
    exclusive: oneAtATime(),
    background: new Set(),
    shardCount: storage.shardCount,
    retentionMs: storage.retentionMs,
    segments: [],
    active: undefined,
    nextBase: 0,
    next: new Float64Array(storage.shardCount),
    ends: new Float64Array(storage.shardCount),
    retainedFrom: 0,
    expired: new Float64Array(storage.shardCount),
    damaged: [],
    tornBytes: 0,
    closedWith: undefined,
  };
  stream.tornBytes = await recover(stream);
  metrics.tornBytes.add(stream.tornBytes);
  widenShards(stream, stream.shardCount);
  return stream;
}

/** Takes over a larger shard count and another retention. */
export async function widenLog(log: StreamLog, storage: StreamStorage): Promise<void> {
  if (storage.shardCount <= log.shardCount && storage.retentionMs === log.retentionMs) return;
  await log.exclusive(async () => {
    widenShards(log, storage.shardCount);
    log.retentionMs = storage.retentionMs;
    await storeState(log);
  });
}

function widenShards(log: StreamLog, shardCount: number): void {
  log.shardCount = Math.max(log.shardCount, shardCount);
  log.next = widen(log.next, log.shardCount);
  log.ends = widen(log.ends, log.shardCount);
  log.expired = widen(log.expired, log.shardCount);
  const last = log.segments.at(-1);
  if (last !== undefined) last.sums = widenSums(last.sums ?? emptySums(0), log.shardCount);
}

/** Runs works one after the other, whatever becomes of each. */
function oneAtATime(): StreamLog['exclusive'] {
  let tail: Promise<unknown> = Promise.resolve();
  return (work) => {
    const turn = tail.then(work, work);
    tail = turn.catch(() => {});
    return turn;
  };
}

/** Lets accepted appends finish, ends waiting readers with `reason`, leaves a recovery point. */
export async function closeLog(log: StreamLog, committer: Committer, reason: LakewardError): Promise<void> {
  await committer.drain();
  log.closedWith = reason;
  log.waiters.fail(reason);
  await log.exclusive(async () => {
    await Promise.all(log.background);
    const last = log.segments.at(-1);
    try {
      if (last !== undefined && log.active?.usable === true) await writeIndex(log, last, false);
    } catch (error) {
      log.log.warn('no recovery point written, the next start scans the last segment', { stream: log.id, error });
    } finally {
      await log.active?.file.close();
      log.active = undefined;
    }
  });
}
