/**
 * Makes a log readable and writable again after a clean stop, a crash, or damage. Sealed segments are believed by their index
 * files; the last one is read through.
 *
 *   leftovers out ─► chain checked by heads ─► index or scan of each ─► last: torn tail? damage? ─► new segment if anything was wrong
 *
 * Nothing that shows a loss is removed before a new segment has durably begun behind everything the lost bytes could have held: a
 * crash during recovery finds the same again. An offset is therefore never given twice.
 */
import { LakewardError } from '../../model/errors.ts';
import type { LogFile } from './file-system.ts';
import { FRAME_HEADER_BYTES, RECORD_OVERHEAD_BYTES, type SoundFrame } from './frame.ts';
import { createFrameIndex, type FrameIndex, widenSums } from './frame-index.ts';
import { type IndexHead, readIndexHead, readIndexTable } from './index-file.ts';
import { findSegments, type FoundSegment, rememberAside } from './recovery-files.ts';
import { type ByteRange, readForScan, type Scan, scanFrames, tornFrom } from './scan.ts';
import { segmentHeaderLength } from './segment-header.ts';
import { indexFrames, roll, setAside, storeState } from './segments.ts';
import { addDamage, indexPath, type Segment, type StreamLog, segmentPath, widen } from './stream-log.ts';
import { type DamagedRange, loadState } from './stream-state.ts';

/** Offsets skipped when a whole last segment vanished: more than any segment holds. */
const LOST_SEGMENT_OFFSETS = 2 ** 32;

/** What recovery carries from segment to segment. */
interface Walk {
  readonly log: StreamLog;
  /** By shard: the end of what was found so far. */
  cursor: Float64Array;
  /** The last segment found had bad bytes, or one between is missing: jumps that follow are damage. */
  broken: boolean;
  previousBase: number;
  readonly damaged: Segment[];
}

/** Fills a fresh `log` from its folder. Gives the bytes of torn tails. */
export async function recover(log: StreamLog): Promise<number> {
  const state = await loadState(log.files, log.folder);
  const { found, aside } = await findSegments(log, state?.retainedFrom ?? 0);
  log.retainedFrom = state?.retainedFrom ?? found[0]?.base ?? 0;
  log.damaged = [...(state?.damaged ?? [])];
  const first = found[0]?.header?.starts ?? new Float64Array(0);
  const shards = Math.max(
    log.shardCount,
    state?.shardCount ?? 0,
    ...found.map(({ header }) => header?.starts.length ?? 0),
  );
  log.shardCount = shards;
  log.expired = widen(Float64Array.from(state?.expired ?? first), shards);
  const walk: Walk = {
    log,
    cursor: log.expired.slice(),
    broken: false,
    previousBase: found[0]?.header?.previousBase ?? -1,
    damaged: [],
  };
  // The first segment kept may begin later than what expired only when one before it is missing.
  walk.broken = walk.previousBase >= log.retainedFrom && state !== undefined;
  for (const [i, segment] of found.entries()) {
    const successor = found[i + 1];
    if (successor !== undefined) await takeSealed(walk, segment, successor);
  }
  const torn = await takeLast(walk, found.at(-1), aside);
  await Promise.all(log.background);
  for (const segment of walk.damaged) await setAside(log, segment);
  await storeState(log).catch((error: unknown) => {
    log.log.warn('state of the stream not stored', { stream: log.id, error });
  });
  return torn;
}

/** Takes over what lies between the end of the segment before and the head of this one. */
function enter({ log, ...walk }: Walk, { header, base }: FoundSegment): Float64Array {
  const starts = widen(header?.starts ?? walk.cursor.slice(), log.shardCount);
  const missing = header !== undefined && header.previousBase > walk.previousBase && walk.previousBase >= 0;
  if (missing || walk.broken) addDamage(log, jumps(walk.cursor, starts));
  if (missing) log.log.error('a segment is missing', { stream: log.id, before: base });
  return starts;
}

function jumps(from: Float64Array, to: Float64Array): DamagedRange[] {
  return [...to].flatMap((end, shard) => {
    const start = from[shard] ?? 0;
    return end > start ? [{ shard, from: start, to: end }] : [];
  });
}

function leave(walk: Walk, segment: Segment, broken: boolean): void {
  const { log } = walk;
  log.segments.push(segment);
  for (let shard = 0; shard < log.shardCount; shard++) {
    const end = Math.max(segment.starts[shard] ?? 0, segment.sums.next[shard] ?? -1);
    walk.cursor[shard] = Math.max(walk.cursor[shard] ?? 0, end);
  }
  walk.broken = broken;
  walk.previousBase = segment.base;
}

