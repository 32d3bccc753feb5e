/**
 * Records on the hot path: batches of bytes, never an object a record. Keys and data lie in two contiguous regions with end
 * positions, so a batch is handed on, written and read back without touching single records, and the stored bytes are the
 * client's bytes. Record i has key `keys[keyEnds[i-1] … keyEnds[i])` and data `data[dataEnds[i-1] … dataEnds[i])`, where the
 * end before the first is 0. Nobody writes into a batch that was handed to him; a reader may keep it, a broker copies what it appends.
 */
import type { Offset, ShardIndex } from './stream.ts';

interface RecordBytes {
  readonly count: number;
  /** Partition keys, UTF-8. */
  readonly keys: Uint8Array;
  readonly keyEnds: Uint32Array;
  readonly data: Uint8Array;
  readonly dataEnds: Uint32Array;
}

/** What a reader gets: records of one shard at contiguous offsets `firstOffset … firstOffset + count - 1`. */
export interface RecordBatch extends RecordBytes {
  readonly shard: ShardIndex;
  readonly firstOffset: Offset;
  /** Arrival of each record at the broker's door, epoch ms. Not monotonic by contract. */
  readonly arrivals: Float64Array;
}

/** What a writer hands in: records for any shards of one stream, already routed. */
export interface AppendBatch extends RecordBytes {
  /** Shard index of each record. */
  readonly shards: Uint16Array;
  /** When the request arrived, epoch ms; the arrival of all its records. */
  readonly arrivalMs: number;
}

/** Bytes of keys and data: what limits and buffers count. */
export function batchBytes(batch: RecordBytes): number {
  return (batch.keyEnds[batch.count - 1] ?? 0) + (batch.dataEnds[batch.count - 1] ?? 0);
}
