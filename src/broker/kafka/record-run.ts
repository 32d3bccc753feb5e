/**
 * Records at contiguous offsets that are gathered into one record batch. They are moved together within the bytes that Kafka answered, over
 * what was read already: memory that is asked for anew with every answer would cost the garbage collector more than all else of a read.
 * Invariant: a run writes only below the record at hand.
 */
import type { RecordBatch } from '../../model/record-batch.ts';
import { asOffset, type ShardIndex } from '../../model/stream.ts';
import type { RecordCursor } from './record-cursor.ts';

export interface Run {
  /** The offset after its last record. */
  end(): number;
  /** Takes the record the cursor is at. */
  add(cursor: RecordCursor, arrivalMs: number): void;
  batch(shard: ShardIndex): RecordBatch;
}

/** An answer's bytes: those below `used` belong to runs, those from there to `read` are read and free. */
export interface AnswerSpace {
  readonly bytes: Buffer;
  used: number;
  read: number;
}

const KEYS_BYTES = 1024;
const RECORDS = 256;

export function runOf(firstOffset: number, space: AnswerSpace): Run {
  let keyEnds = new Uint32Array(RECORDS);
  let dataEnds = new Uint32Array(RECORDS);
  let arrivals = new Float64Array(RECORDS);
  let count = 0;
  let keys: Buffer = Buffer.allocUnsafe(KEYS_BYTES);
  let keyEnd = 0;
  /** The answer's own bytes, or others when there is no room: what was compressed needs more than it came in. */
  let data = space.bytes;
  let dataFrom = space.used;
  let dataEnd = dataFrom;

  function grow(): void {
    keyEnds = larger(keyEnds, new Uint32Array(count * 2));
    dataEnds = larger(dataEnds, new Uint32Array(count * 2));
    arrivals = larger(arrivals, new Float64Array(count * 2));
  }

  /** Makes room for so many bytes of a record that does not lie in `data`. */
  function makeRoom(wanted: number): void {
    if (dataEnd + wanted <= (data === space.bytes ? space.read : data.length)) return;
    data = extended(data.subarray(dataFrom, dataEnd), wanted);
    dataEnd -= dataFrom;
    dataFrom = 0;
  }

  function addData(from: Buffer, start: number, end: number): void {
    if (from === data) data.copyWithin(dataEnd, start, end);
    else {
      makeRoom(end - start);
      from.copy(data, dataEnd, start, end);
    }
    dataEnd += end - start;
    if (data === space.bytes) space.used = dataEnd;
  }

  return {
    end: () => firstOffset + count,
    add({ bytes, keyFrom, keyTo, dataFrom: start, dataTo }, arrivalMs) {
      if (count === arrivals.length) grow();
      if (keyEnd + keyTo - keyFrom > keys.length) keys = extended(keys.subarray(0, keyEnd), keyTo - keyFrom);
      // Most are short: a call would take longer.
      for (let at = keyFrom; at < keyTo; at++) keys[keyEnd++] = bytes[at] as number;
      addData(bytes, start, dataTo);
      keyEnds[count] = keyEnd;
      dataEnds[count] = dataEnd - dataFrom;
      arrivals[count++] = arrivalMs;
    },
    batch: (shard) => ({
      shard,
      firstOffset: asOffset(firstOffset),
      count,
      keys: keys.subarray(0, keyEnd),
      keyEnds: keyEnds.subarray(0, count),
      data: data.subarray(dataFrom, dataEnd),
      dataEnds: dataEnds.subarray(0, count),
      arrivals: arrivals.subarray(0, count),
    }),
  };
}

function larger<T extends Uint32Array | Float64Array>(before: T, after: T): T {
  after.set(before);
  return after;
}

/** The same bytes with room behind them. */
function extended(bytes: Buffer, wanted: number): Buffer {
  const more = Buffer.allocUnsafe(Math.max(bytes.length * 2, bytes.length + wanted));
  bytes.copy(more);
  return more;
}
