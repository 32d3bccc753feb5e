/** Bytes as Kafka answers them, taken apart. */
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fetchedShard } from '../../src/broker/kafka/fetched-batches.ts';
import { verifyBatches } from '../../src/broker/kafka/checksum.ts';
import { recordSets, stamp } from '../../src/broker/kafka/record-sets.ts';
import { asOffset, asShard } from '../../src/model/stream.ts';
import { recordsOf, textBatch } from './text-batch.ts';

const HEAD = 61;
const text = fc.record({ key: fc.string({ maxLength: 20 }), data: fc.string({ maxLength: 200 }) });
const batch = fc.record({
  records: fc.array(text, { minLength: 1, maxLength: 20 }),
  arrivalMs: fc.integer({ min: 0, max: 4_000_000_000_000 }),
  /** Offsets between it and the one before, as compaction leaves them. */
  gap: fc.nat({ max: 2 }),
  isCompressed: fc.boolean(),
  isControl: fc.boolean(),
});
type Batch = typeof batch extends fc.Arbitrary<infer T> ? T : never;

function stored({ records, arrivalMs, isCompressed, isControl }: Batch, firstOffset: number): Buffer {
  const [set] = recordSets(
    [
      textBatch(
        records.map((one) => ({ ...one, shard: 3 })),
        arrivalMs,
      ),
    ],
    1e9,
  ).sets;
  const plain = set?.bytes ?? Buffer.alloc(0);
  const bytes = isCompressed ? Buffer.concat([plain.subarray(0, HEAD), gzipSync(plain.subarray(HEAD))]) : plain;
  bytes.writeBigInt64BE(BigInt(firstOffset), 0);
  bytes.writeInt32BE(bytes.length - 12, 8);
  bytes.writeInt16BE((isCompressed ? 1 : 0) | (isControl ? 0x20 : 0), 21);
  return bytes;
}

test('give every record from the position on at its offset, and name what lies between', () => {
  fc.assert(
    fc.property(fc.array(batch, { maxLength: 6 }), fc.nat({ max: 30 }), fc.nat({ max: 70 }), (batches, from, cut) => {
      let offset = 0;
      const expected: object[] = [];
      const parts = batches.map((one) => {
        offset += one.gap;
        const bytes = stored(one, offset);
        for (const { key, data } of one.records) {
          const { arrivalMs } = one;
          if (!one.isControl && offset >= from) expected.push({ shard: 3, offset, key, data, arrivalMs });
          offset++;
        }
        return bytes;
      });
      // The last batch of an answer may be cut short.
      const tail = stored(
        { records: [{ key: '', data: '.' }], arrivalMs: 0, gap: 0, isCompressed: false, isControl: false },
        offset,
      );
      const records = Buffer.concat([...parts, tail.subarray(0, Math.min(cut, tail.length - 1))]);
      const shard = asShard(3);
      const answer = { partition: 3, errorCode: 0, abortedTransactions: [], records };
      const { batches: got, gaps, next } = fetchedShard(shard, asOffset(from), answer);
      expect(recordsOf(got)).toEqual(expected);
      expect(next).toBe(Math.max(from, batches.length === 0 ? 0 : offset));
      const steps = [...gaps, ...got.map(({ firstOffset, count }) => ({ from: firstOffset, to: firstOffset + count }))];
      let at: number = from;
      for (const step of steps.toSorted((a, b) => a.from - b.from)) {
        expect(step.from).toBe(at);
        at = step.to;
      }
      expect(at).toBe(next);
    }),
  );
});

test('are refused when they cannot be records, whatever they are', () => {
  const good = stored(
    { records: [{ key: 'k', data: 'data' }], arrivalMs: 1, gap: 0, isCompressed: false, isControl: false },
    0,
  );
  fc.assert(
    fc.property(fc.integer({ min: HEAD, max: good.length - 1 }), fc.nat({ max: 255 }), (at, byte) => {
      const records = Buffer.from(good);
      records[at] = byte;
      const answer = { partition: 3, errorCode: 0, abortedTransactions: [], records };
      try {
        const { batches } = fetchedShard(asShard(3), asOffset(0), answer);
        for (const { keyEnds, dataEnds } of batches)
          expect([...keyEnds, ...dataEnds].every((end) => end < 100)).toBe(true);
      } catch (error) {
        expect(error).toMatchObject({ code: 'records-damaged' });
      }
    }),
  );
});

test('are refused when a single bit of what the checksum covers is not as it was written', () => {
  const one = { key: 'k', data: 'data' };
  const sets = [0, 1].map(() => {
    const [set] = recordSets([textBatch([{ ...one, shard: 3 }], 1)], 1e9).sets;
    if (set === undefined) throw new Error('there is a set');
    stamp(set, { producerId: 7n, producerEpoch: 0 }, 5);
    return set.bytes;
  });
  const good = Buffer.concat(sets);
  const size = sets[0]?.length ?? 0;
  const checksumAt = 17;
  verifyBatches(good);
  fc.assert(
    fc.property(
      fc.nat({ max: 1 }),
      fc.integer({ min: checksumAt, max: size - 1 }),
      fc.nat({ max: 7 }),
      (nth, at, bit) => {
        const records = Buffer.from(good);
        const place = nth * size + at;
        records.writeUInt8(records.readUInt8(place) ^ (1 << bit), place);
        expect(() => verifyBatches(records)).toThrow(expect.objectContaining({ code: 'records-damaged' }) as Error);
      },
    ),
  );
});
