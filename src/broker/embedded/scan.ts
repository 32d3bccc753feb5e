/**
 * Reads a segment frame by frame without trusting it: sound frames, and the ranges between that hold none. After a bad place the
 * scan goes on at the next place where a sound frame of the same segment begins, so one bad byte costs one frame. Whether a bad
 * range was ever acknowledged follows from the frames behind it: each names the start of its group, and all before that start
 * was durable when the frame was written.
 */
import { errnoOf, type LogFile } from './file-system.ts';
import { claimedId, FRAME_HEADER_BYTES, FRAME_MAGIC, type SegmentId, type SoundFrame, soundFrame } from './frame.ts';

export interface ByteRange {
  readonly from: number;
  readonly to: number;
}

export interface Scan {
  readonly frames: readonly SoundFrame[];
  readonly bad: readonly ByteRange[];
  /** Bytes before this were durable once, by the word of the frames. */
  readonly durableTo: number;
}

const SECTOR_BYTES = 4096;

/** The bytes `from … to` of a file, fewer when it ends before; sectors that cannot be read are zeros. */
export async function readForScan(file: LogFile, from: number, to: number): Promise<Uint8Array> {
  const length = Math.max(0, to - from);
  const bytes = new Uint8Array(length);
  try {
    return bytes.subarray(0, await file.read(bytes, from));
  } catch (error) {
    if (errnoOf(error) !== 'EIO') throw error;
  }
  for (let at = 0; at < length; at += SECTOR_BYTES) {
    const sector = bytes.subarray(at, Math.min(length, at + SECTOR_BYTES));
    try {
      await file.read(sector, from + at);
    } catch (error) {
      if (errnoOf(error) !== 'EIO') throw error;
      sector.fill(0);
    }
  }
  return bytes;
}

/** Frames of `bytes` from index `from` on; `bytes[0]` lies at `origin` of the segment. Without an id the first sound frame gives it. */
export function scanFrames(bytes: Uint8Array, from: number, id: SegmentId | undefined, origin = 0): Scan {
  const frames: SoundFrame[] = [];
  const bad: ByteRange[] = [];
  let expected = id;
  let durableTo = 0;
  let at = from;
  while (at < bytes.length) {
    const frame = soundFrame(bytes, at, expected, origin);
    if (frame !== undefined) {
      expected ??= claimedId(bytes, at);
      frames.push(frame);
      durableTo = Math.max(durableTo, frame.groupStart);
      at += frame.length;
      continue;
    }
    const next = resync(bytes, at + 8, expected);
    bad.push({ from: origin + at, to: origin + next });
    at = next;
  }
  return { frames, bad, durableTo };
}

function resync(bytes: Uint8Array, from: number, id: SegmentId | undefined): number {
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2);
  const last = bytes.length - FRAME_HEADER_BYTES;
  for (let at = from; at <= last; at += 8) {
    if (words[at >>> 2] === FRAME_MAGIC && soundFrame(bytes, at, id) !== undefined) return at;
  }
  return bytes.length;
}

/**
 * Where the tail begins that a crash tore: the first bad place at or after which nothing was durable. Undefined when there is none.
 * `durableTo` may know more than the frames do.
 */
export function tornFrom(scan: Scan, durableTo: number): number | undefined {
  const durable = Math.max(durableTo, scan.durableTo);
  return scan.bad.find((range) => range.from >= durable)?.from;
}
