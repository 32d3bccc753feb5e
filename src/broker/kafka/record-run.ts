/** Records at contiguous offsets that are gathered into one record batch. */
import type { RecordBatch } from '../../model/record-batch.ts';
import { asOffset, type ShardIndex } from '../../model/stream.ts';
import type { RecordCursor } from './record-cursor.ts';

export interface Run {
  /** The offset after its last record. */
  end(): number;
  /** Copies the record the cursor is at. */
  add(cursor: RecordCursor, arrivalMs: number): void;
  batch(shard: ShardIndex): RecordBatch;
}

const KEYS_BYTES = 1024;

/** `dataBytes`: room to begin with. */
export function runOf(firstOffset: number, dataBytes: number): Run {
  const keyEnds: number[] = [];
  const dataEnds: number[] = [];
  const arrivals: number[] = [];
  let keys: Buffer = Buffer.allocUnsafe(KEYS_BYTES);
  let data: Buffer = Buffer.allocUnsafe(dataBytes);
  let keyEnd = 0;
  let dataEnd = 0;

  return {
    end: () => firstOffset + arrivals.length,
    add({ bytes, keyFrom, keyTo, dataFrom, dataTo }, arrivalMs) {
      keys = withRoom(keys, keyEnd, keyTo - keyFrom);
      data = withRoom(data, dataEnd, dataTo - dataFrom);
      keyEnd += bytes.copy(keys, keyEnd, keyFrom, keyTo);
      dataEnd += bytes.copy(data, dataEnd, dataFrom, dataTo);
      keyEnds.push(keyEnd);
      dataEnds.push(dataEnd);
      arrivals.push(arrivalMs);
    },
    batch: (shard) => ({
      shard,
      firstOffset: asOffset(firstOffset),
      count: arrivals.length,
      keys: keys.subarray(0, keyEnd),
      keyEnds: Uint32Array.from(keyEnds),
      data: data.subarray(0, dataEnd),
      dataEnds: Uint32Array.from(dataEnds),
      arrivals: Float64Array.from(arrivals),
    }),
  };
}

function withRoom(bytes: Buffer, used: number, wanted: number): Buffer {
  if (used + wanted <= bytes.length) return bytes;
  const larger = Buffer.allocUnsafe(Math.max(bytes.length * 2, used + wanted));
  bytes.copy(larger, 0, 0, used);
  return larger;
}
