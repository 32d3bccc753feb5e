/**
 * A group: the appends that share one write and one sync. Their records are sorted into frames, one a shard (more only when a
 * frame would exceed `FRAME_PAYLOAD_BYTES_MAX`, so that reading a few records stays cheap). Two passes over typed arrays, no object
 * a record; neighbours of one frame are copied in one piece.
 */
import type { AppendBatch } from '../../model/record-batch.ts';
import {
  FRAME_HEADER_BYTES,
  type FrameFacts,
  frameLength,
  type SegmentId,
  sealFrame,
  writeFrameHeader,
} from './frame.ts';

const FRAME_PAYLOAD_BYTES_MAX = 1024 * 1024;
/** Below this a copy byte by byte beats a call. */
const SHORT_COPY_BYTES = 24;

export interface Group {
  /** Frames one after the other; valid until the next group is built with the same arena. */
  readonly bytes: Uint8Array;
  /** Positions are relative to the group. */
  readonly frames: readonly FrameFacts[];
  /** For each batch the offsets of its records. */
  readonly offsets: readonly Float64Array[];
}

/** Memory that groups are built in, kept from one to the next. */
export interface Arena {
  bytes: Uint8Array<ArrayBuffer>;
  words: Uint32Array;
  doubles: Float64Array;
  view: DataView;
  /** Frame of each record. */
  frameOf: Uint32Array;
}

export function createArena(): Arena {
  const bytes = new Uint8Array(0);
  return { ...views(bytes), frameOf: new Uint32Array(0) };
}

function views(bytes: Uint8Array<ArrayBuffer>): Omit<Arena, 'frameOf'> {
  const { buffer } = bytes;
  return { bytes, words: new Uint32Array(buffer), doubles: new Float64Array(buffer), view: new DataView(buffer) };
}

function reserve(arena: Arena, bytes: number): void {
  if (arena.bytes.length >= bytes) return;
  const rounded = Math.ceil(bytes / 65_536) * 65_536;
  Object.assign(arena, views(new Uint8Array(new ArrayBuffer(rounded))));
}

/** Sorts batches into frames and gives their records offsets; `next` (by shard) moves past them. */
export function buildGroup(batches: readonly AppendBatch[], next: Float64Array, arena: Arena): Group {
  const frames = assignFrames(batches, next, arena);
  let length = 0;
  for (const frame of frames) {
    frame.arrivals = frame.firstArrivalMs !== frame.lastArrivalMs;
    frame.position = length;
    frame.length = frameLength(frame.count, frame.keyBytes + frame.dataBytes, frame.arrivals);
    length += frame.length;
  }
  reserve(arena, length);
  const { bytes } = arena;
  for (const frame of frames) {
    bytes.fill(0, frame.position + frame.length - 8, frame.position + frame.length);
    writeFrameHeader(arena.view, frame.position, frame);
  }
  const cursors = frames.map(cursorOf);
  let record = 0;
  const offsets = batches.map((batch) => {
    const given = new Float64Array(batch.count);
    copyBatch(batch, record, given, { arena, frames, cursors });
    record += batch.count;
    return given;
  });
  return { bytes: bytes.subarray(0, length), frames, offsets };
}

/** Binds all frames to the place where they will be written. */
export function sealGroup(group: Group, id: SegmentId, groupStart: number): void {
  for (const frame of group.frames) sealFrame(group.bytes, frame.position, id, groupStart);
}

function assignFrames(batches: readonly AppendBatch[], next: Float64Array, arena: Arena): FrameFacts[] {
  const total = batches.reduce((sum, batch) => sum + batch.count, 0);
  if (arena.frameOf.length < total) arena.frameOf = new Uint32Array(total * 2);
  const { frameOf } = arena;
  const current = new Int32Array(next.length).fill(-1);
  const frames: FrameFacts[] = [];
  let record = 0;
  for (const batch of batches) {
    const { count, shards, keyEnds, dataEnds, arrivalMs } = batch;
    let keyFrom = 0;
    let dataFrom = 0;
    for (let i = 0; i < count; i++) {
      const shard = shards[i] as number;
      const keyEnd = keyEnds[i] as number;
      const dataEnd = dataEnds[i] as number;
      let index = current[shard] as number;
      let frame = frames[index];
      if (
        frame === undefined ||
        frame.keyBytes + frame.dataBytes + keyEnd - keyFrom + dataEnd - dataFrom > FRAME_PAYLOAD_BYTES_MAX
      ) {
        index = frames.length;
        current[shard] = index;
        frame = newFrame(shard, next[shard] as number, arrivalMs);
        frames.push(frame);
      }
      frame.count += 1;
      frame.keyBytes += keyEnd - keyFrom;
      frame.dataBytes += dataEnd - dataFrom;
      if (arrivalMs < frame.firstArrivalMs) frame.firstArrivalMs = arrivalMs;
      if (arrivalMs > frame.lastArrivalMs) frame.lastArrivalMs = arrivalMs;
      next[shard] = (next[shard] as number) + 1;
      frameOf[record++] = index;
      keyFrom = keyEnd;
      dataFrom = dataEnd;
    }
  }
  return frames;
}

