/**
 * Which files of a log's folder are its segments. Leftovers of retention and of attempts that failed go; files that never became
 * segments (a crash tore their head before anything was acknowledged) are named, and set aside only once the log durably goes on
 * without them.
 */
import type { LogFile } from './file-system.ts';
import type { SegmentId } from './frame.ts';
import { scanFrames, readForScan } from './scan.ts';
import { decodeSegmentHeader, SEGMENT_HEADER_BYTES_MAX, type SegmentHeader } from './segment-header.ts';
import { indexPath, type StreamLog, segmentPath, tornPath } from './stream-log.ts';
import { claimedId } from './frame.ts';

export interface FoundSegment {
  readonly base: number;
  readonly damaged: boolean;
  readonly size: number;
  /** Undefined when it cannot be read. */
  readonly header: SegmentHeader | undefined;
  readonly id: SegmentId;
}

export interface FoundFiles {
  /** Ascending by base, each chained to the one before as far as the heads tell. */
  readonly found: readonly FoundSegment[];
  /** Last files without a head and without a sound frame. */
  readonly aside: readonly FoundSegment[];
}

const SEGMENT_NAME = /^(\d{20})\.(log|damaged)$/;
const NO_ID: SegmentId = { low: 0, high: 0 };

export async function findSegments(log: StreamLog, retainedFrom: number): Promise<FoundFiles> {
  const names = await log.files.list(log.folder);
  for (const name of names) if (name.endsWith('.tmp')) await log.files.remove(`${log.folder}/${name}`);
  const all: FoundSegment[] = [];
  for (const name of names.toSorted()) {
    const [, digits, kind] = SEGMENT_NAME.exec(name) ?? [];
    if (digits === undefined) continue;
    const place = { base: Number(digits), damaged: kind === 'damaged' };
    log.nextBase = Math.max(log.nextBase, place.base + 8);
    if (place.base < retainedFrom) await removeSegmentFiles(log, place);
    else all.push(await examine(log, place));
  }
  const aside: FoundSegment[] = [];
  while (all.at(-1)?.header === undefined && all.at(-1)?.id === NO_ID) {
    const last = all.pop();
    if (last === undefined) break;
    log.nextBase = Math.max(log.nextBase, last.base + last.size + 8);
    aside.push(last);
  }
  return { found: await withoutLeftovers(log, all), aside };
}

/** Removes a segment with everything beside it. */
export async function removeSegmentFiles(log: StreamLog, segment: { base: number; damaged: boolean }): Promise<void> {
  await log.files.remove(segmentPath(log, segment));
  await log.files.remove(indexPath(log, segment.base));
  await log.files.remove(tornPath(log, segment.base));
}

/** Keeps what never was a segment under another name. */
export async function rememberAside(log: StreamLog, aside: readonly FoundSegment[]): Promise<void> {
  for (const file of aside) await log.files.rename(segmentPath(log, file), tornPath(log, file.base));
  if (aside.length > 0) await log.files.syncFolder(log.folder);
}

async function examine(log: StreamLog, place: { base: number; damaged: boolean }): Promise<FoundSegment> {
  const file = await log.files.open(segmentPath(log, place), 'read');
  try {
    const size = await file.size();
    const header = decodeSegmentHeader(await headBytes(file, size));
    const sound = header !== undefined && header.base === place.base ? header : undefined;
    const id = sound?.id ?? (await idFromFrames(file, size));
    return { ...place, size, header: sound, id };
  } finally {
    await file.close();
  }
}

async function headBytes(file: LogFile, size: number): Promise<Uint8Array> {
  const short = await readForScan(file, 0, Math.min(size, 4096));
  if (decodeSegmentHeader(short) !== undefined || size <= 4096) return short;
  return readForScan(file, 0, Math.min(size, SEGMENT_HEADER_BYTES_MAX));
}

/** A head that cannot be read: the first sound frame knows the id as well. */
async function idFromFrames(file: LogFile, size: number): Promise<SegmentId> {
  const bytes = await readForScan(file, 0, size);
  const first = scanFrames(bytes, 0, undefined).frames[0];
  return first === undefined ? NO_ID : claimedId(bytes, first.position);
}

/** A segment that its successor's head passes over was an attempt that failed: nothing in it was acknowledged. */
async function withoutLeftovers(log: StreamLog, all: readonly FoundSegment[]): Promise<FoundSegment[]> {
  const chained: FoundSegment[] = [];
  let successor: SegmentHeader | undefined;
  for (const segment of all.toReversed()) {
    if (successor !== undefined && segment.base > successor.previousBase) {
      log.log.warn('leftover of a failed attempt removed', { stream: log.id, base: segment.base });
      await removeSegmentFiles(log, segment);
      continue;
    }
    chained.push(segment);
    successor = segment.header;
  }
  return chained.reverse();
}
