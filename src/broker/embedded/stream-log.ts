/**
 * The log of one stream as the process holds it: its segments, the offsets given and durable, what is lost. Data and the simplest
 * questions about it; who changes it: `segments.ts` (roll, seal, inspect), `group-commit.ts` (append), `retention.ts`, `recovery.ts`.
 * Invariants: segments ascend by base; only the last is written to; `ends` never exceeds what is durable; offsets only grow.
 */
import type { LakewardError } from '../../model/errors.ts';
import type { OffsetGap } from '../../ports/broker.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Counter, Histogram, Log } from '../../ports/telemetry.ts';
import type { Offset, ShardIndex, StreamId } from '../../model/stream.ts';
import type { FileSystem, LogFile } from './file-system.ts';
import type { SegmentId } from './frame.ts';
import type { FrameIndex, ShardSums } from './frame-index.ts';
import type { DamagedRange } from './stream-state.ts';
import type { Waiters } from './waiters.ts';

export interface Segment {
  readonly base: number;
  readonly id: SegmentId;
  /** Next offset of each shard when the segment began. */
  readonly starts: Float64Array;
  damaged: boolean;
  /** Bytes that count. */
  end: number;
  sums: ShardSums;
  /** Always there for the last segment, loaded on demand for the others. */
  index: FrameIndex | undefined;
}

/** The file behind the last segment. */
export interface ActiveFile {
  readonly file: LogFile;
  /** False once anything failed: then the next append begins a new segment. */
  usable: boolean;
  /** Highest byte that may have been written, acknowledged or not. */
  writtenTo: number;
  /** The bytes after the segment's end were torn by a crash: kept aside before they are cut. */
  keepTail: boolean;
}

export interface LogMetrics {
  readonly records: Counter;
  readonly bytes: Counter;
  readonly groups: Counter;
  readonly syncSeconds: Histogram;
  readonly writeFailures: Counter;
  readonly tornBytes: Counter;
  readonly damagedSegments: Counter;
  readonly lostOffsets: Counter;
}

export interface StreamLog {
  readonly id: StreamId;
  readonly folder: string;
  readonly files: FileSystem;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: LogMetrics;
  readonly segmentBytes: number;
  readonly waiters: Waiters;
  /** Runs alone: no commit, no other exclusive work meanwhile. */
  readonly exclusive: <T>(work: () => Promise<T>) => Promise<T>;
  /** Work nobody waits for, until the log closes. */
  readonly background: Set<Promise<void>>;
  shardCount: number;
  retentionMs: number;
  segments: Segment[];
  active: ActiveFile | undefined;
  /** No new segment has a lower base. */
  nextBase: number;
  /** By shard: the next offset to give to an append. */
  next: Float64Array;
  /** By shard: the end of what is durable. */
  ends: Float64Array;
  retainedFrom: number;
  expired: Float64Array;
  damaged: DamagedRange[];
  /** Cut off when the log was opened. */
  tornBytes: number;
  closedWith: LakewardError | undefined;
}

const BASE_DIGITS = 20;

export function baseName(base: number): string {
  return String(base).padStart(BASE_DIGITS, '0');
}

export function segmentPath(log: Pick<StreamLog, 'folder'>, segment: Pick<Segment, 'base' | 'damaged'>): string {
  return `${log.folder}/${baseName(segment.base)}.${segment.damaged ? 'damaged' : 'log'}`;
}

export function indexPath(log: Pick<StreamLog, 'folder'>, base: number): string {
  return `${log.folder}/${baseName(base)}.index`;
}

export function tornPath(log: Pick<StreamLog, 'folder'>, base: number): string {
  return `${log.folder}/${baseName(base)}.torn`;
}

/** A longer copy of per-shard numbers; new places hold 0. */
export function widen(values: Float64Array, length: number): Float64Array {
  if (values.length >= length) return values;
  const wide = new Float64Array(length);
  wide.set(values);
  return wide;
}

/** Number of the first segment that holds a record of the shard at or after the offset; -1 for none. */
export function segmentOf(log: StreamLog, shard: number, offset: number): number {
  return log.segments.findIndex(({ sums }) => (sums.next[shard] ?? -1) > offset);
}

/** Names every offset of `from … to` by why no record is there. */
export function gapsBetween(log: StreamLog, shard: ShardIndex, from: number, to: number): OffsetGap[] {
  const gaps: OffsetGap[] = [];
  let at = from;
  const push = (until: number, cause: OffsetGap['cause']): void => {
    if (until <= at) return;
    gaps.push({ shard, from: at as Offset, to: until as Offset, cause });
    at = until;
  };
  push(Math.min(to, log.expired[shard] ?? 0), 'expired');
  for (const range of log.damaged) {
    if (range.shard !== shard || range.to <= at || range.from >= to) continue;
    push(range.from, 'unused');
    push(Math.min(to, range.to), 'damaged');
  }
  push(to, 'unused');
  return gaps;
}

/** Adds lost offsets, in order, without what is known already. */
export function addDamage(log: StreamLog, ranges: readonly DamagedRange[]): void {
  for (const range of ranges) {
    const known = log.damaged.some((old) => old.shard === range.shard && old.from <= range.from && old.to >= range.to);
    if (known || range.to <= range.from) continue;
    log.damaged.push(range);
    log.metrics.lostOffsets.add(range.to - range.from);
  }
  log.damaged.sort((a, b) => a.shard - b.shard || a.from - b.from);
}
