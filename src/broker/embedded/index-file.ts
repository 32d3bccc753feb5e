/**
 * The index file beside a segment: how far the segment counts, the sums by shard, the table of frames. It only saves time: it is
 * written when a segment is sealed or the log closed, and made anew from the segment when it is missing or damaged. The head with
 * the sums has its own CRC, so that a start reads a few KiB a segment and not the tables. Layout: FORMAT.md.
 */
import { crc32 } from 'node:zlib';
import type { LogFile } from './file-system.ts';
import type { SegmentId } from './frame.ts';
import { ENTRY_BYTES, emptySums, type ShardSums } from './frame-index.ts';

const MAGIC = 0x4957_574c; // "LWWI"
const VERSION = 1;
const FIXED_BYTES = 48;
const SHARDS_MAX = 65_536;
const SUM_COLUMNS = ['first', 'next', 'records', 'bytes', 'minArrivalMs', 'maxArrivalMs'] as const;

export interface IndexHead {
  readonly id: SegmentId;
  /** Bytes of the segment that count. */
  readonly end: number;
  /** The log went on in another segment after this one. */
  readonly sealed: boolean;
  readonly frames: number;
  readonly sums: ShardSums;
}

export interface IndexContent extends Omit<IndexHead, 'frames'> {
  readonly table: Uint8Array;
}

export function encodeIndexFile({ id, end, sealed, sums, table }: IndexContent): Uint8Array {
  const shards = sums.next.length;
  const headBytes = FIXED_BYTES + shards * SUM_COLUMNS.length * 8;
  const bytes = new Uint8Array(headBytes + table.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint32(8, headBytes, true);
  view.setUint16(12, VERSION, true);
  view.setUint16(14, sealed ? 1 : 0, true);
  view.setUint32(16, id.low, true);
  view.setUint32(20, id.high, true);
  view.setFloat64(24, end, true);
  view.setUint32(32, table.length / ENTRY_BYTES, true);
  view.setUint32(36, shards, true);
  view.setUint32(40, crc32(table), true);
  SUM_COLUMNS.forEach((name, column) => {
    new Float64Array(bytes.buffer, FIXED_BYTES + column * shards * 8, shards).set(sums[name]);
  });
  bytes.set(table, headBytes);
  view.setUint32(4, crc32(bytes.subarray(8, headBytes)), true);
  return bytes;
}

/** The head, or undefined when it is none of this version or damaged. */
export async function readIndexHead(file: LogFile): Promise<IndexHead | undefined> {
  const fixed = new Uint8Array(FIXED_BYTES);
  if ((await file.read(fixed, 0)) < FIXED_BYTES) return undefined;
  const view = new DataView(fixed.buffer);
  const shards = view.getUint32(36, true);
  const headBytes = view.getUint32(8, true);
  if (view.getUint32(0, true) !== MAGIC || view.getUint16(12, true) !== VERSION || shards > SHARDS_MAX)
    return undefined;
  if (headBytes !== FIXED_BYTES + shards * SUM_COLUMNS.length * 8) return undefined;
  const head = new Uint8Array(headBytes);
  if ((await file.read(head, 0)) < headBytes || crc32(head.subarray(8)) !== view.getUint32(4, true)) return undefined;
  const sums = emptySums(shards);
  SUM_COLUMNS.forEach((name, column) => {
    sums[name].set(new Float64Array(head.buffer, FIXED_BYTES + column * shards * 8, shards));
  });
  return {
    id: { low: view.getUint32(16, true), high: view.getUint32(20, true) },
    end: view.getFloat64(24, true),
    sealed: view.getUint16(14, true) === 1,
    frames: view.getUint32(32, true),
    sums,
  };
}

/** The table of frames, or undefined when it is cut or damaged. */
export async function readIndexTable(file: LogFile, head: IndexHead): Promise<Uint8Array | undefined> {
  const fixed = new Uint8Array(FIXED_BYTES);
  const start = FIXED_BYTES + head.sums.next.length * SUM_COLUMNS.length * 8;
  if ((await file.size()) < start + head.frames * ENTRY_BYTES) return undefined;
  const table = new Uint8Array(head.frames * ENTRY_BYTES);
  if ((await file.read(fixed, 0)) < FIXED_BYTES || (await file.read(table, start)) < table.length) return undefined;
  return crc32(table) === new DataView(fixed.buffer).getUint32(40, true) ? table : undefined;
}
