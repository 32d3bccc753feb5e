/**
 * Life of a segment: begun (its head durable before any frame), sealed (cut to what counts, index file written), inspected when
 * something is wrong with it, and then either found sound or set aside as damaged and served without its bad frames. From the
 * moment a new segment is attempted the one before takes no more: the new head may be durable even if the attempt failed.
 */
import { errnoOf, replaceFile } from './file-system.ts';
import type { SegmentId, SoundFrame } from './frame.ts';
import { addToSums, createFrameIndex, emptySums, type FrameIndex, type ShardSums } from './frame-index.ts';
import { encodeIndexFile, readIndexHead, readIndexTable } from './index-file.ts';
import { readForScan, scanFrames } from './scan.ts';
import { encodeSegmentHeader, NO_SEGMENT } from './segment-header.ts';
import {
  type ActiveFile,
  addDamage,
  indexPath,
  type Segment,
  type StreamLog,
  segmentPath,
  tornPath,
} from './stream-log.ts';
import { type DamagedRange, saveState } from './stream-state.ts';

/** Tables of sealed segments kept in memory. */
const LOADED_MAX = 16;
const TORN_CHUNK_BYTES = 1024 * 1024;

export async function storeState(log: StreamLog): Promise<void> {
  const { shardCount, retentionMs, retainedFrom, expired, damaged } = log;
  await saveState(log.files, log.folder, {
    version: 1,
    shardCount,
    retentionMs,
    retainedFrom,
    expired: [...expired],
    damaged,
  });
}

/** Begins a new segment. Runs alone. Throws what the file system throws; then the next attempt begins another. */
export async function roll(log: StreamLog): Promise<void> {
  const previous = log.segments.at(-1);
  const { active, files } = log;
  if (active !== undefined) active.usable = false;
  const after = previous === undefined ? 0 : previous.base + Math.max(previous.end, active?.writtenTo ?? 0);
  const base = Math.ceil(Math.max(log.nextBase, after) / 8) * 8;
  log.nextBase = base + 8;
  const segment: Segment = {
    base,
    id: newSegmentId(log),
    starts: log.ends.slice(),
    damaged: false,
    end: 0,
    sums: emptySums(log.shardCount),
    index: createFrameIndex(),
  };
  const header = encodeSegmentHeader({
    ...segment,
    previousBase: previous?.base ?? NO_SEGMENT,
    previousEnd: previous?.end ?? 0,
    createdMs: log.clock.nowMs(),
  });
  segment.end = header.length;
  const path = segmentPath(log, segment);
  const file = await files.open(path, 'create');
  try {
    await file.write(header, 0);
    await file.sync();
    await files.syncFolder(log.folder);
  } catch (error) {
    await Promise.allSettled([file.close(), files.remove(path)]);
    throw error;
  }
  log.segments.push(segment);
  log.active = { file, usable: true, writtenTo: header.length, keepTail: false };
  if (previous !== undefined && active !== undefined) inBackground(log, sealSegment(log, previous, active));
}

function newSegmentId(log: StreamLog): SegmentId {
  const digits = log.clock.uuid().replaceAll('-', '').slice(-16);
  return { low: Number.parseInt(digits.slice(8), 16), high: Number.parseInt(digits.slice(0, 8), 16) };
}

function inBackground(log: StreamLog, work: Promise<void>): void {
  const guarded = work
    .catch((error: unknown) => log.log.warn('segment not sealed, the next start scans it', { stream: log.id, error }))
    .finally(() => log.background.delete(guarded));
  log.background.add(guarded);
}

async function sealSegment(log: StreamLog, segment: Segment, active: ActiveFile): Promise<void> {
  try {
    if (active.keepTail) await keepTail(log, segment, active);
    if (active.writtenTo > segment.end) await active.file.truncate(segment.end);
  } finally {
    await active.file.close();
  }
  await writeIndex(log, segment, true);
  remember(log, segment);
}

/** Copies what a crash left behind the segment's end to a file of its own. */
async function keepTail(log: StreamLog, segment: Segment, active: ActiveFile): Promise<void> {
  const path = tornPath(log, segment.base);
  await log.files.remove(path);
  const copy = await log.files.open(path, 'create');
  try {
    const chunk = new Uint8Array(TORN_CHUNK_BYTES);
    for (let at = segment.end; at < active.writtenTo; ) {
      const count = await active.file.read(chunk.subarray(0, Math.min(chunk.length, active.writtenTo - at)), at);
      if (count === 0) break;
      await copy.write(chunk.subarray(0, count), at - segment.end);
      at += count;
    }
    await copy.sync();
  } finally {
    await copy.close();
  }
}

export async function writeIndex(log: StreamLog, segment: Segment, sealed: boolean): Promise<void> {
  if (segment.index === undefined) return;
  const { id, end, sums } = segment;
  const content = encodeIndexFile({ id, end, sealed, sums, table: segment.index.bytes() });
  await replaceFile(log.files, indexPath(log, segment.base), content);
}

