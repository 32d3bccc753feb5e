/**
 * Records on their way in, gathered into one `AppendBatch`: no object a record. Partition keys are hashed here as Kinesis does it
 * (MD5 of the UTF-8 key), so that both protocols route alike. The sizes given at the start are upper bounds; the regions of the
 * batch are views of what was written.
 */
import { Buffer } from 'node:buffer';
import { hash } from 'node:crypto';
import type { ShardRouter } from '../model/hash-range.ts';
import type { AppendBatch } from '../model/record-batch.ts';
import type { ShardIndex } from '../model/stream.ts';

export interface BatchBounds {
  readonly records: number;
  readonly keyBytes: number;
  readonly dataBytes: number;
}

export interface BatchWriter {
  readonly count: number;
  /** Bytes of keys and data written. */
  readonly bytes: number;
  /** Adds a record whose data is base64 text, or says false when it is not; then nothing was added. */
  addBase64(base64: string, key: string, shard: ShardIndex | undefined): boolean;
  addBytes(data: Uint8Array, key: string): void;
  finish(arrivalMs: number): AppendBatch;
}

const DIGEST = Buffer.alloc(16);
const DIGEST_VIEW = new DataView(DIGEST.buffer, DIGEST.byteOffset, DIGEST.byteLength);

/** The shard that takes records with this partition key. */
export function shardOfKey(router: ShardRouter, key: string): ShardIndex {
  // Hex text is cheaper than a new buffer for every key (measured: 0.6 µs against 1.7 µs).
  DIGEST.write(hash('md5', key, 'hex'), 0, 16, 'hex');
  return router.ofDigest(DIGEST_VIEW, 0);
}

export function batchWriter(router: ShardRouter, bounds: BatchBounds): BatchWriter {
  // Not from the pool: the broker may keep the batch, and a pooled slice would keep its neighbours.
  const keys = Buffer.allocUnsafeSlow(bounds.keyBytes);
  const data = Buffer.allocUnsafeSlow(bounds.dataBytes);
  const keyEnds = new Uint32Array(bounds.records);
  const dataEnds = new Uint32Array(bounds.records);
  const shards = new Uint16Array(bounds.records);
  let count = 0;
  let keyEnd = 0;
  let dataEnd = 0;

  function add(dataBytes: number, key: string, shard: ShardIndex): void {
    keyEnd += keys.write(key, keyEnd);
    dataEnd += dataBytes;
    keyEnds[count] = keyEnd;
    dataEnds[count] = dataEnd;
    shards[count] = shard;
    count++;
  }

  return {
    get count() {
      return count;
    },
    get bytes() {
      return keyEnd + dataEnd;
    },
    addBase64(base64, key, shard) {
      const bytes = base64Bytes(base64);
      // The decoder skips what is not base64 and stops at padding; only then does it write fewer bytes.
      if (bytes < 0 || data.write(base64, dataEnd, bytes, 'base64') !== bytes) return false;
      add(bytes, key, shard ?? shardOfKey(router, key));
      return true;
    },
    addBytes(bytes, key) {
      data.set(bytes, dataEnd);
      add(bytes.byteLength, key, shardOfKey(router, key));
    },
    finish: (arrivalMs) => ({
      count,
      arrivalMs,
      keys: keys.subarray(0, keyEnd),
      data: data.subarray(0, dataEnd),
      keyEnds: keyEnds.subarray(0, count),
      dataEnds: dataEnds.subarray(0, count),
      shards: shards.subarray(0, count),
    }),
  };
}

/** Bytes that a padded base64 text stands for, or -1 when its length says that it is none. */
export function base64Bytes(text: string): number {
  const { length } = text;
  if (length % 4 !== 0) return -1;
  if (length === 0) return 0;
  const padding = text.charCodeAt(length - 1) !== 0x3d ? 0 : text.charCodeAt(length - 2) !== 0x3d ? 1 : 2;
  return (length >> 2) * 3 - padding;
}
