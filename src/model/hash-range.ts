/**
 * Routing of records to shards by 128-bit hash keys, as Kinesis does it: the MD5 of the partition key (computed by the
 * caller) or an explicit hash key, looked up in inclusive ranges that cover 0 … 2^128-1 without overlap.
 */
import type { ShardDocument, ShardIndex } from './stream.ts';
import { asShard } from './stream.ts';

export const HASH_KEY_MAX = (1n << 128n) - 1n;

export interface HashRange {
  readonly start: bigint;
  readonly end: bigint;
}

/** `count` ranges of equal size (the last takes the remainder), inclusive, ascending, covering all hash keys. */
export function splitEvenly(count: number): HashRange[] {
  const width = (HASH_KEY_MAX + 1n) / BigInt(count);
  return Array.from({ length: count }, (_, i) => ({
    start: width * BigInt(i),
    end: i === count - 1 ? HASH_KEY_MAX : width * BigInt(i + 1) - 1n,
  }));
}

/** A decimal hash key, or undefined when the text is none or exceeds 128 bits. */
export function parseHashKey(text: string): bigint | undefined {
  if (!/^(0|[1-9]\d{0,38})$/.test(text)) return undefined;
  const value = BigInt(text);
  return value <= HASH_KEY_MAX ? value : undefined;
}

/** Looks shards up by hash key. Compares four 32-bit words, so that the hot path makes no big number. */
export interface ShardRouter {
  /** Of an MD5 digest: 16 bytes, big-endian, at `at`. */
  ofDigest(digest: DataView, at: number): ShardIndex;
  ofHashKey(hashKey: bigint): ShardIndex;
}

/** A router over the open shards. Throws when their ranges leave a hole or overlap: the catalog would be broken. */
export function shardRouter(shards: readonly ShardDocument[]): ShardRouter {
  const open = shards
    .filter((shard) => shard.closedMs === undefined)
    .map((shard) => ({ index: shard.index, start: BigInt(shard.startingHashKey), end: BigInt(shard.endingHashKey) }))
    .sort((a, b) => (a.start < b.start ? -1 : 1));
  let next = 0n;
  for (const { start, end } of open) {
    if (start !== next || end < start) throw new Error(`shard ranges do not meet at ${next}`);
    next = end + 1n;
  }
  if (next !== HASH_KEY_MAX + 1n) throw new Error(`shard ranges end at ${next}`);
  // Of each start four words, the highest first.
  const starts = Uint32Array.from(open.flatMap(({ start }) => words(start)));
  const index = Uint16Array.from(open, (shard) => shard.index);

  /** True when the shard at `place` starts at or before the hash key in `key`. */
  function startsBefore(place: number, key: DataView, at: number): boolean {
    for (let word = 0; word < 4; word++) {
      const start = starts[place * 4 + word] ?? 0;
      const wanted = key.getUint32(at + word * 4);
      if (start !== wanted) return start < wanted;
    }
    return true;
  }

  function find(key: DataView, at: number): ShardIndex {
    let from = 0;
    let to = index.length - 1;
    while (from < to) {
      const middle = (from + to + 1) >>> 1;
      if (startsBefore(middle, key, at)) from = middle;
      else to = middle - 1;
    }
    return asShard(index[from] ?? 0);
  }

  return {
    ofDigest: find,
    ofHashKey: (hashKey) => {
      const key = new DataView(new ArrayBuffer(16));
      words(hashKey).forEach((word, i) => key.setUint32(i * 4, word));
      return find(key, 0);
    },
  };
}

function words(hashKey: bigint): number[] {
  return [96n, 64n, 32n, 0n].map((shift) => Number((hashKey >> shift) & 0xffff_ffffn));
}
