/**
 * What a delivery hands in to be landed: ranges, staged files, counts. Turned into the body of an entry here.
 */
import type { DataFile, RejectCount, RejectedFile } from '../model/data-file.ts';
import { LakewardError } from '../model/errors.ts';
import type { LakePath } from '../model/lake-path.ts';
import type { ObjectSettings } from '../model/object-settings.ts';
import type { Offset, ShardIndex } from '../model/stream.ts';
import type { StageHandle } from '../ports/lake-store.ts';
import type { DroppedRows, EntryBody, MergedRows } from './entry.ts';
import type { AppendKeys } from './known-keys.ts';
import type { HighTable } from './shard-highs.ts';

export type DraftFile = Omit<DataFile, 'path' | 'checksum'> & {
  readonly handle: StageHandle;
  /** End of the time the partition stands for, epoch ms, when its layout has one: makes the partition's completeness marker. */
  readonly closesAtMs?: number;
};
export type DraftRejected = Omit<RejectedFile, 'path' | 'checksum'> & { readonly handle: StageHandle };
export type OffsetRanges = ReadonlyMap<ShardIndex, { readonly from: Offset; readonly to: Offset }>;

export interface AppendDraft {
  readonly nonce: string;
  readonly ranges: OffsetRanges;
  readonly planVersion: number;
  readonly files: readonly DraftFile[];
  readonly rejected: readonly DraftRejected[];
  readonly extraRows: number;
  readonly lateRows: number;
  readonly filteredRows?: number;
  readonly watermarkMs?: number;
  readonly highs?: HighTable;
  readonly dedupe?: AppendKeys;
  /** Rejected rows that are counted and kept nowhere. */
  readonly skipped?: readonly RejectCount[];
  /** An operator let these rows through the error budget. */
  readonly letThrough?: true;
}

/** Rejected rows that land after all: `removed` goes as a whole, what of it does not fit now is in `rejected` again. */
export interface ReplayDraft {
  readonly nonce: string;
  readonly planVersion: number;
  readonly removed: readonly RejectedFile[];
  readonly replayed: readonly RejectCount[];
  readonly files: readonly DraftFile[];
  readonly rejected: readonly DraftRejected[];
  readonly extraRows: number;
  readonly lateRows: number;
  readonly dedupe?: AppendKeys;
}

/** Files that take the place of others with the same rows. */
export interface MergeDraft {
  readonly nonce: string;
  readonly removed: readonly Pick<DataFile, 'path' | 'rows'>[];
  readonly files: readonly DraftFile[];
  /** What the removed files hold, and what the new ones hold: compared once more. */
  readonly before: MergedRows;
  readonly after: MergedRows;
  /** The removed files stay until then, epoch ms. */
  readonly keepMs?: number;
  /** The removed files are held ones. */
  readonly released?: true;
}

/** Rows that leave on purpose: whole files, or files whose other rows are in `files` and `rejected`. */
export interface DropDraft {
  readonly nonce: string;
  readonly cause: DroppedRows['cause'];
  readonly parts?: DroppedRows['parts'];
  readonly removed: readonly Pick<DataFile, 'path' | 'rows'>[];
  readonly removedRejected: readonly Pick<RejectedFile, 'path' | 'rows'>[];
  readonly files: readonly DraftFile[];
  readonly rejected: readonly DraftRejected[];
  /** Files that left before and stay for readers: they go now. */
  readonly hastened?: readonly LakePath[];
  /** The removed files stay until then, epoch ms. */
  readonly keepMs?: number;
}

