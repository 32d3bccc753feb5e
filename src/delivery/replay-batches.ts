/** Rejected rows as record batches again: at their shard and offset, with their key and arrival; neighbours share a batch. */
import { MIB } from '../model/limits.ts';
import type { RejectedRow } from '../model/data-file.ts';
import type { RecordBatch } from '../model/record-batch.ts';
import { asOffset, asShard } from '../model/stream.ts';

export interface ReplayRow {
  readonly row: RejectedRow;
  readonly data: Uint8Array;
}

const BATCH_BYTES = MIB;

export async function* batchesOf(rows: AsyncIterable<ReplayRow>): AsyncGenerator<RecordBatch> {
  let run: ReplayRow[] = [];
  let bytes = 0;
  for await (const next of rows) {
    const last = run.at(-1)?.row;
    const joins = last !== undefined && last.shard === next.row.shard && last.offset + 1 === next.row.offset;
    if (run.length > 0 && (!joins || bytes >= BATCH_BYTES)) {
      yield batchOf(run);
      run = [];
      bytes = 0;
    }
    run.push(next);
    bytes += next.data.byteLength;
  }
  if (run.length > 0) yield batchOf(run);
}

function batchOf(rows: readonly ReplayRow[]): RecordBatch {
  const keys = rows.map(({ row }) => Buffer.from(row.partitionKey));
  const data = rows.map((one) => one.data);
  return {
    shard: asShard(rows[0]?.row.shard ?? 0),
    firstOffset: asOffset(rows[0]?.row.offset ?? 0),
    count: rows.length,
    keys: Buffer.concat(keys),
    keyEnds: endsOf(keys),
    data: Buffer.concat(data),
    dataEnds: endsOf(data),
    arrivals: Float64Array.from(rows, ({ row }) => Date.parse(row.arrival)),
  };
}

function endsOf(parts: readonly Uint8Array[]): Uint32Array {
  let end = 0;
  return Uint32Array.from(parts, (part) => {
    end += part.byteLength;
    return end;
  });
}
