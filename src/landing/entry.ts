/**
 * Entries of a landing log: their kinds, and their bytes. An entry is one JSON object in a file of its own, made once with
 * create-exclusive by whoever commits, never changed, and emptied (`{}`) long after a checkpoint covers it. Only this module
 * reads and writes the form; `v` is its version. Bytes from the lake are checked, not trusted.
 */
import type { DataFile, RejectCount, RejectedFile } from '../model/data-file.ts';
import { LakewardError } from '../model/errors.ts';
import { lakePath, type LakePath } from '../model/lake-path.ts';
import type { ObjectSettings } from '../model/object-settings.ts';
import type { OffsetGap } from '../ports/broker.ts';
import type { AppendKeys } from './known-keys.ts';
import type { HighTable } from './shard-highs.ts';
import type { StageHandle } from '../ports/lake-store.ts';

export const ENTRY_VERSION = 1;

/** What a file's entry knows beside the file: its stage. The final path, size and checksum of the handle are the file's. */
interface Staged {
  readonly staged: LakePath;
  readonly versionId?: string;
  readonly object?: ObjectSettings;
}
export type EntryFile = DataFile &
  Staged & {
    /** End of the time the partition stands for, epoch ms; absent when its layout has no time. */
    readonly closesAtMs?: number;
  };
export type EntryRejected = RejectedFile & Staged;

/** What a data file added to the counts. */
export type LandedPart = Pick<EntryFile, 'partition' | 'rows' | 'bytes' | 'closesAtMs'>;

/** Shard index (as text, JSON) → offset, or → [from, to). */
export type PositionTable = Readonly<Record<string, number>>;
export type RangeTable = Readonly<Record<string, readonly [number, number]>>;

/** Rows of the files on either side of a merge, and a checksum of them that no order changes; 32 hex digits. */
export interface MergedRows {
  readonly rows: number;
  readonly checksum: string;
}

/** Rows that left on purpose: their partition's time was over, somebody asked for them to be erased, or gave up what the lake had lost. */
export interface DroppedRows {
  readonly cause: 'expired' | 'erased' | 'lost';
  /** What the removed files hold and the added do not. */
  readonly rows: number;
  readonly rejectedRows: number;
  /** Those of the removed files that hold rejected rows. */
  readonly rejectedFiles: readonly LakePath[];
  /** Lost ones: what each data file held that readers saw. */
  readonly parts?: readonly LandedPart[];
}

export type EntryBody =
  | {
      readonly kind: 'open';
      readonly lakeId: string;
      readonly stream: { readonly name: string; readonly id: string };
      readonly positions: PositionTable;
    }
  | {
      readonly kind: 'append';
      readonly ranges: RangeTable;
      readonly planVersion: number;
      readonly files: readonly EntryFile[];
      readonly rejected: readonly EntryRejected[];
      readonly extraRows: number;
      readonly lateRows: number;
      /** Rows that the transform's filter left out. */
      readonly filteredRows?: number;
      readonly watermarkMs?: number;
      /** Of the shards whose rows landed; absent in entries of earlier versions. */
      readonly highs?: HighTable;
      /** Absent when the delivery does not drop duplicates. */
      readonly dedupe?: AppendKeys;
      /** Rejected rows that are counted and kept nowhere. */
      readonly skipped?: readonly RejectCount[];
      /** An operator let these rows through the error budget. */
      readonly letThrough?: true;
    }
  | {
      /**
       * Rejected rows that land after all: whole files of rejected rows go, `files` hold the rows that fit now and `rejected` those that
       * do not. Valid only while every removed file is live, so a reject lands at most once.
       */
      readonly kind: 'replay';
      readonly planVersion: number;
      readonly removed: readonly RejectedFile[];
      /** What landed, by the reason it was rejected for. */
      readonly replayed: readonly RejectCount[];
      readonly files: readonly EntryFile[];
      readonly rejected: readonly EntryRejected[];
      readonly extraRows: number;
      readonly lateRows: number;
      /** As of an append. */
      readonly dedupe?: AppendKeys;
    }
  | {
      /**
       * Takes back the replay right before it, which lost a file before it was published: what it added goes, the files of rejected rows,
       * which are still there, are live again.
       */
      readonly kind: 'undo';
      /** Nonce of the replay. */
      readonly undone: string;
      readonly removed: readonly LakePath[];
      readonly restored: readonly RejectedFile[];
      readonly replayed: readonly RejectCount[];
      readonly landed: readonly LandedPart[];
      readonly extraRows: number;
      readonly lateRows: number;
      readonly duplicateRows?: number;
      readonly unkeyedRows?: number;
      /** What is undone is a merge: its inputs, which are still there, are live again. */
      readonly reinstated?: readonly LakePath[];
      /** What is undone dropped rows: they are there again. */
      readonly dropped?: DroppedRows;
    }
  | {
      /** `repair`: the removed files were committed by the entry before and lost by the store; rows on both sides are equal. */
      readonly kind: 'replace';
      readonly repair: boolean;
      readonly removed: readonly LakePath[];
      readonly files: readonly EntryFile[];
      readonly rejected: readonly EntryRejected[];
      /** Present when files were merged: what both sides hold. */
      readonly merged?: MergedRows;
      /** The removed files stay until then, epoch ms, for readers who go by a list of ours; absent: they go at publishing. */
      readonly keepMs?: number;
      /** Present when held rows are merged into files that readers see: they reopen their partitions. */
      readonly released?: true;
      /** Present when the added files hold fewer rows than the removed. */
      readonly dropped?: DroppedRows;
      /** Files that left before and stayed for readers: they go now. */
      readonly hastened?: readonly LakePath[];
    }
  | { readonly kind: 'sweep'; readonly nonces: readonly string[] }
  | {
      /** `gaps`: offsets that will never land. `removed`: committed files that were lost and cannot be rebuilt. */
      readonly kind: 'gap';
      readonly gaps: readonly OffsetGap[];
      readonly removed: readonly LakePath[];
      readonly lostRows: number;
    };

