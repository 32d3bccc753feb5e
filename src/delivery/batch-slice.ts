/** Cutting record batches at offsets without copying their bytes. */
import type { RecordBatch } from '../model/record-batch.ts';
import type { Positions } from '../model/stream.ts';

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
