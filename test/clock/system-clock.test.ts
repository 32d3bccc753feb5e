import { describe, expect, test } from 'vitest';
import { systemClock } from '../../src/clock/system-clock.ts';
import { uuidV7Maker } from '../../src/clock/uuid-v7.ts';

describe('the system clock', () => {
  const clock = systemClock();

  test('tells the time, and a monotonic one beside it', () => {
    expect(Math.abs(clock.nowMs() - Date.now())).toBeLessThan(1_000);
    const before = clock.monotonicMs();
    expect(clock.monotonicMs()).toBeGreaterThanOrEqual(before);
  });

  test('sleeps and wakes, also for no time at all', async () => {
    const before = clock.monotonicMs();
    await clock.sleep(5);
    await clock.sleep(0);
    await clock.sleep(-1);
    expect(clock.monotonicMs() - before).toBeGreaterThanOrEqual(4);
  });

  test('rejects an aborted sleep with the reason at once, also one longer than any timer', async () => {
    const aborting = new AbortController();
    const sleeping = clock.sleep(2 ** 40, aborting.signal);
    aborting.abort('enough');
    await expect(sleeping).rejects.toBe('enough');
    await expect(clock.sleep(60_000, AbortSignal.abort('before'))).rejects.toBe('before');
  });

  test('leaves no listener on a signal behind', async () => {
    const { signal } = new AbortController();
    let listening = 0;
    const counted = new Proxy(signal, {
      get(target, key) {
        if (key === 'addEventListener') listening += 1;
        if (key === 'removeEventListener') listening -= 1;
        const value: unknown = Reflect.get(target, key, target);
        return typeof value === 'function' ? (value as () => unknown).bind(target) : value;
      },
    });
    await clock.sleep(1, counted);
    expect(listening).toBe(0);
  });
});

describe('an id', () => {
  const fillWith = (value: number) => (bytes: Uint8Array) => {
    bytes.fill(value);
  };

  test('is a UUID of version 7 that holds its time', () => {
    const id = uuidV7Maker(() => 0x0123_4567_89ab, fillWith(0xff))();
    expect(id).toBe('01234567-89ab-77ff-bfff-ffffffffffff');
    expect(systemClock().uuid()).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });

  test('ascends and never repeats, while time stands, flies or goes back', () => {
    let now = 1_000;
    const make = uuidV7Maker(() => now, fillWith(0x77));
    const ids = Array.from({ length: 20_000 }, (_, i) => {
      if (i === 9_000) now = 500;
      if (i === 12_000) now = 5_000;
      return make();
    });
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.toSorted()).toEqual(ids);
  });

  test('of the real clock ascends too', () => {
    const clock = systemClock();
    const ids = Array.from({ length: 10_000 }, () => clock.uuid());
    expect(ids.toSorted()).toEqual(ids);
  });
});
