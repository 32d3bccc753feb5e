import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type AppendKeys,
  filesBefore,
  isCut,
  type KnownKeys,
  NO_KEYS,
  remember,
} from '../../src/landing/known-keys.ts';

const WINDOW_MS = 1000;
const append = (
  n: number,
  firstArrivalMs: number,
  files: readonly { keys: number; lastArrivalMs: number }[],
): AppendKeys => ({
  key: 'id',
  windowMs: WINDOW_MS,
  firstArrivalMs,
  duplicateRows: 0,
  unkeyedRows: 0,
  files: files.map((file, i) => ({ name: `n${n}-${i}`, bytes: 16, checksum: '00000000', ...file })),
});
const entry = (n: number) => ({ n, nonce: `n${n}` });
const names = ({ files }: KnownKeys): string[] => files.map(({ name }) => name);

describe('known event ids', () => {
  test('hold the files of every landing within the window, and nothing older', () => {
    let known = NO_KEYS;
    for (let n = 1; n <= 5; n++)
      known = remember(known, entry(n), append(n, n * 400, [{ keys: 2, lastArrivalMs: n * 400 + 100 }]));
    // The newest landing began at 2000: rows that arrived before 1000 are outside.
    expect(names(known)).toEqual(['n3-0', 'n4-0', 'n5-0']);
    expect(known).toMatchObject({ keys: 6, last: 'n5', rule: { key: 'id', windowMs: WINDOW_MS } });
    expect(known.retired.map(({ name, at }) => [name, at])).toEqual([
      ['n1-0', 4],
      ['n2-0', 5],
    ]);
    expect(isCut(known)).toBe(false);
  });

  test('forget the oldest when there is no room, and say so until the window has passed them', () => {
    const bounds = { keysMax: 5, filesMax: 100 };
    let known = NO_KEYS;
    for (let n = 1; n <= 3; n++)
      known = remember(known, entry(n), append(n, n, [{ keys: 2, lastArrivalMs: n }]), bounds);
    expect(names(known)).toEqual(['n2-0', 'n3-0']);
    expect(isCut(known)).toBe(true);
    const later = remember(known, entry(4), append(4, 2000, [{ keys: 2, lastArrivalMs: 2000 }]), bounds);
    expect(names(later)).toEqual(['n4-0']);
    expect(isCut(later)).toBe(false);
    const few = remember(
      NO_KEYS,
      entry(1),
      append(
        1,
        5,
        [1, 2, 3].map(() => ({ keys: 1, lastArrivalMs: 5 })),
      ),
      {
        keysMax: 5,
        filesMax: 2,
      },
    );
    expect(names(few)).toEqual(['n1-1', 'n1-2']);
  });

  test('are forgotten by another key and by an append without one', () => {
    const known = remember(NO_KEYS, entry(1), append(1, 1, [{ keys: 1, lastArrivalMs: 1 }]));
    const other = remember(known, entry(2), { ...append(2, 2, []), key: 'uuid' });
    expect(other).toMatchObject({
      files: [],
      keys: 0,
      last: 'n2',
      rule: { key: 'uuid' },
      retired: [{ name: 'n1-0', at: -1 }],
    });
    expect(filesBefore(other, 2)).toEqual([]);
    const without = remember(known, entry(2), undefined);
    expect(without).toMatchObject({ files: [], keys: 0, rule: undefined, retired: [{ name: 'n1-0' }] });
    expect(without.last).toBeUndefined();
  });

  test('before any entry are what they were when it was made', () => {
    const landing = fc.record({
      stepMs: fc.nat(900),
      files: fc.array(fc.record({ keys: fc.integer({ min: 1, max: 3 }), afterMs: fc.nat(300) }), { maxLength: 3 }),
    });
    fc.assert(
      fc.property(fc.array(landing, { minLength: 1, maxLength: 20 }), (landings) => {
        let known = NO_KEYS;
        let nowMs = 1;
        for (const [i, { stepMs, files }] of landings.entries()) {
          nowMs += stepMs;
          const n = 2 * i + 1;
          const before = names(known);
          const held = files.map(({ keys, afterMs }) => ({ keys, lastArrivalMs: nowMs + afterMs }));
          known = remember(known, entry(n), append(n, nowMs, held), { keysMax: 9, filesMax: 5 });
          expect(filesBefore(known, n).map(({ name }) => name)).toEqual(before);
          expect(known.keys).toBe(known.files.reduce((sum, file) => sum + file.keys, 0));
          expect(known.keys <= 9 && known.files.length <= 5).toBe(true);
        }
      }),
    );
  });
});
