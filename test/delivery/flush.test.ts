/** The flush decision, by cases and by property. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { FlushFacts } from '../../src/delivery/flush.ts';
import { decideFlush } from '../../src/delivery/flush.ts';

const NOW = 1_000_000;
const rule = { bytes: 1000, ageMs: 60_000, records: 10 };

type Change = Partial<Omit<FlushFacts, 'pending'>> & { readonly pending?: Partial<FlushFacts['pending']> };

function facts(change: Change): FlushFacts {
  const pending = { records: 1, bytes: 10, oldestArrivalMs: NOW, ...change.pending };
  return { seenForMs: undefined, rule, nowMs: NOW, demand: undefined, ...change, pending };
}

describe('the flush decision', () => {
  test.each([
    ['bytes', { pending: { bytes: 1000 } }],
    ['records', { pending: { records: 10 } }],
    ['age', { pending: { oldestArrivalMs: NOW - 60_000 } }],
    ['request', { demand: 'request' }],
    ['shutdown', { demand: 'shutdown', pending: { bytes: 5000 } }],
    ['age', { pending: { oldestArrivalMs: undefined }, seenForMs: 60_000 }],
    ['age', { pending: { oldestArrivalMs: NOW + 3_600_000 }, seenForMs: 60_000 }],
  ] as const)('lands because of %s', (reason, change) => {
    expect(decideFlush(facts(change))).toEqual({ flush: reason });
  });

  test('lands nothing when nothing waits, whatever is demanded', () => {
    const none = { records: 0, bytes: 0, oldestArrivalMs: undefined };
    const decision = decideFlush(facts({ pending: none, demand: 'request' }));
    expect(decision).toMatchObject({ flush: undefined, wait: { minRecords: 1, minBytes: 1 } });
  });

  test('one below every bound waits for the rest of the age', () => {
    const decision = decideFlush(facts({ pending: { records: 9, bytes: 999, oldestArrivalMs: NOW - 59_999 } }));
    expect(decision).toEqual({ flush: undefined, wait: { minBytes: 1000, minRecords: 10, waitMs: 1 } });
  });

  test('an arrival in the future does not stretch the wait beyond the age', () => {
    const decision = decideFlush(facts({ pending: { oldestArrivalMs: NOW + 3_600_000 } }));
    expect(decision).toMatchObject({ wait: { waitMs: 60_000 } });
  });

  test('whatever waits is landed at the latest when the wait it asked for is over', () => {
    const amounts = fc.record({
      records: fc.integer({ min: 1, max: 20 }),
      bytes: fc.integer({ min: 1, max: 2000 }),
      oldestArrivalMs: fc.option(fc.integer({ min: NOW - 100_000, max: NOW }), { nil: undefined }),
    });
    fc.assert(
      fc.property(amounts, (pending) => {
        const first = decideFlush(facts({ pending, seenForMs: 0 }));
        if (first.flush !== undefined) return;
        const { waitMs } = first.wait;
        expect(waitMs).toBeGreaterThan(0);
        const later = decideFlush(facts({ pending, seenForMs: waitMs, nowMs: NOW + waitMs }));
        expect(later).toEqual({ flush: 'age' });
      }),
    );
  });
});
