/** The bytes of records as Kafka gets them, read back by the client's own reader. */
import { Reader, crc32c, readRecordsBatches } from '@platformatic/kafka';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { recordSets, stamp } from '../../src/broker/kafka/record-sets.ts';
import { textBatch } from './text-batch.ts';

const record = fc.record({
  shard: fc.nat({ max: 3 }),
  key: fc.string({ maxLength: 80 }),
  data: fc.string({ unit: 'binary', maxLength: 300 }),
});
const append = fc.record({
  records: fc.array(record, { maxLength: 30 }),
  // As far apart as the clocks of two machines may be.
  arrivalMs: fc.integer({ min: 0, max: 4_000_000_000_000 }),
});

test('hold every record once, in order a partition, and none is larger than allowed unless its record is', () => {
  fc.assert(
    fc.property(fc.array(append, { maxLength: 4 }), fc.integer({ min: 100, max: 3000 }), (appends, setBytesMax) => {
      const { sets, setOf } = recordSets(
        appends.map(({ records, arrivalMs }) => textBatch(records, arrivalMs)),
        setBytesMax,
      );
      for (const set of sets) stamp(set, { producerId: 7n, producerEpoch: 1 }, 2 ** 31 - 1);
      const given = appends.flatMap(({ records, arrivalMs }) => records.map((one) => ({ ...one, arrivalMs })));
      expect(setOf.length).toBe(given.length);
      for (const [nth, set] of sets.entries()) {
        expect(set.tooLarge).toBe(set.bytes.length > setBytesMax);
        if (set.tooLarge) expect(set.count).toBe(1);
        const [batch, ...more] = readRecordsBatches(Reader.from(set.bytes));
        expect(more).toEqual([]);
        expect(batch).toMatchObject({ producerId: 7n, producerEpoch: 1, firstSequence: 2 ** 31 - 1, magic: 2 });
        expect(batch?.crc).toBe(crc32c(set.bytes.subarray(21)) >>> 0);
        const read = (batch?.records ?? []).map(({ key, value, timestampDelta, headers }) => ({
          shard: set.partition,
          key: String(key),
          data: String(value),
          arrivalMs: Number((batch?.firstTimestamp ?? 0n) + timestampDelta),
          headers,
        }));
        const expected = given.filter((_, i) => setOf[i] === nth);
        expect(read).toEqual(expected.map((one) => ({ ...one, headers: [] })));
        expect(batch?.records.map(({ offsetDelta }) => offsetDelta)).toEqual(expected.map((_, i) => i));
        expect(Number(batch?.maxTimestamp)).toBe(Math.max(...expected.map(({ arrivalMs }) => arrivalMs)));
      }
    }),
  );
});
