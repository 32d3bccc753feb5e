import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseBytes, parseDurationMs } from '../../src/model/units.ts';

describe('a size', () => {
  test.each([
    ['0B', 0],
    ['1B', 1],
    ['64MiB', 67_108_864],
    ['64 MiB', 67_108_864],
    ['1.5KiB', 1_536],
    ['2KB', 2_000],
    ['3MB', 3_000_000],
    ['1TiB', 2 ** 40],
  ])('of %s is %i bytes', (text, bytes) => {
    expect(parseBytes(text)).toBe(bytes);
  });

  test.each(['', '64', 'MiB', '-1B', '1.5B', '1e3B', '64mib', '64MiB ', '1,5MiB', '9999999TiB', '0x1B', '\u0661B'])(
    'is not %j',
    (text) => {
      expect(parseBytes(text)).toBeUndefined();
    },
  );
});

describe('a duration', () => {
  test.each([
    ['250ms', 250],
    ['60s', 60_000],
    ['0.5s', 500],
    ['1.001s', 1_001],
    ['10m', 600_000],
    ['24h', 86_400_000],
    ['7d', 604_800_000],
  ])('of %s is %i ms', (text, ms) => {
    expect(parseDurationMs(text)).toBe(ms);
  });

  test.each(['', '60', '60 sec', '1w', '0.1ms', 's', 'PT1M'])('is not %j', (text) => {
    expect(parseDurationMs(text)).toBeUndefined();
  });
});

test('any text gives a safe whole number or nothing', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^\d{0,16}(\.\d{0,7})? ?(B|KiB|TiB|ms|d|x)?$/), (text) => {
      for (const value of [parseBytes(text), parseDurationMs(text)]) {
        expect(value === undefined || Number.isSafeInteger(value)).toBe(true);
      }
    }),
  );
});
