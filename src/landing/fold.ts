/**
 * What a landing log says, as pure functions: `valid` is the fence (an entry counts only on top of every entry before it), `fold`
 * adds one entry. No I/O, no clock: two processes that read the same entries hold the same state, whatever they did before.
 */
import { asOffset, asShard, type Offset, type Positions, type ShardIndex } from '../model/stream.ts';
import {
  type DroppedRows,
  type Entry,
  type EntryBody,
  type EntryFile,
  type LandedPart,
  removedPaths,
} from './entry.ts';
import { countLanding, countReplay, NO_REJECTS, type RejectCounts, rowsOf } from './reject-counts.ts';
import { forgetLast, type KnownKeys, NO_KEYS, remember } from './known-keys.ts';
import { type LiveFiles, moveFiles } from './live-files.ts';
import { isHeld } from './paths.ts';
import { moveHighs, type ShardHighs } from './shard-highs.ts';

/** Condemned nonces remembered; an older one can only meet stages that are gone, which is repaired as a loss. */
const CONDEMNED_MAX = 1000;

export interface Totals {
  readonly rows: number;
  readonly files: number;
  readonly bytes: number;
  /** Set aside in files, … */
  readonly rejectedRows: number;
  /** … of which so many have landed since. */
  readonly replayedRows: number;
  /** Rejected and kept nowhere. */
  readonly skippedRows: number;
  readonly extraRows: number;
  readonly lateRows: number;
  readonly filteredRows: number;
  readonly lostOffsets: number;
  /** Rows dropped as duplicates, and rows that landed without an event id. */
  readonly duplicateRows: number;
  readonly unkeyedRows: number;
  /** Of the rows that landed, those that left since because their time was over, or because somebody asked. */
  readonly expiredRows: number;
  readonly erasedRows: number;
  /** … or because the lake lost them and an operator gave them up. */
  readonly lostRows: number;
  /** Of the rows set aside, those that left in either way. */
  readonly droppedRejects: number;
}

/** A partition that time will close, with what it holds so far. */
export interface OpenPartition {
  readonly closesAtMs: number;
  readonly rows: number;
  readonly files: number;
  readonly bytes: number;
}
export interface ClosedPartition extends OpenPartition {
  readonly partition: string;
  /** The entry whose watermark closed it. */
  readonly entry: number;
}

/** A closed partition that an entry landed rows in, or gave up rows of. */
export interface ReopenedPartition {
  readonly partition: string;
  readonly closesAtMs: number;
  /** That came late, in this entry. */
  readonly lateRows: number;
  readonly lostRows?: number;
  readonly entry: number;
}

export interface LandingState extends LiveFiles {
  /** Newest entry folded, -1 before entry 0. */
  readonly n: number;
  readonly origin: { readonly lakeId: string; readonly stream: string; readonly streamId: string } | undefined;
  readonly positions: Positions;
  readonly planVersion: number;
  readonly totals: Totals;
  readonly rejects: RejectCounts;
  readonly watermarkMs: number | undefined;
  /** By shard whose rows have landed: how far its event time got. */
  readonly highs: ShardHighs;
  readonly lastLandedMs: number | undefined;
  readonly condemned: readonly string[];
  readonly known: KnownKeys;
  readonly open: ReadonlyMap<string, OpenPartition>;
  /** Closed since the checkpoint. */
  readonly closed: readonly ClosedPartition[];
  /** Reopened since the checkpoint. */
  readonly reopened: readonly ReopenedPartition[];
}

const NO_TOTALS: Totals = {
  rows: 0,
  files: 0,
  bytes: 0,
  rejectedRows: 0,
  replayedRows: 0,
  skippedRows: 0,
  extraRows: 0,
  lateRows: 0,
  lostOffsets: 0,
  filteredRows: 0,
  duplicateRows: 0,
  unkeyedRows: 0,
  expiredRows: 0,
  erasedRows: 0,
  lostRows: 0,
  droppedRejects: 0,
};