function newFrame(shard: number, firstOffset: number, arrivalMs: number): FrameFacts {
  return {
    position: 0,
    length: 0,
    shard,
    firstOffset,
    count: 0,
    keyBytes: 0,
    dataBytes: 0,
    firstArrivalMs: arrivalMs,
    lastArrivalMs: arrivalMs,
    arrivals: false,
  };
}

/** Where the next record of a frame goes. */
interface Cursor {
  record: number;
  keyEnd: number;
  dataEnd: number;
  readonly arrivalsAt: number;
  readonly keyEndsAt: number;
  readonly dataEndsAt: number;
  readonly keysAt: number;
  readonly dataAt: number;
}

function cursorOf(frame: FrameFacts): Cursor {
  const body = frame.position + FRAME_HEADER_BYTES;
  const ends = body + (frame.arrivals ? frame.count * 8 : 0);
  const keysAt = ends + frame.count * 8;
  return {
    record: 0,
    keyEnd: 0,
    dataEnd: 0,
    arrivalsAt: body >>> 3,
    keyEndsAt: ends >>> 2,
    dataEndsAt: (ends >>> 2) + frame.count,
    keysAt,
    dataAt: keysAt + frame.keyBytes,
  };
}

interface Target {
  readonly arena: Arena;
  readonly frames: readonly FrameFacts[];
  readonly cursors: readonly Cursor[];
}

function copyBatch(batch: AppendBatch, firstRecord: number, given: Float64Array, target: Target): void {
  const { count, keyEnds, dataEnds, keys, data, arrivalMs } = batch;
  const { bytes, words, doubles, frameOf } = target.arena;
  let i = 0;
  let keyFrom = 0;
  let dataFrom = 0;
  while (i < count) {
    const index = frameOf[firstRecord + i] as number;
    const frame = target.frames[index] as FrameFacts;
    const cursor = target.cursors[index] as Cursor;
    const keyShift = cursor.keyEnd - keyFrom;
    const dataShift = cursor.dataEnd - dataFrom;
    const start = i;
    let slot = cursor.record;
    do {
      words[cursor.keyEndsAt + slot] = (keyEnds[i] as number) + keyShift;
      words[cursor.dataEndsAt + slot] = (dataEnds[i] as number) + dataShift;
      given[i] = frame.firstOffset + slot;
      slot++;
      i++;
    } while (i < count && frameOf[firstRecord + i] === index);
    if (frame.arrivals) doubles.fill(arrivalMs, cursor.arrivalsAt + cursor.record, cursor.arrivalsAt + slot);
    const keyTo = keyEnds[i - 1] as number;
    const dataTo = dataEnds[i - 1] as number;
    copyPiece(bytes, cursor.keysAt + cursor.keyEnd, keys, { from: keyFrom, to: keyTo });
    copyPiece(bytes, cursor.dataAt + cursor.dataEnd, data, { from: dataFrom, to: dataTo });
    cursor.record += i - start;
    cursor.keyEnd += keyTo - keyFrom;
    cursor.dataEnd += dataTo - dataFrom;
    keyFrom = keyTo;
    dataFrom = dataTo;
  }
}

function copyPiece(
  target: Uint8Array,
  at: number,
  source: Uint8Array,
  { from, to }: { from: number; to: number },
): void {
  if (to - from > SHORT_COPY_BYTES) {
    target.set(source.subarray(from, to), at);
    return;
  }
  for (let i = from; i < to; i++) target[at++] = source[i] as number;
}
