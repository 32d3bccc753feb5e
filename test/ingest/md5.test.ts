import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MD5_BLOCK_TEXT_MAX, md5Block } from '../../src/ingest/md5.ts';

test('texts of every length up to one block have the digest that the crypto library gives', () => {
  const digest = Buffer.alloc(20);
  const view = new DataView(digest.buffer, digest.byteOffset + 2, 16);
  const place = fc.tuple(fc.uint8Array({ maxLength: 9 }), fc.uint8Array({ maxLength: 9 }));
  for (let length = 0; length <= MD5_BLOCK_TEXT_MAX; length++) {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: length, maxLength: length }), place, (text, [before, behind]) => {
        const source = Buffer.concat([before, text, behind]);
        md5Block(source, before.length, before.length + length, view);
        expect(digest.toString('hex', 2, 18)).toBe(createHash('md5').update(text).digest('hex'));
      }),
      { numRuns: 20 },
    );
  }
  expect([digest[0], digest[1], digest[18], digest[19]]).toEqual([0, 0, 0, 0]);
});