export const EMPTY_STATE: LandingState = {
  n: -1,
  origin: undefined,
  positions: new Map(),
  planVersion: 0,
  totals: NO_TOTALS,
  rejects: NO_REJECTS,
  liveFiles: 0,
  watermarkMs: undefined,
  highs: new Map(),
  lastLandedMs: undefined,
  condemned: [],
  known: NO_KEYS,
  open: new Map(),
  closed: [],
  reopened: [],
  held: new Map(),
  leaving: new Map(),
  touched: new Map(),
  headMs: 0,
  latest: [],
  merged: undefined,
  added: new Map(),
  removed: new Set(),
};

/** Whether a path is among the files of the checkpoint; needed only for a `replace` of files older than it. */
export type InCheckpoint = (path: string) => boolean;

/** Whether an entry may follow. A shard the log has not met begins at 0. */
export function valid(
  state: LandingState,
  entry: EntryBody & { readonly nonce: string },
  inCheckpoint: InCheckpoint = () => false,
): boolean {
  if (state.condemned.includes(entry.nonce)) return false;
  const live = (path: string): boolean =>
    state.added.has(path) || state.held.has(path) || (!state.removed.has(path) && inCheckpoint(path));
  switch (entry.kind) {
    case 'open':
      return state.n === -1;
    case 'append':
      // What was compared with other ids than those remembered now may hold duplicates.
      if (entry.dedupe !== undefined && entry.dedupe.after !== state.known.last) return false;
      return state.n >= 0 && Object.entries(entry.ranges).every(([shard, [from]]) => positionOf(state, shard) === from);
    case 'replace':
      if (!entry.repair && new Set(entry.removed).size !== entry.removed.length) return false;
      return state.n >= 0 && entry.removed.every(live);
    case 'replay':
    case 'undo': {
      if (entry.kind === 'replay' && entry.dedupe !== undefined && entry.dedupe.after !== state.known.last)
        return false;
      const removed = removedPaths(entry);
      return state.n >= 0 && removed.length > 0 && new Set(removed).size === removed.length && removed.every(live);
    }
    case 'sweep':
      return state.n >= 0;
    case 'gap':
      break;
  }
  const at = new Map<number, number>();
  for (const { shard, from, to } of entry.gaps) {
    if (from !== (at.get(shard) ?? positionOf(state, String(shard)))) return false;
    at.set(shard, to);
  }
  return state.n >= 0 && entry.removed.every(live);
}

/** The state with one more entry, which is valid and has the next number. */
export function fold(state: LandingState, entry: Entry): LandingState {
  const next: LandingState = { ...state, ...moveFiles(state, entry), n: entry.n };
  switch (entry.kind) {
    case 'open': {
      const { lakeId, stream, positions } = entry;
      const start = Object.entries(positions).map(([shard, at]) => [asShard(Number(shard)), asOffset(at)] as const);
      return { ...next, origin: { lakeId, stream: stream.name, streamId: stream.id }, positions: new Map(start) };
    }
    case 'append':
      return foldAppend(next, entry);
    case 'replay':
      return foldReplay(next, entry);
    case 'undo':
      return foldUndo(next, entry);
    case 'replace':
      return countDropped(foldLost(foldReleased(next, entry), entry), entry.dropped, 1);
    case 'sweep':
      return { ...next, condemned: [...state.condemned, ...entry.nonces].slice(-CONDEMNED_MAX) };
    case 'gap':
      break;
  }
  const moved = new Map(state.positions);
  let lost = entry.lostRows;
  for (const { shard, from, to, cause } of entry.gaps) {
    moved.set(shard, to);
    if (cause !== 'unused') lost += to - from;
  }
  return { ...next, positions: moved, totals: { ...next.totals, lostOffsets: next.totals.lostOffsets + lost } };
}

/** The next offset of a shard. */
export function positionOf(state: LandingState, shard: string): number {
  return state.positions.get(asShard(Number(shard))) ?? 0;
}

