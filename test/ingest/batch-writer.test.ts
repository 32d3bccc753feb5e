import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { base64Bytes, batchWriter, shardOfKey } from '../../src/ingest/batch-writer.ts';
import type { ShardRouter } from '../../src/model/hash-range.ts';
import { shardRouter, splitEvenly } from '../../src/model/hash-range.ts';
import type { ShardDocument } from '../../src/model/stream.ts';

function evenShards(count: number): ShardDocument[] {
  return splitEvenly(count).map(({ start, end }, index) => ({
    index,
    startingHashKey: String(start),
    endingHashKey: String(end),
    createdMs: 0,
    parents: [],
  }));
}

/** A hash key that four even shards route to this one. */
function hashKeyIn(shard: number): bigint {
  return (splitEvenly(4)[shard]?.start ?? 0n) + 1n;
}

function shardOf(router: ShardRouter, key: string): number {
  const keys = Buffer.from(`-${key}-`);
  return shardOfKey(router, keys, { from: 1, to: keys.length - 1 });
}

describe('a partition key', () => {
  test('belongs to the shard whose range holds its MD5 as a number', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 256 }),
        fc.string({ minLength: 1, maxLength: 300, unit: 'grapheme' }),
        (count, key) => {
          const shards = evenShards(count);
          const hashKey = BigInt(`0x${createHash('md5').update(key).digest('hex')}`);
          const holder = shards.find(
            ({ startingHashKey, endingHashKey }) =>
              BigInt(startingHashKey) <= hashKey && hashKey <= BigInt(endingHashKey),
          );
          expect(shardOf(shardRouter(shards), key)).toBe(holder?.index);
        },
      ),
    );
  });
});

describe('a batch', () => {
  test('holds keys, data and shards of its records side by side', () => {
    const record = fc.tuple(
      fc.string({ minLength: 1, unit: 'grapheme' }),
      fc.uint8Array({ maxLength: 50 }),
      fc.nat({ max: 3 }),
    );
    const router = shardRouter(evenShards(4));
    fc.assert(
      fc.property(fc.array(record, { minLength: 1 }), (records) => {
        const keyBytes = records.reduce((sum, [key]) => sum + Buffer.byteLength(key), 0);
        const writer = batchWriter({ records: records.length, keyBytes, dataBytes: 50 * records.length }, (bytes) =>
          Buffer.alloc(bytes),
        );
        for (const [i, [key, data, shard]] of records.entries()) {
          if (i % 2 === 0) writer.addBytes(data, key);
          else expect(writer.addBase64(Buffer.from(data).toString('base64'), key, hashKeyIn(shard))).toBe(true);
        }
        const batch = writer.finish(router, 7);
        expect(batch.arrivalMs).toBe(7);
        let [keyStart, dataStart] = [0, 0];
        for (const [i, [key, data, shard]] of records.entries()) {
          const [keyEnd = 0, dataEnd = 0] = [batch.keyEnds[i], batch.dataEnds[i]];
          expect(Buffer.from(batch.keys.subarray(keyStart, keyEnd)).toString()).toBe(Buffer.from(key).toString());
          expect(new Uint8Array(batch.data.subarray(dataStart, dataEnd))).toEqual(data);
          expect(batch.shards[i]).toBe(i % 2 === 0 ? shardOf(router, key) : shard);
          [keyStart, dataStart] = [keyEnd, dataEnd];
        }
        expect(writer.bytes()).toBe(batch.keys.length + batch.data.length);
      }),
    );
  });

  test('takes base64 as it is defined, and nothing else', () => {
    const router = shardRouter(evenShards(1));
    const take = (text: string): Buffer | undefined => {
      const writer = batchWriter({ records: 1, keyBytes: 3, dataBytes: text.length }, (bytes) => Buffer.alloc(bytes));
      return writer.addBase64(text, 'k') ? Buffer.from(writer.finish(router, 0).data) : undefined;
    };
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        const text = Buffer.from(bytes).toString('base64');
        expect(base64Bytes(text)).toBe(bytes.length);
        expect(take(text)).toEqual(Buffer.from(bytes));
      }),
    );
    fc.assert(
      fc.property(fc.stringMatching(/^[A-Za-z0-9+/= \n!]{1,24}$/), (text) => {
        const isBase64 = /^(?:[\w+/]{4})*(?:[\w+/]{2}==|[\w+/]{3}=)?$/.test(text);
        expect(take(text) !== undefined).toBe(isBase64);
      }),
      { numRuns: 1000 },
    );
  });
});
