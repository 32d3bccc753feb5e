import fc from 'fast-check';
import { expect, test } from 'vitest';
import { putRecordsAnswer } from '../../src/ingest/kinesis/put-records-answer.ts';
import type { LiveStream } from '../../src/ingest/live-stream.ts';
import type { AppendBatch } from '../../src/model/record-batch.ts';
import { sequenceNumbersOf } from '../../src/model/sequence-number.ts';
import { formatShardId } from '../../src/model/stream.ts';

const SHARDS = [0, 1, 2, 300];
const stream = { sequenceNumber: [], shardIds: [], document: { name: 's' } } as unknown as {
  sequenceNumber: ((offset: number) => string)[];
  shardIds: string[];
} & LiveStream;
for (const index of SHARDS) {
  stream.sequenceNumber[index] = sequenceNumbersOf({ index, createdMs: 1_700_000_000_000 + index });
  stream.shardIds[index] = formatShardId(index);
}

test('every stored record is answered with its sequence number and shard, whatever was answered before', () => {
  const offset = fc.oneof(
    fc.integer({ min: 0, max: 2 }),
    fc.constantFrom(9, 99, 1_999_999, Number.MAX_SAFE_INTEGER),
    fc.maxSafeNat(),
  );
  const run = fc.tuple(fc.constantFrom(...SHARDS), offset, fc.integer({ min: 1, max: 12 }));
  fc.assert(
    fc.property(fc.array(run, { minLength: 1, maxLength: 6 }), fc.boolean(), (runs, isOneFailed) => {
      const records = runs.flatMap(([shard, first, count]) =>
        Array.from({ length: count }, (_, i) => ({ shard, offset: Math.min(first + i, Number.MAX_SAFE_INTEGER) })),
      );
      const batch = { count: records.length, shards: Uint16Array.from(records, ({ shard }) => shard) } as AppendBatch;
      const offsets = Float64Array.from(records, (record) => record.offset);
      const failures = isOneFailed ? [{ index: 0, code: 'disk-full' } as const] : [];
      const text = putRecordsAnswer(batch, { offsets, failures }, stream).toString();
      expect(text.startsWith(`{"FailedRecordCount":${failures.length},`)).toBe(true);
      const answer = JSON.parse(text) as { Records: unknown[] };
      expect(answer.Records.slice(failures.length)).toEqual(
        records
          .map((record) => ({
            SequenceNumber: stream.sequenceNumber[record.shard]?.(record.offset),
            ShardId: formatShardId(record.shard),
          }))
          .slice(failures.length),
      );
      if (isOneFailed) expect(answer.Records[0]).toMatchObject({ ErrorCode: expect.any(String) as unknown });
    }),
  );
});
