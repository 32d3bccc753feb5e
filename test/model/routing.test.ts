import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { HASH_KEY_MAX, parseHashKey, shardRouter, splitEvenly } from '../../src/model/hash-range.ts';
import { LIMITS } from '../../src/model/limits.ts';
import { parseSequenceNumber, sequenceNumbersOf } from '../../src/model/sequence-number.ts';
import { type ShardDocument, formatShardId, isName, parseShardId } from '../../src/model/stream.ts';

const shards = (count: number): ShardDocument[] =>
  splitEvenly(count).map(({ start, end }, index) => ({
    index,
    startingHashKey: String(start),
    endingHashKey: String(end),
    createdMs: 1,
    parents: [],
  }));

const anyCount = fc.integer({ min: 1, max: LIMITS.shardsMax });
const anyHashKey = fc.bigInt({ min: 0n, max: HASH_KEY_MAX });

describe('hash ranges', () => {
  test('of any number of shards cover all hash keys without overlap, in near equal parts', () => {
    fc.assert(
      fc.property(anyCount, (count) => {
        const ranges = splitEvenly(count);
        expect(ranges).toHaveLength(count);
        expect(ranges[0]?.start).toBe(0n);
        expect(ranges.at(-1)?.end).toBe(HASH_KEY_MAX);
        for (const [i, range] of ranges.entries()) {
          expect(range.end).toBeGreaterThanOrEqual(range.start);
          if (i > 0) expect(range.start).toBe((ranges[i - 1]?.end ?? 0n) + 1n);
        }
      }),
    );
  });

  test('route a hash key to the one open shard whose range holds it', () => {
    fc.assert(
      fc.property(anyCount, anyHashKey, (count, key) => {
        const documents = shards(count);
        const found = documents[shardRouter(documents).ofHashKey(key)];
        expect(key >= BigInt(found?.startingHashKey ?? -1) && key <= BigInt(found?.endingHashKey ?? -1)).toBe(true);
      }),
    );
  });

  test('route the edges of every range to that range', () => {
    const documents = shards(LIMITS.shardsMax);
    const router = shardRouter(documents);
    for (const { index, startingHashKey, endingHashKey } of documents) {
      expect(router.ofHashKey(BigInt(startingHashKey))).toBe(index);
      expect(router.ofHashKey(BigInt(endingHashKey))).toBe(index);
    }
  });

  test('route a digest as the number it stands for', () => {
    fc.assert(
      fc.property(anyCount, fc.string(), (count, key) => {
        const router = shardRouter(shards(count));
        const digest = createHash('md5').update(key).digest();
        const view = new DataView(digest.buffer, digest.byteOffset, 16);
        expect(router.ofDigest(view, 0)).toBe(router.ofHashKey(BigInt(`0x${digest.toString('hex')}`)));
      }),
    );
  });

  test('pass closed shards over and refuse a map with a hole', () => {
    const [a, b] = shards(2) as [ShardDocument, ShardDocument];
    const whole: ShardDocument = { ...a, index: 2, endingHashKey: String(HASH_KEY_MAX) };
    expect(shardRouter([{ ...a, closedMs: 5 }, { ...b, closedMs: 5 }, whole]).ofHashKey(HASH_KEY_MAX)).toBe(2);
    expect(() => shardRouter([a])).toThrow('end at');
    expect(() => shardRouter([b])).toThrow('do not meet');
  });

  test('accept decimal hash keys of 128 bits and nothing else', () => {
    expect(parseHashKey(String(HASH_KEY_MAX))).toBe(HASH_KEY_MAX);
    for (const bad of [String(HASH_KEY_MAX + 1n), '', '-1', '01', '1.0', '0x1', ' 1'])
      expect(parseHashKey(bad)).toBeUndefined();
  });
});

describe('sequence numbers', () => {
  const shard = fc.record({ index: fc.integer({ min: 0, max: 65_535 }), createdMs: fc.integer({ min: 0, max: 4e12 }) });
  const offset = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });

  test('give back their shard and offset', () => {
    fc.assert(
      fc.property(shard, offset, (of, at) => {
        expect(parseSequenceNumber(sequenceNumbersOf(of)(at))).toEqual({
          shardCreatedMs: of.createdMs,
          offset: at,
          shard: of.index,
        });
      }),
    );
  });

  test('grow with the offset, and a child shard, created later, starts above all of its parent', () => {
    fc.assert(
      fc.property(shard, offset, offset, (of, a, b) => {
        const number = (at: number): bigint => BigInt(sequenceNumbersOf(of)(at));
        expect(number(a) < number(b)).toBe(a < b);
        const child = sequenceNumbersOf({ index: of.index + 1, createdMs: of.createdMs + 1 });
        expect(BigInt(child(0)) > number(a)).toBe(true);
      }),
    );
  });

  test('are not found in other text', () => {
    fc.assert(fc.property(fc.string(), (text) => parseSequenceNumber(text) === undefined || /^49\d{38}$/.test(text)));
    expect(parseSequenceNumber('49590338271490256608559692538361571095921575989136588898')).toBeUndefined();
  });
});

describe('names', () => {
  test('of shards have twelve digits', () => {
    expect(formatShardId(7)).toBe('shardId-000000000007');
    expect(parseShardId('shardId-000000000007')).toBe(7);
    for (const bad of ['shardId-7', 'shardId-0000000000071', 'x']) expect(parseShardId(bad)).toBeUndefined();
  });

  test('of streams and deliveries cannot leave a folder', () => {
    expect(isName('a.B_c-9')).toBe(true);
    expect(isName('x'.repeat(128))).toBe(true);
    for (const bad of ['', '.', '..', 'a/b', 'a b', 'ä', 'x'.repeat(129)]) expect(isName(bad)).toBe(false);
  });
});