/** Keeps the table of a sealed segment for a while, and lets the one go that was used longest ago. */
const loaded = new WeakMap<StreamLog, Segment[]>();
function remember(log: StreamLog, segment: Segment): void {
  const recent = loaded.get(log)?.filter((other) => other !== segment && other.index !== undefined) ?? [];
  recent.push(segment);
  if (recent.length > LOADED_MAX) {
    const oldest = recent.shift();
    if (oldest !== undefined && oldest !== log.segments.at(-1)) oldest.index = undefined;
  }
  loaded.set(log, recent);
}

/** The table of frames of a segment. Makes it anew when its index file is lost; undefined when the segment left the log meanwhile. */
export async function indexOf(log: StreamLog, segment: Segment): Promise<FrameIndex | undefined> {
  if (segment === log.segments.at(-1)) return segment.index;
  if (segment.index === undefined) {
    const index = await loadIndex(log, segment);
    if (index === undefined) await inspect(log, segment);
    else segment.index ??= index;
  }
  remember(log, segment);
  return log.segments.includes(segment) ? segment.index : undefined;
}

async function loadIndex(log: StreamLog, segment: Segment): Promise<FrameIndex | undefined> {
  try {
    const file = await log.files.open(indexPath(log, segment.base), 'read');
    try {
      const head = await readIndexHead(file);
      if (head === undefined || head.end !== segment.end || head.id.low !== segment.id.low) return undefined;
      const table = await readIndexTable(file, head);
      return table === undefined ? undefined : createFrameIndex(table);
    } finally {
      await file.close();
    }
  } catch (error) {
    log.log.warn('index file cannot be read, it is made anew', { stream: log.id, base: segment.base, error });
    return undefined;
  }
}

/** Reads a segment from end to end; what is bad in it leaves the log, the rest stays. Runs alone. Gives false when it was sound. */
export function inspect(log: StreamLog, segment: Segment): Promise<boolean> {
  return log.exclusive(async () => {
    if (!log.segments.includes(segment)) return true;
    if (segment === log.segments.at(-1)) {
      await roll(log).catch((error: unknown) => {
        log.log.warn('no new segment could begin', { stream: log.id, error });
      });
    }
    await Promise.all(log.background);
    const { frames, whole } = await soundFrames(log, segment);
    const { index, sums } = indexFrames(frames, log.shardCount);
    if (!whole) addDamage(log, missingFrames(segment.sums, frames));
    segment.index = index;
    segment.sums = sums;
    if (whole) await writeIndex(log, segment, true);
    else await setAside(log, segment);
    return !whole;
  });
}

async function soundFrames(log: StreamLog, segment: Segment): Promise<{ frames: SoundFrame[]; whole: boolean }> {
  const file = await log.files.open(segmentPath(log, segment), 'read').catch((error: unknown) => {
    // Only a file that is gone is lost; too many open files, or no permission, may pass.
    if (errnoOf(error) !== 'ENOENT') throw error;
    return undefined;
  });
  if (file === undefined) return { frames: [], whole: false };
  try {
    const bytes = await readForScan(file, 0, segment.end);
    const scan = scanFrames(bytes, firstFrameAt(segment), segment.id);
    return { frames: [...scan.frames], whole: scan.bad.length === 0 && bytes.length === segment.end };
  } finally {
    await file.close();
  }
}

function firstFrameAt(segment: Segment): number {
  const first = segment.index?.count() ? segment.index.frame(0).position : undefined;
  return first ?? 64 + segment.starts.length * 8;
}

export function indexFrames(frames: readonly SoundFrame[], shardCount: number): { index: FrameIndex; sums: ShardSums } {
  const shards = frames.reduce((most, frame) => Math.max(most, frame.shard + 1), shardCount);
  const index = createFrameIndex();
  const sums = emptySums(shards);
  for (const frame of frames) {
    index.add(frame);
    addToSums(sums, frame);
  }
  return { index, sums };
}

/** Offsets that the sums know and the frames lack: within a segment they have no holes of their own. */
export function missingFrames(sums: Pick<ShardSums, 'first' | 'next'>, frames: readonly SoundFrame[]): DamagedRange[] {
  const at = sums.first.slice();
  const missing: DamagedRange[] = [];
  for (const { shard, firstOffset, count } of frames) {
    const from = at[shard] ?? -1;
    if (from >= 0 && firstOffset > from) missing.push({ shard, from, to: firstOffset });
    at[shard] = firstOffset + count;
  }
  at.forEach((from, shard) => {
    const to = sums.next[shard] as number;
    if (from >= 0 && from < to) missing.push({ shard, from, to });
  });
  return missing;
}

/** Marks a segment as damaged for good: its file under another name, a new index file, the gap on record. */
export async function setAside(log: StreamLog, segment: Segment): Promise<void> {
  log.metrics.damagedSegments.add(1);
  log.log.error('damaged segment set aside, its sound records are still served', {
    stream: log.id,
    base: segment.base,
    damaged: log.damaged.length,
  });
  const from = segmentPath(log, segment);
  const to = segmentPath(log, { ...segment, damaged: true });
  try {
    if (from !== to) await log.files.rename(from, to);
    segment.damaged = true;
    await writeIndex(log, segment, true);
    await storeState(log);
  } catch (error) {
    log.log.warn('damage could not be recorded, the next start finds it again', { stream: log.id, error });
  }
}
