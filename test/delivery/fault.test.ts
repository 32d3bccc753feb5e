/** What a fault means. */
import { expect, test } from 'vitest';
import { asLakewardError, retryPauseMs, suspends, troubleOf } from '../../src/delivery/fault.ts';
import { LakewardError } from '../../src/model/errors.ts';

test.each(['lake-unavailable', 'convert-failed', 'disk-full', 'catalog-conflict', 'internal'] as const)(
  '%s is retried',
  (code) => {
    expect(suspends(new LakewardError(code, ''))).toBe(false);
  },
);

test.each(['incarnation-mismatch', 'landing-log-damaged', 'stage-lost'] as const)('%s suspends', (code) => {
  expect(suspends(new LakewardError(code, ''))).toBe(true);
});

test('an unknown fault is internal, is retried, and keeps its cause', () => {
  const cause = new TypeError('x is undefined');
  const error = asLakewardError(cause);
  expect(error).toMatchObject({ code: 'internal', cause });
  expect(suspends(error)).toBe(false);
});

test('pauses grow, stay within half a minute, and spread', () => {
  expect(retryPauseMs(1, 0)).toBe(250);
  expect(retryPauseMs(1, 0.999)).toBe(500);
  expect(retryPauseMs(3, 0)).toBe(1000);
  expect(retryPauseMs(1000, 0.999)).toBeLessThanOrEqual(30_000);
  expect(retryPauseMs(1000, 0)).toBe(15_000);
});

test('trouble that stays keeps the time it began', () => {
  const known = troubleOf(new LakewardError('disk-full', 'a'), undefined, 1);
  expect(troubleOf(new LakewardError('disk-full', 'b'), known, 2)).toEqual({
    code: 'disk-full',
    message: 'b',
    sinceMs: 1,
  });
  expect(troubleOf(new LakewardError('lake-unavailable', 'c'), known, 2).sinceMs).toBe(2);
});
