/** Reads a stream to its end, and checks on the way that positions, batches and gaps fit together without a hole. */
import {
  asOffset,
  asShard,
  type Offset,
  type Positions,
  type ShardIndex,
  type StreamId,
} from '../../src/model/stream.ts';
import type { Broker, OffsetGap } from '../../src/ports/broker.ts';
import { type ReadRecord, recordsOf } from './text-batch.ts';

export interface Everything {
  readonly records: ReadRecord[];
  readonly gaps: OffsetGap[];
  readonly next: Positions;
}

export function startOf(shardCount: number): Map<ShardIndex, Offset> {
  return new Map(Array.from({ length: shardCount }, (_, shard) => [asShard(shard), asOffset(0)]));
}

export async function readAll(broker: Broker, id: StreamId, from: Positions, maxBytes = 100_000): Promise<Everything> {
  const records: ReadRecord[] = [];
  const gaps: OffsetGap[] = [];
  let next = from;
  for (;;) {
    const result = await broker.read(id, next, { maxBytes, waitMs: 0 });
    const got = recordsOf(result.batches);
    for (const [shard, position] of next) {
      const steps = [
        ...result.gaps.filter((gap) => gap.shard === shard).map((gap) => ({ from: gap.from, to: gap.to })),
        ...result.batches
          .filter((batch) => batch.shard === shard)
          .map(({ firstOffset, count }) => ({ from: firstOffset, to: firstOffset + count })),
      ].sort((a, b) => a.from - b.from);
      let at: number = position;
      for (const step of steps) {
        fits(shard, at, step.from);
        at = step.to;
      }
      fits(shard, at, result.next.get(shard));
    }
    for (const record of got) records.push(record);
    gaps.push(...result.gaps);
    next = result.next;
    if (result.batches.length === 0 && result.gaps.length === 0) return { records, gaps, next };
  }
}

/** A plain comparison: this runs for every batch of thousands of reads. */
function fits(shard: number, expected: number, found: number | undefined): void {
  if (found !== expected) throw new Error(`shard ${shard} goes on at ${found}, not at ${expected}`);
}
