/**
 * Answers about a log without reading its records: where a position lies in time, and exactly how much waits behind positions. Sums
 * of segments and tables of frames suffice, but for a position inside a frame, where that one frame is read.
 */
import { LakewardError } from '../../model/errors.ts';
import { asOffset, type Offset, type Positions, type ShardIndex } from '../../model/stream.ts';
import type { LocateAt, Pending, PendingOptions } from '../../ports/broker.ts';
import type { FrameFacts } from './frame.ts';
import type { FrameIndex } from './frame-index.ts';
import { readFrame } from './read.ts';
import { indexOf, inspect } from './segments.ts';
import { type Segment, type StreamLog, segmentOf } from './stream-log.ts';

/** Inspections that one answer may cause. */
const ATTEMPTS_MAX = 8;

export async function locate(log: StreamLog, shard: ShardIndex, at: LocateAt): Promise<Offset> {
  const end = log.ends[shard] ?? 0;
  if (at === 'latest') return asOffset(end);
  if (at === 'earliest') {
    const first = log.segments.find(({ sums }) => (sums.next[shard] ?? -1) >= 0);
    return asOffset(first?.sums.first[shard] ?? end);
  }
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const found = await firstAfter(log, shard, at.atMs);
    if (found !== 'damaged') return asOffset(found ?? log.ends[shard] ?? 0);
  }
  throw new LakewardError('log-damaged', `stream ${log.id} cannot be searched by time`);
}

async function firstAfter(log: StreamLog, shard: ShardIndex, atMs: number): Promise<number | 'damaged' | undefined> {
  const segment = log.segments.find(({ sums }) => (sums.maxArrivalMs[shard] ?? -Infinity) >= atMs);
  if (segment === undefined) return undefined;
  const index = await indexOf(log, segment);
  if (index === undefined) return 'damaged';
  for (const number of index.ofShard(shard)) {
    const frame = index.frame(number);
    if (frame.lastArrivalMs < atMs) continue;
    if (!frame.arrivals) return frame.firstOffset;
    const batch = await readFrame(log, segment, frame, 0);
    if (batch === undefined) {
      await inspect(log, segment);
      return 'damaged';
    }
    return frame.firstOffset + batch.arrivals.findIndex((ms) => ms >= atMs);
  }
  return 'damaged';
}

/** What of a frame lies before a position inside it. */
interface Partial {
  readonly frame: FrameFacts;
  readonly records: number;
  readonly bytes: number;
  /** Earliest arrival at or after the position. */
  readonly oldestArrivalMs: number;
}

/** Where a shard's position lies: everything that had to be awaited to count from there. */
interface Place {
  readonly segment: Segment;
  readonly index: FrameIndex;
  readonly partial: Partial | undefined;
}

export async function pending(log: StreamLog, positions: Positions, options: PendingOptions): Promise<Pending> {
  const deadlineMs = log.clock.monotonicMs() + options.waitMs;
  for (;;) {
    options.signal?.throwIfAborted();
    if (log.closedWith !== undefined) throw log.closedWith;
    const places = await findPlaces(log, positions);
    if (places === 'changed') continue;
    const now = count(log, positions, places);
    const waitMs = deadlineMs - log.clock.monotonicMs();
    if (now.bytes >= options.minBytes || now.records >= options.minRecords || waitMs <= 0) return now;
    let { bytes, records } = now;
    await log.waiters.wait({
      waitMs,
      signal: options.signal,
      arrived: (frames) => {
        for (const frame of frames) {
          if ((positions.get(frame.shard as ShardIndex) ?? Infinity) > frame.firstOffset) continue;
          bytes += frame.keyBytes + frame.dataBytes;
          records += frame.count;
        }
        return bytes >= options.minBytes || records >= options.minRecords;
      },
    });
  }
}

async function findPlaces(log: StreamLog, positions: Positions): Promise<Map<number, Place> | 'changed'> {
  const places = new Map<number, Place>();
  for (const [shard, position] of positions) {
    const segment = log.segments[segmentOf(log, shard, position)];
    if (segment === undefined || (segment.sums.first[shard] ?? 0) >= position) continue;
    const index = await indexOf(log, segment);
    if (index === undefined) return 'changed';
    const number = index.find(shard, position);
    if (number === -1) return 'changed';
    const frame = index.frame(number);
    if (frame.firstOffset >= position) {
      places.set(shard, { segment, index, partial: undefined });
      continue;
    }
    const batch = await readFrame(log, segment, frame, position);
    if (batch === undefined) {
      await inspect(log, segment);
      return 'changed';
    }
    const left = (batch.keyEnds[batch.count - 1] ?? 0) + (batch.dataEnds[batch.count - 1] ?? 0);
    const partial: Partial = {
      frame,
      records: frame.count - batch.count,
      bytes: frame.keyBytes + frame.dataBytes - left,
      oldestArrivalMs: batch.arrivals.reduce((least, ms) => Math.min(least, ms), Infinity),
    };
    places.set(shard, { segment, index, partial });
  }
  return places;
}

/** Counts in one go, so that the sums and the ends belong to the same moment. */
function count(log: StreamLog, positions: Positions, places: ReadonlyMap<number, Place>): Pending {
  let records = 0;
  let bytes = 0;
  let oldest = Infinity;
  const ends = new Map<ShardIndex, Offset>();
  for (const [shard, position] of positions) {
    ends.set(shard, asOffset(log.ends[shard] ?? 0));
    const place = places.get(shard);
    for (const segment of log.segments) {
      const { sums } = segment;
      if ((sums.next[shard] ?? -1) <= position) continue;
      if (place?.segment === segment) {
        for (const frame of framesFrom(place.index, shard, position)) {
          const partial = place.partial?.frame.position === frame.position ? place.partial : undefined;
          records += frame.count - (partial?.records ?? 0);
          bytes += frame.keyBytes + frame.dataBytes - (partial?.bytes ?? 0);
          oldest = Math.min(oldest, partial?.oldestArrivalMs ?? frame.firstArrivalMs);
        }
        continue;
      }
      records += sums.records[shard] ?? 0;
      bytes += sums.bytes[shard] ?? 0;
      oldest = Math.min(oldest, sums.minArrivalMs[shard] ?? Infinity);
    }
  }
  return { records, bytes, exact: true, oldestArrivalMs: oldest === Infinity ? undefined : oldest, ends };
}

function* framesFrom(index: FrameIndex, shard: number, position: number): Generator<FrameFacts> {
  const first = index.find(shard, position);
  for (const number of index.ofShard(shard)) if (first !== -1 && number >= first) yield index.frame(number);
}