async function takeSealed(walk: Walk, found: FoundSegment, successor: FoundSegment): Promise<void> {
  const { log } = walk;
  const starts = enter(walk, found);
  const chained = successor.header?.previousBase === found.base;
  const end = chained ? (successor.header?.previousEnd ?? found.size) : found.size;
  const known = await readIndex(log, found);
  if (known !== undefined && known.head.end <= found.size && (!chained || known.head.end === end)) {
    const { id, sums } = known.head;
    const wide = widenSums(sums, Math.max(log.shardCount, sums.next.length));
    const { base, damaged } = found;
    const segment: Segment = { base, id, starts, damaged, end: known.head.end, sums: wide, index: undefined };
    leave(walk, segment, damaged);
    return;
  }
  const file = await log.files.open(segmentPath(log, found), 'read');
  try {
    const scan = scanFound(await readForScan(file, 0, end), found);
    const cut = found.size < end || found.header === undefined;
    takeScanned(walk, { found, starts, scan, frames: scan.frames, end: Math.min(end, found.size), cut });
  } finally {
    await file.close();
  }
}

function scanFound(bytes: Uint8Array, { header }: FoundSegment): Scan {
  return scanFrames(bytes, header === undefined ? 0 : segmentHeaderLength(header.starts.length), header?.id);
}

interface Scanned {
  readonly found: FoundSegment;
  readonly starts: Float64Array;
  readonly scan: Pick<Scan, 'bad'>;
  readonly frames: readonly SoundFrame[];
  readonly end: number;
  /** Bytes that counted are gone, besides what the scan found bad. */
  readonly cut: boolean;
}

/** Adds a segment as its frames tell it; holes between frames are damage when bytes were bad. */
function takeScanned(walk: Walk, { found, starts, scan, frames, end, cut }: Scanned): Segment {
  const { log } = walk;
  const broken = cut || scan.bad.some(({ from }) => from < end);
  const { index, sums } = indexFrames(frames, log.shardCount);
  const { base, damaged, id } = found;
  const segment: Segment = { base, id, starts, damaged, end, sums, index };
  if (broken) {
    const at = Float64Array.from(starts, (start, shard) => Math.max(start, walk.cursor[shard] ?? 0));
    for (const { shard, firstOffset, count } of frames) {
      addDamage(log, [{ shard, from: at[shard] ?? 0, to: firstOffset }]);
      at[shard] = firstOffset + count;
    }
    walk.damaged.push(segment);
  }
  leave(walk, segment, broken);
  return segment;
}

async function readIndex(log: StreamLog, found: FoundSegment): Promise<Known | undefined> {
  const file = await log.files.open(indexPath(log, found.base), 'read').catch(() => undefined);
  if (file === undefined) return undefined;
  try {
    const head = await readIndexHead(file);
    if (head === undefined || (found.header !== undefined && head.id.low !== found.header.id.low)) return undefined;
    return { head, index: undefined };
  } finally {
    await file.close();
  }
}

interface Known {
  readonly head: IndexHead;
  readonly index: FrameIndex | undefined;
}

/** The last segment: goes on being written when all is well, else a new one begins. */
async function takeLast(walk: Walk, found: FoundSegment | undefined, aside: readonly FoundSegment[]): Promise<number> {
  const { log } = walk;
  let lost = aside.reduce((sum, { size }) => sum + size, 0);
  let clean = aside.length === 0;
  let lostFrames: Float64Array | undefined;
  if (found !== undefined) {
    const file = await log.files.open(segmentPath(log, found), 'write');
    const starts = enter(walk, found);
    const tail = await readTail(log, found, file);
    const torn = tornFrom(tail.scan, tail.durableTo);
    const end = torn ?? Math.max(found.size, tail.firstAt);
    const frames = tail.scan.frames.filter(({ position }) => position < end);
    const written = await writeAgain(log, file, { from: Math.max(tail.durableTo, tail.scan.durableTo), to: end });
    const cut = found.size < tail.durableTo || found.header === undefined;
    const known = tail.known === undefined ? [] : framesOf(tail.known);
    const all = [...known, ...frames];
    const segment = takeScanned(walk, { found, starts, scan: tail.scan, frames: all, end, cut });
    const damaged = walk.damaged.at(-1) === segment;
    lost += found.size - Math.min(found.size, end) + Math.max(0, tail.durableTo - found.size);
    if (damaged && !tail.sealed) {
      const bad = tail.scan.bad.filter(({ from }) => from < end);
      const tornRecords = Math.ceil(lost / RECORD_OVERHEAD_BYTES);
      lostFrames = recordsBehind(bad, all, log.shardCount).map((count) => count + tornRecords);
    }
    if (damaged) lost += found.size;
    if (tail.sealed) lost += LOST_SEGMENT_OFFSETS * RECORD_OVERHEAD_BYTES;
    clean &&= written && torn === undefined && !damaged && !tail.sealed && !found.damaged;
    log.active = { file, usable: clean, writtenTo: found.size, keepTail: torn !== undefined };
  } else if (log.retainedFrom > 0) lost += LOST_SEGMENT_OFFSETS * RECORD_OVERHEAD_BYTES;
  await goOn(walk, { lost, lostFrames, clean: clean && found !== undefined, aside });
  return lost > LOST_SEGMENT_OFFSETS ? 0 : lost;
}

