/**
 * Group commit: appends that come while the disk works gather, and share the next write and fdatasync.
 *
 *   append ─► queue ─► group built ─► written ─► synced ─► visible, answered
 *                         └─ while the disk works, as soon as a group's worth waits
 *
 * When the disk is idle a group leaves at the end of the current turn of the loop, so there is no timer. Nothing is answered
 * before its sync. A write or sync that failed closes the segment for good, because a second sync may lie; the group is
 * written once more to a new segment, and refused when that fails too.
 */
import { LakewardError } from '../../model/errors.ts';
import { type AppendBatch, batchBytes } from '../../model/record-batch.ts';
import type { AppendResult } from '../../ports/broker.ts';
import { isFull } from './file-system.ts';
import { addToSums } from './frame-index.ts';
import { buildGroup, createArena, type Group, sealGroup } from './group.ts';
import { roll } from './segments.ts';
import type { StreamLog } from './stream-log.ts';

/** Bytes of appends that wait for the disk, over all streams. */
export interface WaitingBytes {
  readonly max: number;
  now: number;
}

export interface CommitOptions {
  readonly groupBytes: number;
  readonly waiting: WaitingBytes;
  /** Called when the disk was found full. */
  onFull(): void;
}

export interface Committer {
  /** Resolves when the batch is durable. Its shards were checked. */
  append(batch: AppendBatch): Promise<AppendResult>;
  /** Resolves when nothing waits any more. */
  drain(): Promise<void>;
}

interface Waiting {
  readonly batch: AppendBatch;
  readonly bytes: number;
  resolve(result: AppendResult): void;
  reject(error: unknown): void;
}

interface Prepared {
  readonly group: Group;
  readonly members: readonly Waiting[];
  readonly bytes: number;
}

const NO_FAILURES: AppendResult['failures'] = [];

export function createCommitter(log: StreamLog, options: CommitOptions): Committer {
  const { groupBytes, waiting } = options;
  const arenas = [createArena(), createArena()] as const;
  let built = 0;
  let queue: Waiting[] = [];
  let queuedBytes = 0;
  let prepared: Prepared | undefined;
  let running: Promise<void> | undefined;

  function append(batch: AppendBatch): Promise<AppendResult> {
    const bytes = batchBytes(batch) + batch.count * 8;
    if (waiting.now > 0 && waiting.now + bytes > waiting.max) {
      throw new LakewardError('broker-overloaded', `${waiting.now} bytes wait for the disk, at most ${waiting.max}`);
    }
    waiting.now += bytes;
    const { promise, resolve, reject } = Promise.withResolvers<AppendResult>();
    queue.push({ batch, bytes, resolve, reject });
    queuedBytes += bytes;
    if (running === undefined) running = run();
    else if (prepared === undefined && queuedBytes >= groupBytes) prepared = prepare();
    return promise;
  }

  function prepare(): Prepared {
    let count = 0;
    let bytes = 0;
    for (const member of queue) {
      if (count > 0 && bytes + member.bytes > groupBytes) break;
      bytes += member.bytes;
      count++;
    }
    const members = queue.slice(0, count);
    queue = queue.slice(count);
    queuedBytes -= bytes;
    const batches = members.map(({ batch }) => batch);
    const group = buildGroup(batches, log.next, arenas[built++ % 2 === 0 ? 0 : 1]);
    return { group, members, bytes };
  }

  async function run(): Promise<void> {
    // Appends of the same turn of the event loop join the first group.
    await Promise.resolve();
    while (prepared !== undefined || queue.length > 0) {
      const next = prepared ?? prepare();
      prepared = undefined;
      await settle(next);
      waiting.now -= next.bytes;
    }
    running = undefined;
  }

  async function settle({ group, members }: Prepared): Promise<void> {
    try {
      await log.exclusive(() => commit(log, group));
      members.forEach((member, i) => {
        member.resolve({ offsets: group.offsets[i] as Float64Array, failures: NO_FAILURES });
      });
    } catch (error) {
      if (isFull(error)) options.onFull();
      const refusal = refusalOf(error);
      for (const member of members) member.reject(refusal);
    }
  }

  return {
    append,
    drain: async () => {
      await running;
    },
  };
}

function refusalOf(error: unknown): LakewardError {
  if (isFull(error)) return new LakewardError('disk-full', 'no space left on the disk of the log', { cause: error });
  return new LakewardError('internal', 'the log could not be written, nothing was stored', { cause: error });
}

async function commit(log: StreamLog, group: Group): Promise<void> {
  try {
    await writeGroup(log, group);
  } catch (error) {
    log.metrics.writeFailures.add(1);
    log.log.error('write to the log failed', { stream: log.id, error });
    if (isFull(error)) throw error;
    await writeGroup(log, group);
  }
}

async function writeGroup(log: StreamLog, group: Group): Promise<void> {
  const last = log.segments.at(-1);
  const fits = last !== undefined && (last.end + group.bytes.length <= log.segmentBytes || last.index?.count() === 0);
  if (!fits || log.active?.usable !== true) await roll(log);
  const segment = log.segments.at(-1);
  const { active } = log;
  if (segment?.index === undefined || active === undefined) throw new Error('a log has a last segment after a roll');
  const start = segment.end;
  sealGroup(group, segment.id, start);
  active.usable = false;
  active.writtenTo = start + group.bytes.length;
  await active.file.write(group.bytes, start);
  const began = log.clock.monotonicMs();
  await active.file.sync();
  log.metrics.syncSeconds.observe((log.clock.monotonicMs() - began) / 1000);
  active.usable = true;
  publish(log, group, start);
}

/** Makes a durable group visible to readers. */
function publish(log: StreamLog, group: Group, start: number): void {
  const segment = log.segments.at(-1);
  if (segment?.index === undefined) throw new Error('the last segment has its index in memory');
  let records = 0;
  for (const frame of group.frames) {
    frame.position += start;
    segment.index.add(frame);
    addToSums(segment.sums, frame);
    log.ends[frame.shard] = frame.firstOffset + frame.count;
    records += frame.count;
  }
  segment.end = start + group.bytes.length;
  log.metrics.groups.add(1);
  log.metrics.records.add(records);
  log.metrics.bytes.add(group.bytes.length);
  log.waiters.notify(group.frames);
}
