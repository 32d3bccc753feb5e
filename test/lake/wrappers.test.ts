import { describe, expect, test } from 'vitest';
import { type ManualClock, manualClock } from '../../src/clock/manual-clock.ts';
import { memoryStore } from '../../src/lake/memory/memory-store.ts';
import { callLimit, limitedStore } from '../../src/lake/wrap/limited-store.ts';
import { retryingStore } from '../../src/lake/wrap/retrying-store.ts';
import { storePace } from '../../src/lake/wrap/store-pace.ts';
import { LakewardError } from '../../src/model/errors.ts';
import { lakePath } from '../../src/model/lake-path.ts';
import type { LakeStore } from '../../src/ports/lake-store.ts';
import { createTelemetry } from '../../src/telemetry/telemetry.ts';

const path = lakePath('a/b');
const bytes = new Uint8Array([1]);
const throttled = (): LakewardError => new LakewardError('lake-unavailable', 'slow', { details: { throttled: true } });
const unclear = (): LakewardError => new LakewardError('lake-unavailable', 'reset');
const refused = (): LakewardError => new LakewardError('lake-unavailable', 'no', { details: { refused: true } });
const file = { local: '/l', staged: lakePath('s'), final: lakePath('f') };
const handle = { ...file, bytes: 1, checksum: '00000000' };

/** A store whose calls fail with the next of these errors while there are any, and are counted. */
function failing(errors: Error[]): { store: LakeStore; calls: () => number } {
  const inner = memoryStore({ clock: manualClock(), takeLocal: async () => bytes });
  let calls = 0;
  const store = new Proxy(inner, {
    get:
      (target, name: keyof LakeStore) =>
      async (...call: unknown[]) => {
        calls += 1;
        const error = errors.shift();
        if (error !== undefined) throw error;
        return (target[name] as (...given: unknown[]) => Promise<unknown>)(...call);
      },
  });
  return { store, calls: () => calls };
}

async function within<T>(clock: ManualClock, ms: number, call: Promise<T>): Promise<T> {
  call.catch(() => undefined);
  for (let passed = 0; passed < ms; passed += 50) await clock.advance(50);
  return call;
}

describe('the retrying wrapper', () => {
  const wrapped = (errors: Error[]) => {
    const clock = manualClock();
    const telemetry = createTelemetry({ level: 'silent' });
    const { store, calls } = failing(errors);
    return { clock, telemetry, calls, store: retryingStore(store, { clock, telemetry, pace: storePace(clock) }) };
  };
  const repeatable = (store: LakeStore): Record<string, () => Promise<unknown>> => ({
    read: () => store.read(path),
    list: () => store.list('a'),
    overwrite: () => store.overwrite(path, bytes),
    remove: () => store.remove(path),
    publish: () => store.publish(handle),
    discard: () => store.discard(handle),
  });

  test('repeats what bears it after a throttle or an unclear answer', async () => {
    for (const name of Object.keys(repeatable(failing([]).store))) {
      const { clock, store, calls, telemetry } = wrapped([throttled(), unclear()]);
      await within(clock, 5_000, repeatable(store)[name]?.() ?? Promise.reject(new Error(name)));
      expect(`${name}: ${calls()}`).toBe(`${name}: 3`);
      const metrics = await telemetry.exposition();
      expect(metrics).toContain(`lakeward_lake_throttled_total{operation="${name}"} 1`);
      expect(metrics).toContain(`lakeward_lake_repeated_total{operation="${name}"} 2`);
    }
  });

  test('never repeats a creation or a staging: whose it became is for the landing log to find out', async () => {
    for (const error of [throttled(), unclear()]) {
      const { clock, store, calls } = wrapped([error]);
      await expect(within(clock, 100, store.create(path, bytes))).rejects.toBe(error);
      expect(calls()).toBe(1);
    }
    const { clock, store, calls } = wrapped([unclear()]);
    await expect(within(clock, 100, store.stage(file))).rejects.toThrow('reset');
    expect(calls()).toBe(1);
  });

  test('tells at once what the store has refused, and gives up what stays unclear', async () => {
    const no = wrapped([refused(), refused()]);
    await expect(within(no.clock, 100, no.store.read(path))).rejects.toThrow('no');
    expect(no.calls()).toBe(1);
    const lost = wrapped(Array.from({ length: 10 }, unclear));
    await expect(within(lost.clock, 5_000, lost.store.read(path))).rejects.toThrow('reset');
    expect(lost.calls()).toBe(3);
  });

  test('makes all calls wait longer while the store asks to slow down, and none once it answers', async () => {
    const { clock, store, calls } = wrapped(Array.from({ length: 6 }, throttled));
    await expect(within(clock, 100, store.create(path, bytes))).rejects.toThrow('slow');
    const reads = Promise.all([store.read(path), store.list('')]);
    await clock.settle();
    expect(calls()).toBe(1);
    await within(clock, 120_000, reads);
    for (let i = 0; i < 10; i++) await within(clock, 20_000, store.read(path));
    const before = calls();
    await store.read(path);
    expect(calls()).toBe(before + 1);
  });

  test('an abort ends the wait', async () => {
    const { clock, store } = wrapped(Array.from({ length: 9 }, throttled));
    const abort = new AbortController();
    const reading = store.read(path, { signal: abort.signal });
    reading.catch(() => undefined);
    await clock.settle();
    abort.abort(new Error('enough'));
    await expect(reading).rejects.toThrow('enough');
  });
});

