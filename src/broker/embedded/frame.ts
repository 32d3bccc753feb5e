/**
 * A frame: some records of one shard, as bytes of a segment. This file owns the layout (told in FORMAT.md) and the judgement
 * whether bytes are a frame; it knows nothing of files. All numbers are little-endian; a frame starts at a multiple of 8 in its
 * segment, so that reading makes typed-array views and no copies. Nothing read from a disk is used before its CRC was right.
 */
import { crc32 } from 'node:zlib';
import type { RecordBatch } from '../../model/record-batch.ts';
import { asOffset, asShard } from '../../model/stream.ts';

export const FRAME_MAGIC = 0x4657_574c; // "LWWF"
export const FRAME_VERSION = 1;
export const FRAME_HEADER_BYTES = 72;
/** What each record takes in a body beyond its own bytes: two end positions. */
export const RECORD_OVERHEAD_BYTES = 8;
/** Flag: the body holds an arrival for each record; else all have the first. */
export const FLAG_ARRIVALS = 1;

/** Identity of a segment file, drawn at its creation. */
export interface SegmentId {
  readonly low: number;
  readonly high: number;
}

/** What the header of a frame says, and where the frame lies. */
export interface FrameFacts {
  /** Bytes from the start of the segment. */
  position: number;
  length: number;
  shard: number;
  firstOffset: number;
  count: number;
  keyBytes: number;
  dataBytes: number;
  firstArrivalMs: number;
  lastArrivalMs: number;
  arrivals: boolean;
}

export function frameLength(count: number, payloadBytes: number, arrivals: boolean): number {
  const bytes = FRAME_HEADER_BYTES + count * (RECORD_OVERHEAD_BYTES + (arrivals ? 8 : 0)) + payloadBytes;
  return (bytes + 7) & ~7;
}

/** Writes the header but for what depends on the segment (`sealFrame`). */
export function writeFrameHeader(view: DataView, at: number, facts: FrameFacts): void {
  view.setUint32(at, FRAME_MAGIC, true);
  view.setUint32(at + 8, facts.length, true);
  view.setUint16(at + 12, FRAME_VERSION, true);
  view.setUint16(at + 14, facts.arrivals ? FLAG_ARRIVALS : 0, true);
  view.setUint32(at + 16, facts.shard, true);
  view.setUint32(at + 20, facts.count, true);
  view.setFloat64(at + 24, facts.firstOffset, true);
  view.setFloat64(at + 32, facts.firstArrivalMs, true);
  view.setFloat64(at + 40, facts.lastArrivalMs, true);
  view.setUint32(at + 56, facts.keyBytes, true);
  view.setUint32(at + 60, facts.dataBytes, true);
  view.setUint32(at + 68, 0, true);
}

/** Binds a frame to its segment and group, and closes it with its CRC. */
export function sealFrame(bytes: Uint8Array, at: number, id: SegmentId, groupStart: number): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset + at);
  view.setUint32(48, id.low, true);
  view.setUint32(52, id.high, true);
  view.setUint32(64, groupStart, true);
  view.setUint32(4, crc32(bytes.subarray(at + 8, at + view.getUint32(8, true))), true);
}

/** Facts of a frame that was proven sound, and where its group began: all before that was durable when the frame was written. */
export interface SoundFrame extends FrameFacts {
  readonly groupStart: number;
}

/**
 * The frame at `at` of `bytes`, or undefined when there is none that is whole, undamaged and of this segment. `origin` is the
 * position of `bytes[0]` in the segment.
 */
export function soundFrame(
  bytes: Uint8Array,
  at: number,
  id: SegmentId | undefined,
  origin = 0,
): SoundFrame | undefined {
  if (at + FRAME_HEADER_BYTES > bytes.length) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, bytes.length - at);
  if (view.getUint32(0, true) !== FRAME_MAGIC) return undefined;
  if (id !== undefined && (view.getUint32(48, true) !== id.low || view.getUint32(52, true) !== id.high))
    return undefined;
  const length = view.getUint32(8, true);
  const count = view.getUint32(20, true);
  const arrivals = (view.getUint16(14, true) & FLAG_ARRIVALS) !== 0;
  const keyBytes = view.getUint32(56, true);
  const dataBytes = view.getUint32(60, true);
  if (length > view.byteLength || count === 0 || length !== frameLengthOf(count, keyBytes + dataBytes, arrivals)) {
    return undefined;
  }
  if (view.getUint16(12, true) !== FRAME_VERSION) return undefined;
  if (view.getUint32(4, true) !== crc32(bytes.subarray(at + 8, at + length))) return undefined;
  return {
    position: origin + at,
    length,
    shard: view.getUint32(16, true),
    firstOffset: view.getFloat64(24, true),
    count,
    keyBytes,
    dataBytes,
    firstArrivalMs: view.getFloat64(32, true),
    lastArrivalMs: view.getFloat64(40, true),
    arrivals,
    groupStart: view.getUint32(64, true),
  };
}

/** As `frameLength`, for numbers from a disk, which may be anything. */
function frameLengthOf(count: number, payloadBytes: number, arrivals: boolean): number {
  return Math.ceil((FRAME_HEADER_BYTES + count * (arrivals ? 16 : 8) + payloadBytes) / 8) * 8;
}

/** The segment id that the bytes at `at` claim. */
export function claimedId(bytes: Uint8Array, at: number): SegmentId {
  const view = new DataView(bytes.buffer, bytes.byteOffset + at);
  return { low: view.getUint32(48, true), high: view.getUint32(52, true) };
}

/** The records of a sound frame at `at` of `bytes` (aligned to 8), from offset `from` on: views, but for the ends of a part. */
export function frameBatch(bytes: Uint8Array, at: number, frame: FrameFacts, from: number): RecordBatch {
  const { count, keyBytes, dataBytes } = frame;
  const skip = Math.max(0, from - frame.firstOffset);
  let start = bytes.byteOffset + at + FRAME_HEADER_BYTES;
  const arrivals = frame.arrivals
    ? new Float64Array(bytes.buffer, start + skip * 8, count - skip)
    : new Float64Array(count - skip).fill(frame.firstArrivalMs);
  if (frame.arrivals) start += count * 8;
  const keyEnds = new Uint32Array(bytes.buffer, start, count);
  const dataEnds = new Uint32Array(bytes.buffer, start + count * 4, count);
  start += count * RECORD_OVERHEAD_BYTES;
  const keysFrom = skip === 0 ? 0 : (keyEnds[skip - 1] ?? 0);
  const dataFrom = skip === 0 ? 0 : (dataEnds[skip - 1] ?? 0);
  return {
    shard: asShard(frame.shard),
    firstOffset: asOffset(frame.firstOffset + skip),
    count: count - skip,
    arrivals,
    keyEnds: skip === 0 ? keyEnds : keyEnds.subarray(skip).map((end) => end - keysFrom),
    dataEnds: skip === 0 ? dataEnds : dataEnds.subarray(skip).map((end) => end - dataFrom),
    keys: new Uint8Array(bytes.buffer, start + keysFrom, keyBytes - keysFrom),
    data: new Uint8Array(bytes.buffer, start + keyBytes + dataFrom, dataBytes - dataFrom),
  };
}