export type Entry = EntryBody & {
  readonly v: typeof ENTRY_VERSION;
  readonly n: number;
  readonly nonce: string;
  readonly writer: string;
  readonly timeMs: number;
};

const EMPTIED = '{}';
export const EMPTIED_BYTES: Uint8Array = new TextEncoder().encode(EMPTIED);

export function encodeEntry(entry: Entry): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(entry));
}

/** The entry in a file, or `emptied`. Throws `landing-log-damaged`. */
export function parseEntry(bytes: Uint8Array, n: number, path: string): Entry | 'emptied' {
  const damaged = (why: string, cause?: unknown): LakewardError =>
    new LakewardError('landing-log-damaged', `${path}: ${why}`, { cause });
  let value: unknown;
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    if (text === EMPTIED) return 'emptied';
    value = JSON.parse(text);
  } catch (cause) {
    throw damaged('is no JSON', cause);
  }
  const problem = entryProblem(value, n);
  if (problem !== undefined) throw damaged(problem);
  return value as Entry;
}

/** The handle of a file of an entry, as the store gave it. */
export function handleOf(file: EntryFile | EntryRejected): StageHandle {
  const { staged, path, bytes, checksum, versionId, object } = file;
  const version = versionId === undefined ? {} : { versionId };
  return { staged, final: path, bytes, checksum, ...version, ...(object === undefined ? {} : { object }) };
}

/** Every file an entry adds, data and rejected. */
export function addedFiles(entry: EntryBody): readonly (EntryFile | EntryRejected)[] {
  return entry.kind === 'append' || entry.kind === 'replace' || entry.kind === 'replay'
    ? [...entry.files, ...entry.rejected]
    : [];
}

export function removedPaths(entry: EntryBody): readonly LakePath[] {
  if (entry.kind === 'replay') return entry.removed.map(({ path }) => path);
  return entry.kind === 'replace' || entry.kind === 'gap' || entry.kind === 'undo' ? entry.removed : [];
}

/** Files that must be gone when the entry is published. */
export function goneOncePublished(entry: EntryBody): readonly LakePath[] {
  if (entry.kind !== 'replace') return removedPaths(entry);
  return [...(entry.keepMs === undefined ? entry.removed : []), ...(entry.hastened ?? [])];
}

type Fields = Readonly<Record<string, unknown>>;
type Check = (value: unknown) => boolean;

const isText: Check = (value) => typeof value === 'string' && value !== '';
const isCount: Check = (value) => Number.isSafeInteger(value) && (value as number) >= 0;
const isTime: Check = (value) => typeof value === 'number' && Number.isFinite(value);
const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isPath: Check = (value) => {
  try {
    return typeof value === 'string' && lakePath(value) === value;
  } catch {
    return false;
  }
};
const optional =
  (check: Check): Check =>
  (value) =>
    value === undefined || check(value);
