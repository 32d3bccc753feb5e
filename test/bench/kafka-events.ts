/** Clickstream events in batches of a request, in the form both the bare client and the server take them. */
import type { AppendBatch } from '../../src/model/record-batch.ts';
import { clickstream, seeded } from './clickstream.ts';
import { putRecordsRequest } from './load.ts';

const BATCH = 500;
const KEYS = 10_007;

export interface EventBatch {
  readonly batch: AppendBatch;
  /** The same as a request of the Kinesis wire. */
  readonly request: Uint8Array;
}

/** Gives as many batches of 500 with each call. */
export function eventBatches(stream: string, shards: number): (count: number) => EventBatch[] {
  const event = clickstream({ seed: 1, fromMs: Date.UTC(2026, 0, 15, 6), hours: 6, products: 5000 });
  const random = seeded(7);
  let index = 0;
  return (count) =>
    Array.from({ length: count }, () => {
      const records = Array.from({ length: BATCH }, () => ({ key: `k${index % KEYS}`, data: event(index++) }));
      return {
        batch: appendBatch(records, () => Math.floor(random() * shards)),
        request: putRecordsRequest(stream, records),
      };
    });
}

function appendBatch(
  records: readonly { readonly key: string; readonly data: string }[],
  shardOf: () => number,
): AppendBatch {
  let keyEnd = 0;
  let dataEnd = 0;
  return {
    count: records.length,
    shards: Uint16Array.from(records, shardOf),
    keys: Buffer.from(records.map(({ key }) => key).join('')),
    keyEnds: Uint32Array.from(records, ({ key }) => (keyEnd += key.length)),
    data: Buffer.from(records.map(({ data }) => data).join('')),
    dataEnds: Uint32Array.from(records, ({ data }) => (dataEnd += Buffer.byteLength(data))),
    arrivalMs: Date.now(),
  };
}