/** By shard: how many records the bad places behind its last sound frame can have held at most; before it, the frames tell exactly. */
function recordsBehind(bad: readonly ByteRange[], frames: readonly SoundFrame[], shardCount: number): Float64Array {
  const lastAt = new Float64Array(shardCount).fill(-1);
  for (const { shard, position } of frames) lastAt[shard] = Math.max(lastAt[shard] ?? -1, position);
  return lastAt.map((position) =>
    bad.reduce((sum, { from, to }) => {
      const bodyBytes = from > position ? Math.max(0, to - from - FRAME_HEADER_BYTES) : 0;
      return sum + Math.floor(bodyBytes / RECORD_OVERHEAD_BYTES);
    }, 0),
  );
}

/**
 * The last group of a killed process may be in memory only, and a sync of it may have failed, after which another one says
 * yes without saving anything. Written again and synced it is on disk before anybody reads it. Gives false when that fails.
 */
async function writeAgain(log: StreamLog, file: LogFile, { from, to }: ByteRange): Promise<boolean> {
  try {
    if (to > from) await file.write(await readForScan(file, from, to), from);
    await file.sync();
    return true;
  } catch (error) {
    log.log.warn('the last group could not be written again', { stream: log.id, error });
    return false;
  }
}

function framesOf(index: FrameIndex): SoundFrame[] {
  return Array.from({ length: index.count() }, (_, i) => ({ ...index.frame(i), groupStart: 0 }));
}

interface Tail {
  readonly scan: Scan;
  readonly durableTo: number;
  readonly sealed: boolean;
  readonly firstAt: number;
  /** Frames before the last recovery point. */
  readonly known: FrameIndex | undefined;
}

/** Scans the last segment from its last recovery point, or from its head. */
async function readTail(log: StreamLog, found: FoundSegment, file: LogFile): Promise<Tail> {
  const firstAt = found.header === undefined ? 0 : segmentHeaderLength(found.header.starts.length);
  const recoveryPoint = (await readIndex(log, found))?.head;
  const durableTo = Math.max(firstAt, recoveryPoint?.end ?? 0);
  const sealed = recoveryPoint?.sealed === true;
  if (recoveryPoint !== undefined && found.header !== undefined && recoveryPoint.end <= found.size) {
    const table = await log.files.open(indexPath(log, found.base), 'read').then(async (index) => {
      try {
        return await readIndexTable(index, recoveryPoint);
      } finally {
        await index.close();
      }
    });
    if (table !== undefined) {
      const bytes = await readForScan(file, durableTo, found.size);
      const scan = scanFrames(bytes, 0, found.header.id, durableTo);
      return { scan, durableTo, sealed, firstAt, known: createFrameIndex(table) };
    }
  }
  const scan = scanFound(await readForScan(file, 0, found.size), found);
  return { scan, durableTo, sealed, firstAt, known: undefined };
}

interface Onward {
  readonly lost: number;
  /** By shard: how many of the skipped offsets may have been records; undefined when all may. */
  readonly lostFrames: Float64Array | undefined;
  readonly clean: boolean;
  readonly aside: readonly FoundSegment[];
}

async function goOn(walk: Walk, { lost, lostFrames, clean, aside }: Onward): Promise<void> {
  const { log } = walk;
  const skipped = Math.ceil(lost / RECORD_OVERHEAD_BYTES);
  const before = walk.cursor.slice();
  log.ends = walk.cursor.map((end) => end + skipped);
  log.next = log.ends.slice();
  if (walk.broken) {
    addDamage(
      log,
      jumps(
        before,
        before.map((end, shard) => end + Math.min(skipped, lostFrames?.[shard] ?? skipped)),
      ),
    );
  }
  if (lost > 0) log.log.warn('a torn tail is kept aside', { stream: log.id, bytes: lost, skippedOffsets: skipped });
  if (clean) return;
  try {
    await roll(log);
    await rememberAside(log, aside);
  } catch (error) {
    if (log.segments.length === 0) {
      throw new LakewardError('disk-full', `the log of stream ${log.id} cannot be made`, { cause: error });
    }
    log.log.warn('no new segment could begin, the first append tries again', { stream: log.id, error });
  }
}