export function dropOf(draft: DropDraft): EntryBody {
  const { cause, removed, removedRejected, files, rejected, hastened, keepMs, parts } = draft;
  const rows = (all: readonly { readonly rows: number }[]): number => all.reduce((sum, file) => sum + file.rows, 0);
  const dropped: DroppedRows = {
    cause,
    rows: rows(removed) - rows(files),
    rejectedRows: rows(removedRejected) - rows(rejected),
    rejectedFiles: removedRejected.map(({ path }) => path),
    ...(parts === undefined ? {} : { parts }),
  };
  if (dropped.rows < 0 || dropped.rejectedRows < 0) {
    throw new LakewardError('internal', 'files would be replaced by ones that hold more rows; nothing was changed');
  }
  return {
    kind: 'replace',
    repair: false,
    removed: [...removed, ...removedRejected].map(({ path }) => path),
    files: files.map(named),
    rejected: rejected.map(named),
    dropped,
    ...(hastened === undefined ? {} : { hastened }),
    ...(keepMs === undefined ? {} : { keepMs }),
  };
}

export function mergeOf({ removed, files, before, after, keepMs, released }: MergeDraft): EntryBody {
  const rows = (all: readonly { readonly rows: number }[]): number => all.reduce((sum, file) => sum + file.rows, 0);
  const equal = before.rows === after.rows && before.checksum === after.checksum;
  if (!equal || removed.length === 0 || rows(removed) !== before.rows || rows(files) !== after.rows) {
    const sides = `${rows(removed)} rows (${before.rows}, ${before.checksum}) into ${rows(files)} (${after.rows}, ${after.checksum})`;
    throw new LakewardError('internal', `a merge would make ${sides}; nothing was changed`);
  }
  return {
    kind: 'replace',
    repair: false,
    removed: removed.map(({ path }) => path),
    files: files.map(named),
    rejected: [],
    merged: before,
    ...(keepMs === undefined ? {} : { keepMs }),
    ...(released === undefined ? {} : { released }),
  };
}

export function replayOf({ nonce: _nonce, ...draft }: ReplayDraft): EntryBody & { readonly kind: 'replay' } {
  const rows = (files: readonly { readonly rows: number }[]): number => files.reduce((sum, file) => sum + file.rows, 0);
  const [before, after] = [rows(draft.removed), rows(draft.replayed) + rows(draft.rejected)];
  if (before !== after || rows(draft.files) > rows(draft.replayed)) {
    throw new LakewardError('internal', `a replay of ${before} rejected rows would leave ${after}`);
  }
  return { kind: 'replay', ...draft, files: draft.files.map(named), rejected: draft.rejected.map(named) };
}

export function appendOf(draft: AppendDraft): EntryBody {
  const { planVersion, extraRows, lateRows, filteredRows, watermarkMs, highs, dedupe, skipped, letThrough } = draft;
  const ranges = [...draft.ranges].map(([shard, { from, to }]) => {
    if (to < from)
      throw new LakewardError('argument-invalid', `range [${from}, ${to}) of shard ${shard} runs backwards`);
    return [String(shard), [from, to]] as const;
  });
  return {
    kind: 'append',
    ranges: Object.fromEntries(ranges),
    planVersion,
    files: draft.files.map(named),
    rejected: draft.rejected.map(named),
    extraRows,
    lateRows,
    ...(filteredRows === undefined ? {} : { filteredRows }),
    ...(watermarkMs === undefined ? {} : { watermarkMs }),
    ...(highs === undefined ? {} : { highs }),
    ...(skipped === undefined ? {} : { skipped }),
    ...(letThrough === undefined ? {} : { letThrough }),
    ...(dedupe === undefined ? {} : { dedupe }),
  };
}

type Staged<T> = Omit<T, 'handle'> & {
  readonly path: LakePath;
  readonly bytes: number;
  readonly checksum: string;
  readonly staged: LakePath;
  readonly versionId?: string;
  readonly object?: ObjectSettings;
};

/** A file with what its handle says in place of the handle. */
export function named<T extends { readonly handle: StageHandle }>(file: T): Staged<T> {
  const { handle, ...facts } = file;
  const { final, bytes, checksum, staged, versionId, object } = handle;
  const version = versionId === undefined ? {} : { versionId };
  const kept = object === undefined ? {} : { object };
  return { ...facts, path: final, bytes, checksum, staged, ...version, ...kept };
}
