import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isLakewardError } from '../../src/model/errors.ts';
import { lakePath } from '../../src/model/lake-path.ts';

const refusal = (text: string): boolean => {
  try {
    lakePath(text);
    return false;
  } catch (error) {
    return isLakewardError(error, 'argument-invalid');
  }
};

describe('lake paths', () => {
  test('are relative and hold no segment that a store could read as something else', () => {
    expect(lakePath('events/year=2026/a%2Fb.parquet')).toBe('events/year=2026/a%2Fb.parquet');
    for (const bad of ['', '/a', 'a/', 'a//b', '.', 'a/../b', 'a/./b', 'a\\b', 'a\0b'])
      expect([bad, refusal(bad)]).toEqual([bad, true]);
  });

  test('are bounded in bytes, a segment and as a whole', () => {
    expect(lakePath('ä'.repeat(127))).toHaveLength(127);
    expect(refusal('ä'.repeat(128))).toBe(true);
    const segment = 'x'.repeat(255);
    expect(lakePath([segment, segment, segment, segment].join('/'))).toHaveLength(1023);
    expect(refusal([segment, segment, segment, segment, 'y'].join('/'))).toBe(true);
  });

  test('never resolve outside their root', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('.', '/', 'a', '\\', '\0') }), (text) => {
        if (refusal(text)) return;
        expect(new URL(text, 'file:///root/').pathname.startsWith('/root/')).toBe(true);
      }),
    );
  });
});
