/**
 * Records on their way in, gathered into one `AppendBatch`: no object a record. Partition keys are hashed here as Kinesis does it
 * (MD5 of the UTF-8 key), so that both protocols route alike. The sizes given at the start are upper bounds; the regions of the
 * batch are views of what was written, in memory that the caller lends until the broker has stored the batch.
 */
import { Buffer } from 'node:buffer';
import { hash } from 'node:crypto';
import type { ShardRouter } from '../model/hash-range.ts';
import type { AppendBatch } from '../model/record-batch.ts';
import type { ShardIndex } from '../model/stream.ts';
import { MD5_BLOCK_TEXT_MAX, md5Block } from './md5.ts';

export interface BatchBounds {
  readonly records: number;
  readonly keyBytes: number;
  readonly dataBytes: number;
}

/** Gives at least so many bytes. */
export type Memory = (bytes: number) => Buffer;

export interface BatchWriter {
  /** Records added. A method: getters would give every writer a type of its own, and the callers slow code. */
  count(): number;
  /** Bytes of keys and data added. */
  bytes(): number;
  /** Adds a record whose data is base64 text, or says false when it is not; then nothing was added. A hash key stands for the key's. */
  addBase64(base64: string, key: string, hashKey?: bigint): boolean;
  addBytes(data: Uint8Array, key: string): void;
  /** Decodes base64 text as data of the next record, or says false when it is not. Only `addDecoded` adds the record. */
  decode(base64: string): boolean;
  /** Adds the record that was decoded last, with the key `source[from … to)`. */
  addDecoded(source: Uint8Array, from: number, to: number): void;
  /** The batch with all records routed. May be asked for again with another router, which changes the shards of the batch given before. */
  finish(router: ShardRouter, arrivalMs: number): AppendBatch;
}

const DIGEST = Buffer.alloc(16);
const DIGEST_VIEW = new DataView(DIGEST.buffer, DIGEST.byteOffset, DIGEST.byteLength);

/** The shard that takes records with the partition key `keys[from … to)`. */
export function shardOfKey(router: ShardRouter, keys: Uint8Array, { from, to }: KeySpan): ShardIndex {
  if (to - from <= MD5_BLOCK_TEXT_MAX) md5Block(keys, from, to, DIGEST_VIEW);
  else DIGEST.write(hash('md5', keys.subarray(from, to), 'hex'), 0, 16, 'hex');
  return router.ofDigest(DIGEST_VIEW, 0);
}

interface KeySpan {
  readonly from: number;
  readonly to: number;
}

export function batchWriter(bounds: BatchBounds, memory: Memory): BatchWriter {
  const region = memory(bounds.dataBytes + bounds.keyBytes);
  const data = region.subarray(0, bounds.dataBytes);
  const keys = region.subarray(bounds.dataBytes, bounds.dataBytes + bounds.keyBytes);
  const keyEnds = new Uint32Array(bounds.records);
  const dataEnds = new Uint32Array(bounds.records);
  const shards = new Uint16Array(bounds.records);
  let count = 0;
  let keyEnd = 0;
  let dataEnd = 0;
  let decoded = 0;
  /** By place in the batch; few producers choose hash keys. */
  let hashKeys: Map<number, bigint> | undefined;

  function add(dataBytes: number, keyBytes: number): void {
    keyEnd += keyBytes;
    dataEnd += dataBytes;
    keyEnds[count] = keyEnd;
    dataEnds[count] = dataEnd;
    count++;
  }

  function decode(base64: string): boolean {
    decoded = base64Bytes(base64);
    // The decoder skips what is not base64 and stops at padding; only then does it write fewer bytes.
    return decoded >= 0 && data.write(base64, dataEnd, decoded, 'base64') === decoded;
  }

  return {
    count: () => count,
    bytes: () => keyEnd + dataEnd,
    decode,
    addBase64(base64, key, hashKey) {
      if (!decode(base64)) return false;
      if (hashKey !== undefined) (hashKeys ??= new Map()).set(count, hashKey);
      add(decoded, keys.write(key, keyEnd));
      return true;
    },
    addBytes(bytes, key) {
      data.set(bytes, dataEnd);
      add(bytes.byteLength, keys.write(key, keyEnd));
    },
    addDecoded(source, from, to) {
      for (let i = from; i < to; i++) keys[keyEnd + i - from] = source[i] as number;
      add(decoded, to - from);
    },
    finish(router, arrivalMs) {
      const span = { from: 0, to: 0 };
      for (let i = 0; i < count; i++) {
        span.to = keyEnds[i] as number;
        const hashKey = hashKeys?.get(i);
        shards[i] = hashKey === undefined ? shardOfKey(router, keys, span) : router.ofHashKey(hashKey);
        span.from = span.to;
      }
      return {
        count,
        arrivalMs,
        keys: keys.subarray(0, keyEnd),
        data: data.subarray(0, dataEnd),
        keyEnds: keyEnds.subarray(0, count),
        dataEnds: dataEnds.subarray(0, count),
        shards: shards.subarray(0, count),
      };
    },
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
