import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { memoryBroker } from '../../src/broker/memory/memory-broker.ts';
import { createCatalog } from '../../src/catalog/catalog.ts';
import { manualClock } from '../../src/clock/manual-clock.ts';
import { formatIterator, parseIterator } from '../../src/ingest/kinesis/shard-iterator.ts';
import type { Streams } from '../../src/ingest/streams.ts';
import { createStreams } from '../../src/ingest/streams.ts';
import { memoryStore } from '../../src/lake/memory/memory-store.ts';
import { LIMITS } from '../../src/model/limits.ts';
import type { ShardDocument } from '../../src/model/stream.ts';
import { asOffset } from '../../src/model/stream.ts';
import { DAY_MS } from './open-door.ts';

const LONGEST = 'n'.repeat(LIMITS.nameCharsMax);
const clock = manualClock();
const NOW_MS = clock.nowMs();
let streams: Streams;
beforeAll(async () => {
  const catalog = createCatalog({ store: memoryStore({ clock }), clock });
  await catalog.open();
  streams = createStreams({ broker: memoryBroker({ clock }), catalog, clock });
  for (const name of ['a', LONGEST]) await streams.create({ name, shards: 256, retentionMs: DAY_MS });
});

const position = fc.record({
  name: fc.constantFrom('a', LONGEST),
  index: fc.nat({ max: 255 }),
  offset: fc.maxSafeNat(),
});
function iteratorOf({ name, index, offset }: { name: string; index: number; offset: number }): string {
  const stream = streams.get(name);
  const shard = stream.document.shards[index] as ShardDocument;
  return formatIterator({ stream, shard, offset: asOffset(offset) }, NOW_MS);
}
const refusal = expect.objectContaining({ type: 'InvalidArgumentException' });

describe('a shard iterator', () => {
  test('leads back to its position, plain and in quotes, and fits into 512 characters', () => {
    fc.assert(
      fc.property(position, (at) => {
        const text = iteratorOf(at);
        expect(text).toMatch(/^[\w-]{1,512}$/);
        for (const form of [text, `"${text}"`]) {
          const { stream, shard, offset } = parseIterator(form, streams, NOW_MS);
          expect([stream.document.name, shard.index, offset]).toEqual([at.name, at.index, at.offset]);
        }
      }),
    );
  });

  test('is refused when any character of it was changed', () => {
    fc.assert(
      fc.property(position, fc.nat(), fc.constantFrom('A', 'b', '9', '_', '-'), (at, place, letter) => {
        const text = iteratorOf(at);
        const i = place % text.length;
        const forged = text.slice(0, i) + letter + text.slice(i + 1);
        fc.pre(!Buffer.from(forged, 'base64url').equals(Buffer.from(text, 'base64url')));
        expect(() => parseIterator(forged, streams, NOW_MS)).toThrow(refusal);
      }),
    );
  });

  test('is refused when it is any text', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ maxLength: 600 }), fc.base64String({ maxLength: 512 })), (text) => {
        expect(() => parseIterator(text, streams, NOW_MS)).toThrow(refusal);
      }),
    );
  });

  test('is of one stream for ever: a new stream of the same name refuses it', async () => {
    await streams.create({ name: 'again', shards: 1, retentionMs: DAY_MS });
    const text = iteratorOf({ name: 'again', index: 0, offset: 0 });
    await streams.remove('again', { force: false });
    expect(() => parseIterator(text, streams, NOW_MS)).toThrow(refusal);
    await streams.create({ name: 'again', shards: 1, retentionMs: DAY_MS });
    expect(() => parseIterator(text, streams, NOW_MS)).toThrow(refusal);
  });

  test('lives five minutes', () => {
    const text = iteratorOf({ name: 'a', index: 0, offset: 5 });
    expect(parseIterator(text, streams, NOW_MS + LIMITS.shardIteratorMs).offset).toBe(5);
    const expired = expect.objectContaining({ type: 'ExpiredIteratorException' });
    expect(() => parseIterator(text, streams, NOW_MS + LIMITS.shardIteratorMs + 1)).toThrow(expired);
  });
});
