/** Batches of short texts for tests of brokers, and the records of what was read as plain objects. */
import type { AppendBatch, RecordBatch } from '../../src/model/record-batch.ts';

export interface TextRecord {
  readonly shard: number;
  readonly key: string;
  readonly data: string;
}

export interface ReadRecord extends TextRecord {
  readonly offset: number;
  readonly arrivalMs: number;
}

export function textBatch(records: readonly TextRecord[], arrivalMs: number): AppendBatch {
  const keys = records.map(({ key }) => Buffer.from(key));
  const data = records.map((record) => Buffer.from(record.data));
  return {
    count: records.length,
    shards: Uint16Array.from(records, ({ shard }) => shard),
    keys: Buffer.concat(keys),
    keyEnds: endsOf(keys),
    data: Buffer.concat(data),
    dataEnds: endsOf(data),
    arrivalMs,
  };
}

function endsOf(parts: readonly Uint8Array[]): Uint32Array {
  let end = 0;
  return Uint32Array.from(parts, ({ length }) => (end += length));
}

export function recordsOf(batches: readonly RecordBatch[]): ReadRecord[] {
  return batches.flatMap(({ shard, firstOffset, count, keys, keyEnds, data, dataEnds, arrivals }) =>
    Array.from({ length: count }, (_, i) => ({
      shard,
      offset: firstOffset + i,
      key: Buffer.from(keys.subarray(i === 0 ? 0 : keyEnds[i - 1], keyEnds[i])).toString(),
      data: Buffer.from(data.subarray(i === 0 ? 0 : dataEnds[i - 1], dataEnds[i])).toString(),
      arrivalMs: arrivals[i] ?? Number.NaN,
    })),
  );
}