const listOf =
  (check: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every(check);
const tableOf =
  (check: Check): Check =>
  (value) =>
    isFields(value) && Object.entries(value).every(([key, item]) => /^\d{1,6}$/.test(key) && check(item));
const shape =
  (checks: Readonly<Record<string, Check>>): Check =>
  (value) =>
    problemIn(value, checks) === undefined;

const isRange: Check = (value) =>
  Array.isArray(value) && value.length === 2 && value.every(isCount) && value[0] <= value[1];
const isHigh: Check = (value) => Array.isArray(value) && value.length === 2 && value.every(isTime);
const fileChecks = {
  path: isPath,
  staged: isPath,
  versionId: optional(isText),
  object: optional(isFields),
  rows: isCount,
  bytes: isCount,
  checksum: isText,
};
const isFile = shape({
  ...fileChecks,
  partition: (value) => typeof value === 'string',
  eventMinMs: isTime,
  eventMaxMs: isTime,
  planVersion: isCount,
  closedBecause: isText,
  columns: listOf(isFields),
  closesAtMs: optional(isTime),
});
const isRejected = shape({ ...fileChecks, reasons: listOf(isFields) });
const isReason = shape({ code: isText, rows: isCount, column: optional((value) => typeof value === 'string') });
const isRejectedRecord = shape({ ...fileChecks, staged: optional(isPath), reasons: listOf(isReason) });
const isPart = shape({
  partition: (value) => typeof value === 'string',
  rows: isCount,
  bytes: isCount,
  closesAtMs: optional(isTime),
});
const counted = { replayed: listOf(isReason), extraRows: isCount, lateRows: isCount };
const isKeyName: Check = (value) => typeof value === 'string' && /^[A-Za-z0-9-]+-\d+(?:\.lwenc)?$/.test(value);
const isAppendKeys = shape({
  key: isText,
  windowMs: isCount,
  after: optional(isText),
  firstArrivalMs: optional(isTime),
  duplicateRows: isCount,
  unkeyedRows: isCount,
  files: listOf(shape({ name: isKeyName, keys: isCount, bytes: isCount, checksum: isText, lastArrivalMs: isTime })),
});
const isDropped = shape({
  cause: (value) => value === 'expired' || value === 'erased' || value === 'lost',
  parts: optional(listOf(isPart)),
  rows: isCount,
  rejectedRows: isCount,
  rejectedFiles: listOf(isPath),
});
const isGap = shape({
  shard: isCount,
  from: isCount,
  to: isCount,
  cause: (value) => value === 'unused' || value === 'expired' || value === 'damaged',
});

const KINDS: Readonly<Record<Entry['kind'], Readonly<Record<string, Check>>>> = {
  open: { lakeId: isText, stream: shape({ name: isText, id: isText }), positions: tableOf(isCount) },
  append: {
    ranges: tableOf(isRange),
    planVersion: isCount,
    files: listOf(isFile),
    rejected: listOf(isRejected),
    extraRows: isCount,
    lateRows: isCount,
    filteredRows: optional(isCount),
    watermarkMs: optional(isTime),
    highs: optional(tableOf(isHigh)),
    dedupe: optional(isAppendKeys),
    skipped: optional(listOf(isReason)),
    letThrough: optional((value) => value === true),
  },
  replay: {
    planVersion: isCount,
    removed: listOf(isRejectedRecord),
    files: listOf(isFile),
    rejected: listOf(isRejected),
    dedupe: optional(isAppendKeys),
    ...counted,
  },
  undo: {
    undone: isText,
    removed: listOf(isPath),
    restored: listOf(isRejectedRecord),
    landed: listOf(isPart),
    duplicateRows: optional(isCount),
    unkeyedRows: optional(isCount),
    reinstated: optional(listOf(isPath)),
    dropped: optional(isDropped),
    ...counted,
  },
  replace: {
    merged: optional(shape({ rows: isCount, checksum: isText })),
    keepMs: optional(isTime),
    dropped: optional(isDropped),
    hastened: optional(listOf(isPath)),
    released: optional((value) => value === true),
    repair: (value) => typeof value === 'boolean',
    removed: listOf(isPath),
    files: listOf(isFile),
    rejected: listOf(isRejected),
  },
  sweep: { nonces: listOf(isText) },
  gap: { gaps: listOf(isGap), removed: listOf(isPath), lostRows: isCount },
};

function entryProblem(value: unknown, n: number): string | undefined {
  if (!isFields(value)) return 'is no JSON object';
  if (value['v'] !== ENTRY_VERSION) return `has version ${String(value['v'])}; this server knows ${ENTRY_VERSION}`;
  const kind = value['kind'];
  if (typeof kind !== 'string' || !Object.hasOwn(KINDS, kind)) return `is of the unknown kind '${String(kind)}'`;
  const head = { n: (held: unknown) => held === n, nonce: isText, writer: isText, timeMs: isTime };
  return problemIn(value, { ...head, ...KINDS[kind as Entry['kind']] });
}

function problemIn(value: unknown, checks: Readonly<Record<string, Check>>): string | undefined {
  if (!isFields(value)) return 'is no JSON object';
  const bad = Object.entries(checks).find(([key, check]) => !check(value[key]));
  return bad === undefined ? undefined : `has a field '${bad[0]}' that is not what it must be`;
}
