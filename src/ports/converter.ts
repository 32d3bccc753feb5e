/**
 * Batches of raw records to files of typed columns, one a partition, with every row that cannot land named. Runs in bounded
 * memory, outside the caller's thread. A converter never decides what lands: it fills a folder the caller owns.
 */
import type { ColumnPlan, ExtraKey, PlanTransform, Transform } from '../model/column-plan.ts';
import type { ColumnStatistics, RejectCount, RejectedRow } from '../model/data-file.ts';
import type { Compression, DataFormat, EventTime, ParquetOptions } from '../model/delivery.ts';
import type { RecordBatch } from '../model/record-batch.ts';
import type { ShardIndex } from '../model/stream.ts';
import type { CallOptions } from './call-options.ts';

export interface ConvertJob {
  readonly plan: ColumnPlan;
  /** Partition template; empty for one partition. */
  readonly layout: string;
  readonly eventTime: EventTime;
  readonly eventFutureMs: number;
  readonly format: DataFormat;
  readonly compression: Compression;
  readonly parquet?: ParquetOptions;
  /** Format `raw`, which has no columns: text behind each record. */
  readonly separator?: string;
  /** Format `csv`: see the specification. */
  readonly formulaGuard?: true;
  /** Rows in a row among which rejects are counted for `densest`. */
  readonly rejectWindow?: number;
  /** Asks for `extraKeys`. */
  readonly tellExtraKeys?: true;
  /** Absolute path of an existing, empty local folder; everything in it is the caller's afterwards, also after a failure. */
  readonly directory: string;
  /** Drops records whose id is known; absent to land every record. */
  readonly dedupe?: ConvertDedupe;
}

/** What duplicates are told by: the files of event ids an earlier `convert` made for rows that landed. */
export interface ConvertDedupe {
  readonly delivery: string;
  /** Path of the field that holds the id. */
  readonly key: string;
  readonly windowMs: number;
  /** Local folder of the files. */
  readonly folder: string;
  /** Their names there, oldest first; a name is never used for another content. */
  readonly files: readonly string[];
  /** Ids in all of them. */
  readonly keys: number;
}

/** A file of event ids. */
export interface ConvertedKeys {
  readonly local: string;
  readonly keys: number;
  readonly bytes: number;
  /** CRC-32, 8 hex digits. */
  readonly checksum: string;
  /** No row with an id of the file arrived later, epoch ms. */
  readonly lastArrivalMs: number;
}

export interface ConvertedFile {
  readonly local: string;
  /** The evaluated layout without slash at its ends; one file a partition, or several when it had to be cut. */
  readonly partition: string;
  readonly rows: number;
  readonly bytes: number;
  readonly eventMinMs: number;
  readonly eventMaxMs: number;
  readonly columns: readonly ColumnStatistics[];
}

export interface ConvertResult {
  readonly files: readonly ConvertedFile[];
  /** NDJSON of `RejectedRow`, at most one file; undefined when every row is good. */
  readonly rejected:
    | {
        readonly local: string;
        readonly rows: number;
        readonly bytes: number;
        readonly reasons: readonly RejectCount[];
        /** The first of them, in the order of the batches. */
        readonly first: Omit<RejectedRow, 'data' | 'arrival' | 'partitionKey'>;
        /** The most of them among `rejectWindow` rows in a row; all of them without a window. */
        readonly densest: number;
      }
    | undefined;
  /** Rows in `files`. With the rejected, the filtered and the duplicate rows they make up every record given. */
  readonly rows: number;
  /** Rows that the transform's filter left out. */
  readonly filteredRows: number;
  /** Records with something for `_extra`, whatever a transform makes of it. */
  readonly extraRows: number;
  /** Keys met in `_extra`, in the order they were first seen; the most frequent, where there are many. Only when asked for. */
  readonly extraKeys?: readonly ExtraKey[];
  /** Present when the job asks for it. */
  readonly dedupe?: {
    readonly duplicateRows: number;
    /** Rows in `files` whose record has no id. */
    readonly unkeyedRows: number;
    /** Ids of the rows in `files`. */
    readonly files: readonly ConvertedKeys[];
  };
  /** For each shard seen, the highest min(event time, arrival) of its good rows, epoch ms. */
  readonly eventHighMs: ReadonlyMap<ShardIndex, number>;
}

