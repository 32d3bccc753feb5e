/**
 * A delivery: which stream lands where, how and when. The specification is what an operator writes (configuration file, API
 * or CLI); the document is what the catalog keeps about it.
 */
import type { ColumnPlan, TimeForm, Transform } from './column-plan.ts';
import type { ErrorCode } from './errors.ts';
import type { LifecycleStep, ObjectSettings } from './object-settings.ts';
import type { StreamId } from './stream.ts';

/** `raw`: the bytes of the records as they came. */
export type DataFormat = 'parquet' | 'csv' | 'ndjson' | 'raw';

/** Whether files of the format can be merged: in a raw file nobody knows where a record ends. */
export function isMergeable(format: DataFormat): format is Exclude<DataFormat, 'raw'> {
  return format !== 'raw';
}
export type Compression = 'zstd' | 'snappy' | 'gzip' | 'none';

/** Which codecs a format takes; the first is the default. */
export const CODECS: Readonly<Record<DataFormat, readonly Compression[]>> = {
  parquet: ['zstd', 'snappy', 'gzip'],
  csv: ['none', 'gzip', 'zstd'],
  ndjson: ['none', 'gzip', 'zstd'],
  raw: ['none', 'gzip', 'zstd'],
};

/** Where event time comes from: arrival at the broker, or a field of the record (`a.b` reaches into objects). */
export type EventTime =
  | { readonly from: 'arrival' }
  | { readonly from: 'field'; readonly field: string; readonly form: TimeForm };

export interface FlushRule {
  /** Bytes of records waiting. */
  readonly bytes: number;
  /** Age of the oldest waiting record, ms. */
  readonly ageMs: number;
  /** Records waiting. */
  readonly records: number;
}

/** Why a landing was started, or `merge`; every file carries it. */
export type FlushReason = 'bytes' | 'age' | 'records' | 'request' | 'shutdown' | 'replay' | 'merge';

/** Where a new delivery begins to read. `atMs`: the first record that arrived then or later. */
export type StartPosition = 'earliest' | 'latest' | { readonly atMs: number };

/** Rows are told apart by the value at `key` (`a.b` reaches into objects); the same value within the window is a duplicate. */
export interface DedupeRule {
  readonly key: string;
  readonly windowMs: number;
}

/** Versions of a subject of the schema registry: the columns of all up to the newest, or those of one. */
export interface SubjectSource {
  readonly subject: string;
  readonly version: 'latest' | number;
}

/** `auto` infers the columns; otherwise the parsed JSON of an Avro record schema, or a subject of the registry. */
export type SchemaSource = 'auto' | { readonly avro: unknown } | SubjectSource;

/** How far a plan has followed a subject. */
export interface FollowedSubject extends SubjectSource {
  /** The newest version that was looked at. */
  readonly through: number;
  /** Versions that cannot follow the columns landed before, the newest few: their rows land as far as they fit those. */
  readonly refused: readonly { readonly version: number; readonly reason: string }[];
}

/** Suspends a delivery when more than `share` of any `rows` rows in a row are rejected. */
export interface RejectBudget {
  readonly share: number;
  readonly rows: number;
}

/** What becomes of rows that cannot land. reject: set aside; suspend: stop at the first; skip: only counted. */
export type RejectMode = 'reject' | 'suspend' | 'skip';
export interface RejectRule {
  readonly mode: RejectMode;
  readonly budget?: RejectBudget;
}

/** `listing`: readers list folders, so replaced files go at once. `manifest`: they go by the delivery's list of files, and replaced ones stay. */
export type LakeReaders = 'listing' | 'manifest';

/** Small files of closed partitions become few large ones. */
export interface CompactionRule {
  readonly everyMs: number;
  /** What a file should have, as it lies in the lake. */
  readonly targetBytes: number;
  /** How long nothing has landed in a partition. */
  readonly afterMs: number;
  /** Fields that rows of a file are sorted by; `time`: by event time. */
  readonly sort: 'none' | 'time' | readonly string[];
  /** Time of day, UTC, within which it is done, minutes of the day; may go over midnight. Absent: always. */
  readonly window?: { readonly fromMinute: number; readonly toMinute: number };
  readonly readers: LakeReaders;
  /** Readers of a list: how long replaced files stay. */
  readonly keepMs?: number;
}

