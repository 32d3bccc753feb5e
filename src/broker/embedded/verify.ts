/**
 * Checks every byte of the logs in a folder without a server and without changing anything: what `lakeward log verify` prints.
 * The folder must be at rest (locked by the caller, or known to be unused); a torn tail of the last segment is what a crash
 * leaves and no damage.
 */
import { isName } from '../../model/stream.ts';
import { type FileSystem, readWhole } from './file-system.ts';
import { nodeFileSystem } from './node-file-system.ts';
import { type ByteRange, scanFrames, tornFrom } from './scan.ts';
import { decodeSegmentHeader, type SegmentHeader, segmentHeaderLength } from './segment-header.ts';
import { loadState, type DamagedRange } from './stream-state.ts';

export interface SegmentReport {
  readonly file: string;
  readonly bytes: number;
  readonly frames: number;
  readonly records: number;
  /** Bytes that are no sound frame although they count. */
  readonly damaged: readonly ByteRange[];
  /** Bytes after the end of what counts: unfinished writes. */
  readonly tornBytes: number;
  readonly headDamaged: boolean;
}

export interface LogReport {
  readonly stream: string;
  readonly segments: readonly SegmentReport[];
  readonly frames: number;
  readonly records: number;
  readonly bytes: number;
  /** Names of segments that the chain of heads misses. */
  readonly missing: readonly string[];
  /** Offsets that the running log already counts as lost. */
  readonly lostOffsets: readonly DamagedRange[];
  readonly stateDamaged: boolean;
  readonly sound: boolean;
}

export interface VerifyOptions {
  /** The broker's folder: one folder a stream in it. */
  readonly folder: string;
  readonly fileSystem?: FileSystem;
  /** Called after each segment. */
  readonly progress?: (report: SegmentReport) => void;
}

interface Read {
  readonly name: string;
  readonly base: number;
  readonly bytes: Uint8Array;
  readonly header: SegmentHeader | undefined;
}

export async function verifyLog({ folder, fileSystem, progress }: VerifyOptions): Promise<LogReport[]> {
  const files = fileSystem ?? nodeFileSystem();
  const reports: LogReport[] = [];
  for (const stream of (await files.list(folder)).toSorted()) {
    if (isName(stream)) reports.push(await verifyStream(files, folder, { stream, progress }));
  }
  return reports;
}

interface StreamCheck {
  readonly stream: string;
  readonly progress: VerifyOptions['progress'];
}

async function verifyStream(files: FileSystem, root: string, { stream, progress }: StreamCheck): Promise<LogReport> {
  const folder = `${root}/${stream}`;
  const all = await files.list(folder);
  const state = await loadState(files, folder);
  const names = all.filter((name) => /^\d{20}\.(log|damaged)$/.test(name)).toSorted();
  const segments: SegmentReport[] = [];
  const missing: string[] = [];
  let after: Read | undefined;
  // Backwards: how far a segment counts is said by the one after it.
  for (const name of names.toReversed()) {
    const read = await readSegment(files, folder, name);
    if (read.base < (state?.retainedFrom ?? 0)) continue;
    const chain = after?.header;
    if (chain !== undefined && chain.previousBase < read.base) continue;
    if (chain !== undefined && chain.previousBase > read.base) missing.push(nameOf(chain.previousBase));
    const report = check(read, chain?.previousBase === read.base ? chain.previousEnd : undefined);
    progress?.(report);
    segments.unshift(report);
    after = read;
  }
  const first = after?.header?.previousBase ?? -1;
  if (state !== undefined && first >= state.retainedFrom) missing.push(nameOf(first));
  const sum = (of: (report: SegmentReport) => number): number =>
    segments.reduce((total, report) => total + of(report), 0);
  const stateDamaged = state === undefined && all.includes('state.json');
  const damaged = segments.some((report) => report.damaged.length > 0 || report.headDamaged);
  return {
    stream,
    segments,
    frames: sum(({ frames }) => frames),
    records: sum(({ records }) => records),
    bytes: sum(({ bytes }) => bytes),
    missing,
    lostOffsets: state?.damaged ?? [],
    stateDamaged,
    sound: !damaged && !stateDamaged && missing.length === 0 && (state?.damaged.length ?? 0) === 0,
  };
}

const nameOf = (base: number): string => `${String(base).padStart(20, '0')}.log`;

async function readSegment(files: FileSystem, folder: string, name: string): Promise<Read> {
  const bytes = (await readWhole(files, `${folder}/${name}`)) ?? new Uint8Array(0);
  const base = Number(name.slice(0, 20));
  const header = decodeSegmentHeader(bytes);
  return { name, base, bytes, header: header?.base === base ? header : undefined };
}

/** `counts` is undefined for the last segment: then what a crash may have torn off is no damage. */
function check({ name, bytes, header }: Read, counts: number | undefined): SegmentReport {
  const firstAt = header === undefined ? 0 : segmentHeaderLength(header.starts.length);
  const scan = scanFrames(bytes, firstAt, header?.id);
  const end = counts ?? tornFrom(scan, firstAt) ?? bytes.length;
  const cut: ByteRange[] = bytes.length < end ? [{ from: bytes.length, to: end }] : [];
  const frames = scan.frames.filter(({ position }) => position < end);
  return {
    file: name,
    bytes: bytes.length,
    frames: frames.length,
    records: frames.reduce((sum, { count }) => sum + count, 0),
    damaged: [...scan.bad.filter(({ from }) => from < end), ...cut],
    tornBytes: Math.max(0, bytes.length - end),
    headDamaged: header === undefined && (frames.length > 0 || counts !== undefined),
  };
}