/** Files of one format and partition to be one file. */
export interface MergeJob {
  readonly format: Exclude<DataFormat, 'raw'>;
  readonly compression: Compression;
  readonly parquet?: ParquetOptions;
  /** Absolute paths. The columns are those of all, in the order of the newest plan; a value that a file has no column for is null. */
  readonly inputs: readonly { readonly local: string; readonly planVersion: number }[];
  /** Bytes of all inputs. */
  readonly bytes: number;
  /** Fields (`a.b` reaches into objects) that rows are sorted by, ascending, nulls last; one that no file has counts for nothing. */
  readonly sort: readonly string[];
  /** Absolute path of an existing, empty local folder; everything in it is the caller's afterwards, also after a failure. */
  readonly directory: string;
}

/** Rows of files and a checksum of them that no order changes. */
export interface RowDigest {
  readonly rows: number;
  readonly checksum: string;
}

export interface MergeResult {
  readonly local: string;
  readonly bytes: number;
  readonly columns: readonly ColumnStatistics[];
  /** Of the inputs; the file, read back, holds the same. */
  readonly digest: RowDigest;
}

/** A file to be written without some rows. */
export interface DropJob {
  readonly format: Exclude<DataFormat, 'raw'>;
  readonly compression: Compression;
  readonly parquet?: ParquetOptions;
  /** Absolute path. */
  readonly local: string;
  readonly bytes: number;
  /** `a.b` reaches into objects; what lies in lists and maps is not found. */
  readonly field: string;
  /** Rows with one of them go; compared as text, and as values of the column's type. */
  readonly values: readonly string[];
  /** False: only counts. */
  readonly rewrite: boolean;
  /** As of a merge. */
  readonly directory: string;
}

export interface DropResult {
  /** Of the file given, … */
  readonly rows: number;
  /** … and of those the rows with one of the values. */
  readonly matched: number;
  /** The file has a place for the field. */
  readonly hasField: boolean;
  /** The file without them, in the order they had; absent when none or all match, and when only counted. Its digest is that of the rows kept. */
  readonly kept?: MergeResult;
}

/** What of the delivery an inferred plan depends on. Without: arrival, no layout. */
export interface InferOptions extends CallOptions {
  readonly eventTime?: EventTime | undefined;
  readonly layout?: string | undefined;
}

export interface Converter {
  /** Starts the engines. Idempotent. */
  open(): Promise<void>;

  /**
   * Converts all batches given, in order. Every record comes out exactly once: in one file, in the rejected rows, or counted as a duplicate. An engine that
   * dies or hangs is replaced and the work repeated; a record on which it dies again is rejected as `engine-crash`.
   * `batches` may be iterated more than once, each time from its beginning. Throws `convert-failed`, `schema-invalid`, `layout-invalid`;
   * `convert-failed` with `resource: true` in its details when fewer records may work where so many did not. One record alone that
   * does not fit an engine is rejected. `convert-failed` with `lack: 'keys'`: a local file of event ids is gone or damaged.
   */
  convert(job: ConvertJob, batches: AsyncIterable<RecordBatch>, options?: CallOptions): Promise<ConvertResult>;

  /**
   * Rewrites files as one that holds the same rows, in bounded memory, in an engine that landings do not wait for. Throws `convert-failed`;
   * with `lack: 'columns'` in its details when the columns of the files cannot be one another's without loss.
   */
  merge(job: MergeJob, options?: CallOptions): Promise<MergeResult>;

  /** Rewrites a file without the rows that hold one of some values in a field, beside merges. Throws `convert-failed`. */
  dropRows(job: DropJob, options?: CallOptions): Promise<DropResult>;

  /** A plan, version 1, for records like these; at least the event time's and the layout's fields get a column. */
  infer(sample: readonly RecordBatch[], options?: InferOptions): Promise<ColumnPlan>;

  /**
   * A transform against the columns it will meet; without a plan, as far as that goes, and undefined. Throws `transform-invalid` with
   * `details.problems`: path and reason.
   */
  checkTransform(
    transform: Transform,
    plan: ColumnPlan | undefined,
    options?: CallOptions,
  ): Promise<PlanTransform | undefined>;

  /** Ends the engines, aborting what runs. Idempotent. */
  close(): Promise<void>;
}