describe('the pace', () => {
  test('a hundred throttles at once are one step, and no wait is longer than 20 s', async () => {
    const clock = manualClock();
    const waits: number[] = [];
    const pace = storePace({
      ...clock,
      random: () => 1,
      sleep: async (ms) => void waits.push(ms),
    });
    const levels = await Promise.all(Array.from({ length: 100 }, () => pace.turn()));
    for (const level of levels) pace.throttled(level);
    await pace.turn();
    expect(waits).toEqual([200]);
    for (let i = 0; i < 30; i++) pace.throttled(await pace.turn());
    expect(Math.max(...waits)).toBe(20_000);
  });
});

describe('the bound on calls', () => {
  /** Calls that stay under way until they are let go. */
  function held() {
    const under: { path: string; end: () => void }[] = [];
    const limit = callLimit({ total: 3, perPrefix: 2 });
    const call = (at: string, signal?: AbortSignal): Promise<void> =>
      limit.run(at, () => new Promise((resolve) => under.push({ path: at, end: resolve })), signal);
    const paths = (): string[] => under.map((one) => one.path);
    const end = async (): Promise<void> => {
      under.shift()?.end();
      await manualClock().settle();
    };
    return { call, paths, end };
  }

  test('holds for each prefix and for all, and who waits for a full prefix holds up nobody else', async () => {
    const { call, paths, end } = held();
    const calls = ['a/1', 'a/2', 'a/3', '_lakeward/a/log', '_lakeward/b/log'].map((path) => call(path));
    expect(paths()).toEqual(['a/1', 'a/2', '_lakeward/a/log']);
    await end();
    expect(paths()).toEqual(['a/2', '_lakeward/a/log', 'a/3']);
    for (let i = 0; i < 4; i++) await end();
    await Promise.all(calls);
  });

  test('gives room back after a failure, and lets the aborted go', async () => {
    const limit = callLimit({ total: 1, perPrefix: 1 });
    await expect(limit.run('a', async () => Promise.reject(new Error('x')))).rejects.toThrow('x');
    const { store, calls } = failing([]);
    let free = (): void => undefined;
    const first = limit.run('a', () => new Promise<void>((resolve) => (free = resolve)));
    const abort = new AbortController();
    const waiting = limitedStore(store, limit).read(path, { signal: abort.signal });
    abort.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
    expect(calls()).toBe(0);
    free();
    await first;
    expect(await limitedStore(store, limit).read(path)).toBeUndefined();
  });
});
