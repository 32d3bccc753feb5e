/**
 * Reads records at or after positions, in storage order: from the first segment that has any of them, frame by frame by the
 * table, neighbouring frames in one call to the disk. Every frame proves its CRC; one that cannot sends its segment to
 * inspection, after which the read goes on behind the gap.
 */
import { LakewardError } from '../../model/errors.ts';
import type { RecordBatch } from '../../model/record-batch.ts';
import { asOffset, type Offset, type Positions, type ShardIndex } from '../../model/stream.ts';
import type { OffsetGap, ReadOptions, ReadResult } from '../../ports/broker.ts';
import type { LogFile } from './file-system.ts';
import { type FrameFacts, frameBatch, soundFrame } from './frame.ts';
import type { FrameIndex } from './frame-index.ts';
import { indexOf, inspect } from './segments.ts';
import { gapsBetween, type Segment, type StreamLog, segmentOf, segmentPath } from './stream-log.ts';

/** Bytes between two wanted frames that are read along rather than asked for apart. */
const SKIP_BYTES_MAX = 32 * 1024;
/** Bytes of one call to the disk, but for a frame that is larger. */
const RUN_BYTES_MAX = 4 * 1024 * 1024;
/** Inspections that one read may cause. */
const ATTEMPTS_MAX = 8;

/** What a read gathered so far. `next` moves as batches and gaps are taken. */
interface Gathered {
  readonly batches: RecordBatch[];
  readonly gaps: OffsetGap[];
  readonly next: Map<ShardIndex, Offset>;
  bytes: number;
}

export async function read(log: StreamLog, positions: Positions, options: ReadOptions): Promise<ReadResult> {
  const deadlineMs = log.clock.monotonicMs() + options.waitMs;
  for (;;) {
    options.signal?.throwIfAborted();
    if (log.closedWith !== undefined) throw log.closedWith;
    const { batches, gaps, next } = await gather(log, positions, options);
    const result = { batches, gaps, next };
    if (result.batches.length > 0 || result.gaps.length > 0) return result;
    const waitMs = deadlineMs - log.clock.monotonicMs();
    if (waitMs <= 0) return result;
    // Between the look at the log and this wait nothing was awaited, so no commit is missed.
    await log.waiters.wait({
      waitMs,
      signal: options.signal,
      arrived: (frames) => frames.some((frame) => isWanted(positions, frame)),
    });
  }
}

function isWanted(positions: Positions, frame: FrameFacts): boolean {
  return (positions.get(frame.shard as ShardIndex) ?? Infinity) < frame.firstOffset + frame.count;
}

async function gather(log: StreamLog, positions: Positions, { maxBytes, signal }: ReadOptions): Promise<Gathered> {
  const gathered: Gathered = { batches: [], gaps: [], next: new Map(positions), bytes: 0 };
  let attempts = 0;
  for (;;) {
    const segment = firstSegment(log, gathered);
    if (segment === undefined || (gathered.bytes >= maxBytes && gathered.batches.length > 0)) return gathered;
    const index = await indexOf(log, segment);
    signal?.throwIfAborted();
    if (log.closedWith !== undefined) throw log.closedWith;
    if (index === undefined) continue;
    const outcome = await readSegment({ log, segment, index, gathered, maxBytes });
    if (outcome === 'damaged' && log.segments.includes(segment)) {
      attempts++;
      if (attempts > ATTEMPTS_MAX) throw new LakewardError('log-damaged', `stream ${log.id} cannot be read`);
      await inspect(log, segment);
    }
  }
}

/** The first segment with anything wanted. Positions at which nothing will ever be move on, with the gap named. */
function firstSegment(log: StreamLog, gathered: Gathered): Segment | undefined {
  let first = log.segments.length;
  for (const [shard, position] of gathered.next) {
    const number = segmentOf(log, shard, position);
    if (number !== -1) {
      first = Math.min(first, number);
      continue;
    }
    const end = log.ends[shard] ?? 0;
    if (end <= position) continue;
    gathered.gaps.push(...gapsBetween(log, shard, position, end));
    gathered.next.set(shard, asOffset(end));
  }
  return log.segments[first];
}

