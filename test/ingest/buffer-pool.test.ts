import fc from 'fast-check';
import { expect, test } from 'vitest';
import { bufferPool } from '../../src/ingest/admission/buffer-pool.ts';
import { bytesInFlight } from '../../src/ingest/admission/bytes-in-flight.ts';

const MIB = 1024 * 1024;

test('a buffer is large enough, and in one hand at a time', () => {
  fc.assert(
    fc.property(fc.array(fc.record({ bytes: fc.nat({ max: 200_000 }), give: fc.boolean() })), (steps) => {
      const pool = bufferPool();
      const held: Buffer[] = [];
      for (const { bytes, give } of steps) {
        const buffer = pool.take(bytes);
        expect(buffer.length).toBeGreaterThanOrEqual(bytes);
        expect(held.includes(buffer)).toBe(false);
        held.push(buffer);
        if (give) pool.give(held.shift() as Buffer);
      }
    }),
  );
});

test('keeps no more than its bound, and nothing beyond its largest size', () => {
  const pool = bufferPool();
  const large = pool.take(17 * MIB);
  expect(large.length).toBe(17 * MIB);
  pool.give(large);
  expect(pool.take(17 * MIB) === large).toBe(false);
  const lent = Array.from({ length: 20 }, () => pool.take(MIB));
  for (const buffer of lent) pool.give(buffer);
  const again = Array.from({ length: 20 }, () => pool.take(MIB));
  expect(again.filter((buffer) => lent.includes(buffer))).toHaveLength(16);
});

test('a reservation gives its memory back once, however often it is released', () => {
  const admission = bytesInFlight(MIB, { set: () => undefined });
  const reservation = admission.reserve();
  const memory = reservation.memory(5000);
  reservation.release();
  reservation.release();
  const next = admission.reserve();
  expect([next.memory(5000) === memory, next.memory(5000) === memory]).toEqual([true, false]);
});
