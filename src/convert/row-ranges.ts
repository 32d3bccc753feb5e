/**
 * Rows of a job by their number in the order of its batches: counted, cut out as batches over the same bytes, and told as places.
 */
import type { RecordBatch } from '../model/record-batch.ts';
import { sliceBatch } from './frames.ts';
import type { RecordPlace } from './protocol.ts';

/** Rows [from, to). */
export interface RowRange {
  readonly from: number;
  readonly to: number;
}

export async function countRows(batches: AsyncIterable<RecordBatch>): Promise<number> {
  let count = 0;
  for await (const batch of batches) count += batch.count;
  return count;
}

/** The place of a job's record when it has no other. */
export async function onlyRecord(batches: AsyncIterable<RecordBatch>): Promise<RecordPlace | undefined> {
  let place: RecordPlace | undefined;
  for await (const batch of batches) {
    if (batch.count === 0) continue;
    if (place !== undefined || batch.count > 1) return undefined;
    place = [batch.shard, batch.firstOffset];
  }
  return place;
}

/** The rows of a range but the known ones, as batches. */
export async function* rowsOf(
  batches: AsyncIterable<RecordBatch>,
  range: RowRange,
  known: ReadonlySet<string>,
): AsyncGenerator<RecordBatch> {
  let row = 0;
  for await (const batch of batches) {
    let from = Math.max(0, range.from - row);
    const to = Math.min(batch.count, range.to - row);
    for (let i = from; i < to && known.size > 0; i++) {
      if (!known.has(placeKey([batch.shard, batch.firstOffset + i]))) continue;
      if (i > from) yield sliceBatch(batch, from, i);
      from = i + 1;
    }
    if (from < to) yield sliceBatch(batch, from, to);
    row += batch.count;
    if (row >= range.to) return;
  }
}

export async function placesOf(batches: AsyncIterable<RecordBatch>, rows: readonly number[]): Promise<RecordPlace[]> {
  const places: RecordPlace[] = [];
  let row = 0;
  for await (const batch of batches) {
    for (const wanted of rows) {
      if (wanted >= row && wanted < row + batch.count) places.push([batch.shard, batch.firstOffset + wanted - row]);
    }
    row += batch.count;
  }
  return places;
}

export function placeKey([shard, offset]: RecordPlace): string {
  return `${shard}/${offset}`;
}
