/** Files of the lake as the landing log and the API describe them. JSON-safe throughout. */
import type { FlushReason } from './delivery.ts';
import type { LakePath } from './lake-path.ts';

/** Exact statistics of one column of one file, as text; absent where unknown. */
export interface ColumnStatistics {
  readonly column: string;
  readonly nulls?: number;
  readonly min?: string;
  readonly max?: string;
}

export interface DataFile {
  readonly path: LakePath;
  readonly rows: number;
  readonly bytes: number;
  /** CRC-32 of the file, 8 hex digits. */
  readonly checksum: string;
  /** The evaluated layout, `year=2026/month=11/…`, without slash at its ends; empty without layout. */
  readonly partition: string;
  /** Earliest and latest event time, epoch ms. */
  readonly eventMinMs: number;
  readonly eventMaxMs: number;
  readonly planVersion: number;
  readonly closedBecause: FlushReason;
  readonly columns: readonly ColumnStatistics[];
}

/** Why rows were rejected, counted. */
export interface RejectCount {
  readonly code: RejectCode;
  /** Column the reason is about, where there is one. */
  readonly column?: string;
  readonly rows: number;
}

export interface RejectedFile {
  readonly path: LakePath;
  readonly rows: number;
  readonly bytes: number;
  readonly checksum: string;
  readonly reasons: readonly RejectCount[];
}

/** Stable reasons for which a row cannot land; README lists them. */
export const REJECT_CODES = {
  'not-utf8': 'The bytes are not valid UTF-8.',
  'not-json': 'The bytes are not valid JSON.',
  'schema-unknown': 'The record names a schema that is not in the registry.',
  'not-avro': 'The bytes are not what the schema they name says.',
  'not-an-object': 'The JSON value is not an object.',
  'too-deep': 'The JSON is nested deeper than the limit.',
  'too-large': 'The record is larger than the limit of a row.',
  'missing-value': 'A column that must have a value has none.',
  'wrong-type': 'The value is of another JSON type than its column takes.',
  'not-convertible': 'The value cannot be converted to its column, or is out of its range.',
  'event-time-missing': 'The record has no event time.',
  'event-time-invalid': 'The event time is not in the declared form.',
  'event-time-future': 'The event time is later than arrival by more than the bound.',
  'partition-value-invalid': 'A field of the layout is an object, an array, or too long to be a folder name.',
  'transform-failed': 'An expression of the transform fails on this row.',
  'engine-crash': 'The conversion engine dies on this record.',
} as const;
export type RejectCode = keyof typeof REJECT_CODES;

/** One line of a rejected file: NDJSON. `data` is base64 of the original bytes. */
export interface RejectedRow {
  readonly code: RejectCode;
  readonly reason: string;
  readonly column: string | null;
  readonly shard: number;
  readonly offset: number;
  readonly arrival: string;
  readonly partitionKey: string;
  readonly data: string;
}