function foldAppend(state: LandingState, entry: Entry & { kind: 'append' }): LandingState {
  // Only time has passed.
  if (Object.keys(entry.ranges).length === 0) return closePartitions(state, entry);
  const positions = new Map<ShardIndex, Offset>(state.positions);
  for (const [shard, [, to]] of Object.entries(entry.ranges)) positions.set(asShard(Number(shard)), asOffset(to));
  const sum = (files: readonly { readonly rows: number; readonly bytes: number }[], of: 'rows' | 'bytes'): number =>
    files.reduce((total, file) => total + file[of], 0);
  const { totals } = state;
  const landed: LandingState = {
    ...state,
    positions,
    planVersion: Math.max(state.planVersion, entry.planVersion),
    highs: moveHighs(state.highs, entry.highs),
    lastLandedMs: entry.timeMs,
    rejects: countLanding(state.rejects, entry),
    known: remember(state.known, entry, entry.dedupe),
    totals: {
      ...totals,
      rows: totals.rows + sum(entry.files, 'rows'),
      files: totals.files + entry.files.length,
      bytes: totals.bytes + sum(entry.files, 'bytes'),
      rejectedRows: totals.rejectedRows + sum(entry.rejected, 'rows'),
      skippedRows: totals.skippedRows + rowsOf(entry.skipped ?? []),
      extraRows: totals.extraRows + entry.extraRows,
      lateRows: totals.lateRows + entry.lateRows,
      filteredRows: totals.filteredRows + (entry.filteredRows ?? 0),
      duplicateRows: totals.duplicateRows + (entry.dedupe?.duplicateRows ?? 0),
      unkeyedRows: totals.unkeyedRows + (entry.dedupe?.unkeyedRows ?? 0),
    },
  };
  return closePartitions(landed, entry);
}

/** Held rows come to be seen: their partitions are other than they were. */
function foldReleased(state: LandingState, entry: Entry & { kind: 'replace' }): LandingState {
  return entry.released === undefined ? state : { ...state, reopened: reopenPartitions(state, entry) };
}

/** Rows that are given up: their partitions are other than they were told to be. */
function foldLost(state: LandingState, { n, dropped }: Entry & { kind: 'replace' }): LandingState {
  const { parts = [] } = dropped ?? {};
  const before = state.watermarkMs ?? Number.NEGATIVE_INFINITY;
  const closed = parts.flatMap(({ closesAtMs, ...part }) =>
    closesAtMs === undefined || closesAtMs > before ? [] : [{ ...part, closesAtMs }],
  );
  const reopened = [...Map.groupBy(closed, ({ partition }) => partition)].map(([partition, its]) => {
    return { partition, closesAtMs: its[0]?.closesAtMs ?? 0, lateRows: 0, lostRows: rowsOf(its), entry: n };
  });
  if (parts.length === 0) return state;
  return { ...state, open: openPartitions(state, parts, -1), reopened: [...state.reopened, ...reopened] };
}

function shown(files: readonly EntryFile[]): readonly EntryFile[] {
  return files.filter(({ path }) => !isHeld(path));
}

/** Rows that were rejected before count as landed; how many were rejected over the delivery's life stays. */
function foldReplay(state: LandingState, entry: Entry & { kind: 'replay' }): LandingState {
  const open = openPartitions(state, entry.files, 1);
  const reopened = reopenPartitions(state, entry);
  const planVersion = Math.max(state.planVersion, entry.planVersion);
  const { duplicateRows, unkeyedRows } = entry.dedupe ?? {};
  const counted = moveTotals(state, entry.files, { ...entry, duplicateRows, unkeyedRows }, 1);
  const known = entry.dedupe === undefined ? state.known : remember(state.known, entry, entry.dedupe);
  return { ...counted, open, reopened, planVersion, known, rejects: countReplay(state.rejects, entry.replayed) };
}

function foldUndo(state: LandingState, entry: Entry & { kind: 'undo' }): LandingState {
  const open = openPartitions(state, entry.landed, -1);
  return {
    ...countDropped(moveTotals(state, entry.landed, entry, -1), entry.dropped, -1),
    open,
    reopened: state.reopened.filter((part) => part.entry !== entry.n - 1),
    // Rows that did not land after all are no duplicates of those that come.
    known: forgetLast(state.known, entry),
    rejects: countReplay(state.rejects, entry.replayed, true),
  };
}

