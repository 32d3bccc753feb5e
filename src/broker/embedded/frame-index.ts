/**
 * Where the frames of one segment lie: a table of 48 bytes a frame in storage order, a list of frame numbers for each shard, and
 * sums for each shard, so that positions, times and pending amounts are found without reading records. The table is also what the
 * index file holds.
 */
import type { FrameFacts } from './frame.ts';

export const ENTRY_BYTES = 48;
const WORDS = ENTRY_BYTES / 4;
const DOUBLES = ENTRY_BYTES / 8;
const ARRIVALS_BIT = 0x8000_0000;

/** Sums of one segment by shard; `next` is -1 for a shard without records. */
export interface ShardSums {
  readonly first: Float64Array;
  readonly next: Float64Array;
  readonly records: Float64Array;
  readonly bytes: Float64Array;
  readonly minArrivalMs: Float64Array;
  readonly maxArrivalMs: Float64Array;
}

export interface FrameIndex {
  count(): number;
  add(frame: FrameFacts): void;
  frame(number: number): FrameFacts;
  /** Number of the first frame of a shard that holds an offset at or after the given one; -1 for none. */
  find(shard: number, offset: number): number;
  /** Frame numbers of a shard, ascending. */
  ofShard(shard: number): readonly number[];
  /** The table as it is stored. */
  bytes(): Uint8Array;
}

export function emptySums(shardCount: number): ShardSums {
  return {
    first: new Float64Array(shardCount).fill(-1),
    next: new Float64Array(shardCount).fill(-1),
    records: new Float64Array(shardCount),
    bytes: new Float64Array(shardCount),
    minArrivalMs: new Float64Array(shardCount).fill(Infinity),
    maxArrivalMs: new Float64Array(shardCount).fill(-Infinity),
  };
}

export function addToSums(sums: ShardSums, frame: FrameFacts): void {
  const { shard } = frame;
  if ((sums.next[shard] as number) < 0) sums.first[shard] = frame.firstOffset;
  sums.next[shard] = frame.firstOffset + frame.count;
  sums.records[shard] = (sums.records[shard] as number) + frame.count;
  sums.bytes[shard] = (sums.bytes[shard] as number) + frame.keyBytes + frame.dataBytes;
  sums.minArrivalMs[shard] = Math.min(sums.minArrivalMs[shard] as number, frame.firstArrivalMs);
  sums.maxArrivalMs[shard] = Math.max(sums.maxArrivalMs[shard] as number, frame.lastArrivalMs);
}

/** The same sums with room for more shards. */
export function widenSums(sums: ShardSums, shardCount: number): ShardSums {
  const wide = emptySums(shardCount);
  for (const name of Object.keys(sums) as (keyof ShardSums)[]) wide[name].set(sums[name].subarray(0, shardCount));
  return wide;
}

/** An index over a stored table, or an empty one. */
export function createFrameIndex(table: Uint8Array = new Uint8Array(0)): FrameIndex {
  let count = table.length / ENTRY_BYTES;
  let buffer: ArrayBuffer = new ArrayBuffer(Math.max(table.length, ENTRY_BYTES * 64));
  new Uint8Array(buffer).set(table);
  let words = new Uint32Array(buffer);
  let doubles = new Float64Array(buffer);
  const shards = new Map<number, number[]>();

  function list(number: number): void {
    const shard = (words[number * WORDS] as number) & 0xffff;
    const numbers = shards.get(shard);
    if (numbers === undefined) shards.set(shard, [number]);
    else numbers.push(number);
  }
  for (let number = 0; number < count; number++) list(number);

  function grow(): void {
    const larger = new ArrayBuffer(buffer.byteLength * 2);
    new Uint8Array(larger).set(new Uint8Array(buffer));
    buffer = larger;
    words = new Uint32Array(buffer);
    doubles = new Float64Array(buffer);
  }

  function add(frame: FrameFacts): void {
    if ((count + 1) * ENTRY_BYTES > buffer.byteLength) grow();
    const word = count * WORDS;
    words[word] = frame.shard | (frame.arrivals ? ARRIVALS_BIT : 0);
    words[word + 1] = frame.position;
    words[word + 2] = frame.length;
    words[word + 3] = frame.count;
    words[word + 4] = frame.keyBytes;
    words[word + 5] = frame.dataBytes;
    const double = count * DOUBLES + 3;
    doubles[double] = frame.firstOffset;
    doubles[double + 1] = frame.firstArrivalMs;
    doubles[double + 2] = frame.lastArrivalMs;
    list(count++);
  }

  function frame(number: number): FrameFacts {
    const word = number * WORDS;
    const double = number * DOUBLES + 3;
    const head = words[word] as number;
    return {
      shard: head & 0xffff,
      arrivals: (head & ARRIVALS_BIT) !== 0,
      position: words[word + 1] as number,
      length: words[word + 2] as number,
      count: words[word + 3] as number,
      keyBytes: words[word + 4] as number,
      dataBytes: words[word + 5] as number,
      firstOffset: doubles[double] as number,
      firstArrivalMs: doubles[double + 1] as number,
      lastArrivalMs: doubles[double + 2] as number,
    };
  }

  function find(shard: number, offset: number): number {
    const numbers = shards.get(shard) ?? [];
    let from = 0;
    let to = numbers.length;
    while (from < to) {
      const middle = (from + to) >>> 1;
      const number = numbers[middle] as number;
      const end = (doubles[number * DOUBLES + 3] as number) + (words[number * WORDS + 3] as number);
      if (end > offset) to = middle;
      else from = middle + 1;
    }
    return numbers[from] ?? -1;
  }

  return {
    count: () => count,
    add,
    frame,
    find,
    ofShard: (shard) => shards.get(shard) ?? [],
    bytes: () => new Uint8Array(buffer, 0, count * ENTRY_BYTES),
  };
}
