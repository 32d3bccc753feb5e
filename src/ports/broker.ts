/**
 * The durable, sharded stream. What streams and shards exist is the catalog's business; a broker keeps their records.
 * Every method throws `LakewardError`; an aborted signal rejects with the signal's reason and leaves nothing half done.
 */
import type { ErrorCode } from '../model/errors.ts';
import type { AppendBatch, RecordBatch } from '../model/record-batch.ts';
import type { Offset, Positions, ShardIndex, StreamId, TopicIdentity } from '../model/stream.ts';
import type { CallOptions } from './call-options.ts';

/** Storage of one stream: its incarnation, how many shards it ever had, how long it keeps records. */
export interface StreamStorage {
  readonly id: StreamId;
  /** Shards 0 … shardCount-1 exist. */
  readonly shardCount: number;
  readonly retentionMs: number;
  /** The topic that an earlier opening answered; absent for a stream that was never opened, or is kept in a data folder. */
  readonly topic?: TopicIdentity;
  /** For a first opening: name of a Kafka topic that is there, to be this stream from now on. */
  readonly adopt?: string;
  /** Only tells what is there, where several processes share it: nothing is made, grown or given another retention. */
  readonly asFound?: true;
}

/** A Kafka topic as opening found or made it. */
export interface OpenedTopic {
  /** To be remembered, and given at every later opening. */
  readonly identity: TopicIdentity;
  /** More than the shards of the stream when others have added some. */
  readonly partitions: number;
  readonly retentionMs: number;
}

export interface AppendResult {
  /** Offset of each record, in the order of the batch; -1 for a failed one. */
  readonly offsets: Float64Array;
  /** Empty when all records are durable. */
  readonly failures: readonly { readonly index: number; readonly code: ErrorCode }[];
}

export interface ReadOptions extends CallOptions {
  /** Stop once this many bytes are gathered; at least one batch is given when there is any. */
  readonly maxBytes: number;
  /** Wait up to this long for the first record when there is none; 0 answers at once. */
  readonly waitMs: number;
}

/** Offsets that a reader skips. unused: nothing was ever acknowledged there. */
export interface OffsetGap {
  readonly shard: ShardIndex;
  readonly from: Offset;
  readonly to: Offset;
  readonly cause: 'unused' | 'expired' | 'damaged';
}

export interface ReadResult {
  /** In storage order; the batches of one shard are in offset order and start at or after the position asked for. */
  readonly batches: readonly RecordBatch[];
  /** Every jump between a position asked for and the batches given, named. */
  readonly gaps: readonly OffsetGap[];
  /** Where to read on: for every shard asked for. */
  readonly next: Positions;
}

export type LocateAt = 'earliest' | 'latest' | { readonly atMs: number };

export interface PendingOptions extends CallOptions {
  /** Resolve as soon as this many bytes are pending … */
  readonly minBytes: number;
  /** … or this many records … */
  readonly minRecords: number;
  /** … or this long has passed; 0 answers at once. */
  readonly waitMs: number;
}

export interface Pending {
  readonly records: number;
  readonly bytes: number;
  readonly exact: boolean;
  /** Arrival of the oldest pending record, epoch ms; undefined when none is pending or it is not known. */
  readonly oldestArrivalMs: number | undefined;
  /** End of every shard asked for: the next offset to be given. */
  readonly ends: Positions;
}

/** What opening found. */
export interface OpenReport {
  readonly stream: StreamId;
  /** Where records are kept when that is a Kafka cluster. */
  readonly topic?: OpenedTopic;
  readonly gaps: readonly OffsetGap[];
  readonly tornBytes: number;
}

export interface Broker {
  /**
   * Makes the storage, or opens it as it is; a larger `shardCount` or another retention is taken over, a smaller `shardCount` is not. Idempotent. Recovers what a crash
   * left. Throws `broker-changed` when the topic it knows is not there any more, `argument-invalid` when the one to adopt is not.
   */
  open(stream: StreamStorage, options?: CallOptions): Promise<OpenReport>;

  /** Deletes the storage and its records. Waiting reads reject with `stream-not-found`. Idempotent. */
  remove(stream: StreamId, options?: CallOptions): Promise<void>;

  /** Closes what is open of a stream; its records stay. Waiting reads reject with `stream-not-found`. Idempotent. */
  release(stream: StreamId): Promise<void>;

  /**
   * Resolves once for the whole batch when every record that did not fail is durable. Records of one shard keep the order of the
   * batch, and two appends of which the second began after the first resolved keep theirs. Throws `stream-not-found`, `shard-not-found`,
   * and the retryable `broker-overloaded`, `disk-full`, `broker-closed` with nothing stored. An abort that comes too late is ignored.
   * Once it has settled, the batch is the caller's again, who may use its memory for other records.
   */
  append(stream: StreamId, batch: AppendBatch, options?: CallOptions): Promise<AppendResult>;

  /**
   * Records at or after the positions, of any of the shards asked for; only durable ones. Past retention a read goes on at the
   * earliest record and names the gap. Throws `stream-not-found`, `shard-not-found`.
   */
  read(stream: StreamId, positions: Positions, options: ReadOptions): Promise<ReadResult>;

  /**
   * Position of the earliest record kept, of the next record to come, or of the first record that arrived at or after a time (the
   * next record to come when there is none).
   */
  locate(stream: StreamId, shard: ShardIndex, at: LocateAt, options?: CallOptions): Promise<Offset>;

  /** How much waits at and after the positions. */
  pending(stream: StreamId, positions: Positions, options: PendingOptions): Promise<Pending>;

  /** Drops records that arrived longer ago than the stream's retention, as far as the storage can drop. Gives the bytes freed. */
  retain(stream: StreamId, nowMs: number, options?: CallOptions): Promise<number>;

  /** Refuses new appends, makes the accepted ones durable, ends waiting reads with `broker-closed`, releases everything. Idempotent. */
  close(): Promise<void>;
}

/** What a conformance run may ask of an implementation. */
export interface BrokerCapabilities {
  /** Records survive closing and opening again. */
  readonly durable: boolean;
  readonly pendingExact: boolean;
}
