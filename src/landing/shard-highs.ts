/**
 * How far the event time of each shard has landed, as entries and checkpoints say it: the watermark of a delivery that several processes
 * land rests on all of its shards. Pure.
 */
import { asShard, type ShardIndex } from '../model/stream.ts';

export interface ShardHigh {
  /** Highest min(event time, arrival) of its landed rows, epoch ms. */
  readonly highMs: number;
  /** Arrival of its newest record that landed, epoch ms. */
  readonly arrivalMs: number;
}
export type ShardHighs = ReadonlyMap<ShardIndex, ShardHigh>;

/** Shard index (as text, JSON) → [highMs, arrivalMs]. */
export type HighTable = Readonly<Record<string, readonly [number, number]>>;

/** Who lands a shard says anew how far it is, so that what a clock that was ahead left there goes with the next entry. */
export function moveHighs(before: ShardHighs, table: HighTable | undefined): ShardHighs {
  if (table === undefined) return before;
  const highs = new Map(before);
  for (const [shard, [highMs, arrivalMs]] of Object.entries(table)) {
    highs.set(asShard(Number(shard)), { highMs, arrivalMs });
  }
  return highs;
}

export function highTable(highs: ShardHighs): HighTable {
  return Object.fromEntries([...highs].map(([shard, { highMs, arrivalMs }]) => [shard, [highMs, arrivalMs]]));
}