/** Late rows are kept from readers for a while and then shown as few files. */
export interface LateRule {
  /** From the landing of the oldest of a partition. */
  readonly holdMs: number;
  /** Of all that is held; with more, late rows show at once. */
  readonly bytes: number;
}

/** Who is told of partitions that are complete or were reopened: an address, or a stream of the same server. */
export type NotifyTarget = { readonly url: string } | { readonly stream: string };

/** How Parquet files are written; what is absent is as the engine does it: 122,880 rows, filters with 1 % of false positives. */
export interface ParquetOptions {
  /** Rows of a row group; fewer where they are many bytes. */
  readonly rowGroupRows?: number;
  /** Share of false positives of the bloom filters, which columns of few different values get. */
  readonly bloomFilters?: number | 'none';
}

export interface DeliverySpec {
  readonly name: string;
  readonly stream: string;
  /** Folder in the lake, without slash at its ends; several levels allowed. Default: the delivery's name. */
  readonly prefix: string;
  /** Partition template, see `partition/`; empty for none, else ends with `/`. */
  readonly layout: string;
  readonly eventTime: EventTime;
  /** Event times later than arrival by more than this are rejects, ms. */
  readonly eventFutureMs: number;
  /** How long after an hour's end rows still count as on time, ms. */
  readonly allowedLatenessMs: number;
  readonly format: DataFormat;
  readonly compression: Compression;
  readonly parquet?: ParquetOptions;
  /** Format `raw`: text behind each record; none when absent. */
  readonly separator?: string;
  /** Format `csv`: texts that a spreadsheet would take for a formula get a leading `'`. */
  readonly formulaGuard?: true;
  readonly schema: SchemaSource;
  readonly transform?: Transform;
  /** Schema `auto`: keys met often in `_extra` become columns. */
  readonly evolve?: 'add';
  /** Absent: every record lands, however often it was sent. */
  readonly dedupe?: DedupeRule;
  readonly flush: FlushRule;
  /** Absent: set aside, without a budget. */
  readonly rejects?: RejectRule;
  readonly start: StartPosition;
  /** Absent: files stay as they landed. */
  readonly compaction?: CompactionRule;
  /** Absent: late rows show when they land. */
  readonly late?: LateRule;
  /** How long after its time a partition stays in the lake; absent: for ever. */
  readonly retentionMs?: number;
  /** Absent: nobody. */
  readonly notify?: NotifyTarget;
  /** How files are kept, with fields in its texts. */
  readonly object?: ObjectSettings;
  /** What becomes of data files with time. */
  readonly lifecycle?: readonly LifecycleStep[];
}

export interface DeliveryDocument {
  readonly spec: DeliverySpec;
  /** The incarnation of the stream it was made for; a stream made anew under the same name is not landed with it. */
  readonly streamId: StreamId;
  /** What the configuration file declares, only the file changes. */
  readonly owner: 'file' | 'api';
  readonly createdMs: number;
  /** Set by an operator. */
  readonly paused: boolean;
  /**
   * What waited when an operator resumed it from an exceeded error budget, shard index (as text, JSON) → offset: records before that are
   * let through once.
   */
  readonly letThrough?: Readonly<Record<string, number>>;
  /** What an operator wants landed now, in the same form: every worker lands its shards up to there, whatever the flush rule says. */
  readonly flushTo?: Readonly<Record<string, number>>;
  /** When an operator last resumed it: workers in trouble start anew, wherever they are. */
  readonly resumedMs?: number;
}

/** The column plan of a delivery at one version. */
export interface PlanDocument {
  readonly delivery: string;
  readonly plan: ColumnPlan;
  /** When it was made of a subject's versions. */
  readonly follows?: FollowedSubject;
  readonly createdMs: number;
}

/** running: lands; paused: an operator said so; suspended: it cannot go on by itself and says why; retrying: a fault that may pass. */
export type DeliveryState = 'running' | 'paused' | 'suspended' | 'retrying';

export interface DeliveryTrouble {
  readonly code: ErrorCode;
  readonly message: string;
  readonly sinceMs: number;
}