type MovedRows = Pick<Entry & { kind: 'undo' }, 'replayed' | 'extraRows' | 'lateRows'> & {
  readonly duplicateRows?: number | undefined;
  readonly unkeyedRows?: number | undefined;
};

function moveTotals(state: LandingState, parts: readonly LandedPart[], entry: MovedRows, sign: 1 | -1): LandingState {
  const { totals } = state;
  return {
    ...state,
    totals: {
      ...totals,
      rows: totals.rows + sign * rowsOf(parts),
      files: totals.files + sign * parts.length,
      bytes: totals.bytes + sign * parts.reduce((sum, { bytes }) => sum + bytes, 0),
      replayedRows: totals.replayedRows + sign * rowsOf(entry.replayed),
      extraRows: totals.extraRows + sign * entry.extraRows,
      lateRows: totals.lateRows + sign * entry.lateRows,
      duplicateRows: totals.duplicateRows + sign * (entry.duplicateRows ?? 0),
      unkeyedRows: totals.unkeyedRows + sign * (entry.unkeyedRows ?? 0),
    },
  };
}

function countDropped(state: LandingState, dropped: DroppedRows | undefined, sign: 1 | -1): LandingState {
  if (dropped === undefined) return state;
  const { totals } = state;
  const which = ({ expired: 'expiredRows', erased: 'erasedRows', lost: 'lostRows' } as const)[dropped.cause];
  const droppedRejects = totals.droppedRejects + sign * dropped.rejectedRows;
  return { ...state, totals: { ...totals, [which]: totals[which] + sign * dropped.rows, droppedRejects } };
}

function openPartitions(state: LandingState, parts: readonly LandedPart[], sign: 1 | -1): Map<string, OpenPartition> {
  const before = state.watermarkMs ?? Number.NEGATIVE_INFINITY;
  const open = new Map(state.open);
  for (const { partition, rows, bytes, closesAtMs } of parts) {
    // Rows behind the watermark are late: their partition was closed and stays so.
    if (closesAtMs === undefined || closesAtMs <= before) continue;
    const held = open.get(partition) ?? { closesAtMs, rows: 0, files: 0, bytes: 0 };
    const files = held.files + sign;
    if (files <= 0) open.delete(partition);
    else open.set(partition, { closesAtMs, rows: held.rows + sign * rows, files, bytes: held.bytes + sign * bytes });
  }
  return open;
}

function reopenPartitions(
  { reopened, watermarkMs: before = Number.NEGATIVE_INFINITY }: LandingState,
  { n, files }: { readonly n: number; readonly files: readonly LandedPart[] },
): readonly ReopenedPartition[] {
  const late = new Map<string, ReopenedPartition>();
  for (const { partition, rows, closesAtMs } of files) {
    if (closesAtMs === undefined || closesAtMs > before) continue;
    const lateRows = rows + (late.get(partition)?.lateRows ?? 0);
    late.set(partition, { partition, closesAtMs, lateRows, entry: n });
  }
  return late.size === 0 ? reopened : [...reopened, ...late.values()];
}

function closePartitions(state: LandingState, entry: Entry & { kind: 'append' }): LandingState {
  const before = state.watermarkMs ?? Number.NEGATIVE_INFINITY;
  const files = shown(entry.files);
  const open = openPartitions(state, files, 1);
  const reopened = reopenPartitions(state, { n: entry.n, files });
  const watermarkMs = Math.max(before, entry.watermarkMs ?? before);
  const closed = [...state.closed];
  for (const [partition, held] of open) {
    if (held.closesAtMs > watermarkMs) continue;
    open.delete(partition);
    closed.push({ ...held, partition, entry: entry.n });
  }
  return { ...state, open, closed, reopened, watermarkMs: Number.isFinite(watermarkMs) ? watermarkMs : undefined };
}
