/** Cutting record batches at offsets and sizes without copying their bytes. */
import type { RecordBatch } from '../model/record-batch.ts';
import { batchBytes } from '../model/record-batch.ts';
import type { Offset, Positions, ShardIndex } from '../model/stream.ts';
import { asOffset } from '../model/stream.ts';

/** What of the batches lies before the stop of its shard; shards without a stop are left out. */
export function batchesWithin(batches: readonly RecordBatch[], stops: Positions): RecordBatch[] {
  const kept: RecordBatch[] = [];
  for (const batch of batches) {
    const room = (stops.get(batch.shard) ?? 0) - batch.firstOffset;
    if (room >= batch.count) kept.push(batch);
    else if (room > 0) kept.push(headOfBatch(batch, room));
  }
  return kept;
}

/** Where the shards stop that have more than so many bytes of batches in all; `one`: the first record is taken whatever its size. */
export function cutsWithin(batches: readonly RecordBatch[], bytesMax: number, one: boolean): Map<ShardIndex, Offset> {
  const cuts = new Map<ShardIndex, Offset>();
  let left = bytesMax;
  for (const [i, batch] of batches.entries()) {
    if (cuts.has(batch.shard)) continue;
    const bytes = batchBytes(batch);
    if (cuts.size === 0 && bytes <= left) {
      left -= bytes;
      continue;
    }
    const fitting = cuts.size > 0 ? 0 : recordsWithin(batch, left);
    cuts.set(batch.shard, asOffset(batch.firstOffset + (one && i === 0 ? Math.max(1, fitting) : fitting)));
  }
  return cuts;
}

function recordsWithin(batch: RecordBatch, bytes: number): number {
  let count = 0;
  while (count < batch.count && (batch.keyEnds[count] ?? 0) + (batch.dataEnds[count] ?? 0) <= bytes) count += 1;
  return count;
}

/** The first `count` records. */
export function headOfBatch(batch: RecordBatch, count: number): RecordBatch {
  return {
    shard: batch.shard,
    firstOffset: batch.firstOffset,
    count,
    keys: batch.keys.subarray(0, batch.keyEnds[count - 1] ?? 0),
    keyEnds: batch.keyEnds.subarray(0, count),
    data: batch.data.subarray(0, batch.dataEnds[count - 1] ?? 0),
    dataEnds: batch.dataEnds.subarray(0, count),
    arrivals: batch.arrivals.subarray(0, count),
  };
}