interface SegmentRead {
  readonly log: StreamLog;
  readonly segment: Segment;
  readonly index: FrameIndex;
  readonly gathered: Gathered;
  readonly maxBytes: number;
}

async function readSegment(options: SegmentRead): Promise<'done' | 'damaged'> {
  const runs = planRuns(options);
  if (runs.length === 0) return 'done';
  const { log, segment } = options;
  const own = segment === log.segments.at(-1) ? log.active?.file : undefined;
  let file: LogFile | undefined;
  try {
    file = own ?? (await log.files.open(segmentPath(log, segment), 'read'));
    for (const run of runs) if (!(await readRun(options, file, run))) return 'damaged';
    return 'done';
  } catch (error) {
    log.log.warn('segment cannot be read', { stream: log.id, base: segment.base, error });
    return 'damaged';
  } finally {
    if (own === undefined) await file?.close();
  }
}

/** Frames wanted, in storage order, as far as the budget goes; those close to each other form a run. */
function planRuns({ index, gathered, maxBytes }: SegmentRead): FrameFacts[][] {
  let number = Infinity;
  for (const [shard, position] of gathered.next) {
    const found = index.find(shard, position);
    if (found !== -1) number = Math.min(number, found);
  }
  const runs: FrameFacts[][] = [];
  let planned = gathered.bytes;
  for (; number < index.count(); number++) {
    if (planned >= maxBytes && (runs.length > 0 || gathered.batches.length > 0)) break;
    const frame = index.frame(number);
    if (!isWanted(gathered.next, frame)) continue;
    planned += frame.keyBytes + frame.dataBytes;
    const run = runs.at(-1);
    const last = run?.at(-1);
    const first = run?.[0];
    const end = frame.position + frame.length;
    const joins =
      last !== undefined &&
      first !== undefined &&
      frame.position - (last.position + last.length) <= SKIP_BYTES_MAX &&
      end - first.position <= RUN_BYTES_MAX;
    if (joins) run?.push(frame);
    else runs.push([frame]);
  }
  return runs;
}

async function readRun(
  { log, segment, gathered }: SegmentRead,
  file: LogFile,
  run: readonly FrameFacts[],
): Promise<boolean> {
  const first = run[0];
  const last = run.at(-1);
  if (first === undefined || last === undefined) return true;
  const bytes = Buffer.allocUnsafeSlow(last.position + last.length - first.position);
  if ((await file.read(bytes, first.position)) < bytes.length) return false;
  for (const frame of run) {
    const at = frame.position - first.position;
    const sound = soundFrame(bytes, at, segment.id);
    if (sound?.firstOffset !== frame.firstOffset || sound.shard !== frame.shard) return false;
    take(log, gathered, frameBatch(bytes, at, frame, gathered.next.get(frame.shard as ShardIndex) ?? 0));
    gathered.bytes += frame.keyBytes + frame.dataBytes;
  }
  return true;
}

function take(log: StreamLog, gathered: Gathered, batch: RecordBatch): void {
  const { shard, firstOffset, count } = batch;
  const position = gathered.next.get(shard) ?? firstOffset;
  if (firstOffset > position) gathered.gaps.push(...gapsBetween(log, shard, position, firstOffset));
  gathered.batches.push(batch);
  gathered.next.set(shard, asOffset(firstOffset + count));
}

/** The records of one frame from offset `from` on; undefined when it could not be read. */
export async function readFrame(
  log: StreamLog,
  segment: Segment,
  frame: FrameFacts,
  from: number,
): Promise<RecordBatch | undefined> {
  const file = await log.files.open(segmentPath(log, segment), 'read').catch(() => undefined);
  try {
    const bytes = Buffer.allocUnsafeSlow(frame.length);
    const count = await file?.read(bytes, frame.position);
    const sound = count === bytes.length && soundFrame(bytes, 0, segment.id) !== undefined;
    return sound ? frameBatch(bytes, 0, frame, from) : undefined;
  } finally {
    await file?.close();
  }
}
