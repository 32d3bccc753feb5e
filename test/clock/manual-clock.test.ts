import { describe, expect, test } from 'vitest';
import { manualClock } from '../../src/clock/manual-clock.ts';

describe('the manual clock', () => {
  test('stands until it is moved', async () => {
    const clock = manualClock({ nowMs: 1_000 });
    await clock.settle();
    expect([clock.nowMs(), clock.monotonicMs()]).toEqual([1_000, 0]);
    await clock.advance(250);
    expect([clock.nowMs(), clock.monotonicMs()]).toEqual([1_250, 250]);
  });

  test('ends sleeps in the order of their times, each with the clock at its own', async () => {
    const clock = manualClock();
    const ends: [string, number][] = [];
    const sleep = async (name: string, ms: number): Promise<void> => {
      await clock.sleep(ms);
      ends.push([name, clock.monotonicMs()]);
    };
    const sleeps = [sleep('c', 30), sleep('a', 10), sleep('b', 20), sleep('also b', 20), sleep('later', 31)];
    await clock.advance(30);
    expect(ends).toEqual([
      ['a', 10],
      ['b', 20],
      ['also b', 20],
      ['c', 30],
    ]);
    expect(clock.sleepers()).toBe(1);
    await clock.advance(1);
    await Promise.all(sleeps);
  });

  test('ends sleeps that begin on the way', async () => {
    const clock = manualClock();
    let turns = 0;
    const turning = (async () => {
      while (turns < 5) {
        await clock.sleep(10);
        turns += 1;
      }
    })();
    await clock.advance(49);
    expect(turns).toBe(4);
    await clock.advance(1);
    expect(turns).toBe(5);
    await turning;
  });

  test('rejects an aborted sleep with the reason, before and while it sleeps', async () => {
    const clock = manualClock();
    const aborting = new AbortController();
    const sleeping = clock.sleep(10, aborting.signal);
    aborting.abort('enough');
    await expect(sleeping).rejects.toBe('enough');
    await expect(clock.sleep(10, aborting.signal)).rejects.toBe('enough');
    expect(clock.sleepers()).toBe(0);
  });

  test('lets the wall clock jump without ending sleeps or moving durations', async () => {
    const clock = manualClock({ nowMs: 5_000 });
    const sleeping = clock.sleep(10);
    clock.setNowMs(1_000);
    await clock.settle();
    expect([clock.nowMs(), clock.monotonicMs(), clock.sleepers()]).toEqual([1_000, 0, 1]);
    await clock.advance(10);
    await sleeping;
    expect(clock.nowMs()).toBe(1_010);
  });

  test('gives the same chance and ids for the same seed, and others for another', () => {
    const draws = (seed: number): (string | number)[] => {
      const clock = manualClock({ seed });
      return [clock.random(), clock.random(), clock.uuid(), clock.uuid()];
    };
    expect(draws(1)).toEqual(draws(1));
    expect(draws(1)).not.toEqual(draws(2));
  });

  test('draws evenly from 0 to 1', () => {
    const clock = manualClock({ seed: 9 });
    const draws = Array.from({ length: 10_000 }, () => clock.random());
    expect(Math.min(...draws)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...draws)).toBeLessThan(1);
    const counts = Array.from({ length: 10 }, (_, i) => draws.filter((draw) => Math.floor(draw * 10) === i).length);
    for (const count of counts) expect(Math.abs(count - 1_000)).toBeLessThan(150);
  });
});
