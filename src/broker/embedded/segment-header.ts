/**
 * The head of a segment file: its identity, where the log went before it, and the offset at which each shard goes on. The
 * heads chain the log: how far the segment before counts is said by the next one, so bytes that were never acknowledged (a torn
 * tail, a group whose sync failed) stay out of the log even if a crash brings them back, and the offsets lost with a segment are
 * known exactly. Layout: FORMAT.md.
 */
import { crc32 } from 'node:zlib';
import type { SegmentId } from './frame.ts';

const MAGIC = 0x5357_574c; // "LWWS"
const VERSION = 1;
const FIXED_BYTES = 64;
const SHARDS_MAX = 65_536;
/** No head is longer. */
export const SEGMENT_HEADER_BYTES_MAX = FIXED_BYTES + SHARDS_MAX * 8;
/** `previousBase` of the first segment. */
export const NO_SEGMENT = -1;

export interface SegmentHeader {
  readonly id: SegmentId;
  /** Position of the segment in the log, ascending; its file name. */
  readonly base: number;
  /** The segment before this one, and how many bytes of it count. */
  readonly previousBase: number;
  readonly previousEnd: number;
  readonly createdMs: number;
  /** Next offset of each shard when the segment began. */
  readonly starts: Float64Array;
}

export function segmentHeaderLength(shardCount: number): number {
  return FIXED_BYTES + shardCount * 8;
}

export function encodeSegmentHeader(header: SegmentHeader): Uint8Array {
  const bytes = new Uint8Array(segmentHeaderLength(header.starts.length));
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint32(8, bytes.length, true);
  view.setUint32(12, VERSION, true);
  view.setUint32(16, header.id.low, true);
  view.setUint32(20, header.id.high, true);
  view.setFloat64(24, header.base, true);
  view.setFloat64(32, header.previousBase, true);
  view.setFloat64(40, header.previousEnd, true);
  view.setFloat64(48, header.createdMs, true);
  view.setUint32(56, header.starts.length, true);
  new Float64Array(bytes.buffer, FIXED_BYTES).set(header.starts);
  view.setUint32(4, crc32(bytes.subarray(8)), true);
  return bytes;
}

/** The head at the start of `bytes`, or undefined when it is torn or damaged. */
export function decodeSegmentHeader(bytes: Uint8Array): SegmentHeader | undefined {
  if (bytes.length < FIXED_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (view.getUint32(0, true) !== MAGIC || view.getUint32(12, true) !== VERSION) return undefined;
  const length = view.getUint32(8, true);
  const shards = view.getUint32(56, true);
  if (length !== segmentHeaderLength(shards) || length > bytes.length) return undefined;
  if (view.getUint32(4, true) !== crc32(bytes.subarray(8, length))) return undefined;
  // A copy: the view may be of a buffer, whose slice would be the same memory, and not aligned.
  const starts = new Float64Array(shards);
  new Uint8Array(starts.buffer).set(bytes.subarray(FIXED_BYTES, length));
  return {
    id: { low: view.getUint32(16, true), high: view.getUint32(20, true) },
    base: view.getFloat64(24, true),
    previousBase: view.getFloat64(32, true),
    previousEnd: view.getFloat64(40, true),
    createdMs: view.getFloat64(48, true),
    // A copy also of a Buffer, whose own slice would share memory and give its whole length.
    starts: new Float64Array(Uint8Array.from(bytes.subarray(FIXED_BYTES, length)).buffer),
  };
}
