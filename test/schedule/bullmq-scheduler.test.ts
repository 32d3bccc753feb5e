import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/clock/system-clock.ts';
import type { Job, Scheduler } from '../../src/ports/scheduler.ts';
import { bullmqScheduler } from '../../src/schedule/bullmq/bullmq-scheduler.ts';
import { createTelemetry } from '../../src/telemetry/telemetry.ts';
import { schedulerSuite } from '../conformance/scheduler.suite.ts';
import { describeOnRedis, startTestRedis, type TestRedis } from './test-redis.ts';

const clock = systemClock();
const TUNING = { lockMs: 1_200, putInEveryMs: 300 };
const SELDOM_MS = 3_600_000;

let prefixes = 0;
const prefix = (): string => `test-${process.pid}-${++prefixes}`;

async function until(isSo: () => boolean | Promise<boolean>, withinMs = 20_000): Promise<void> {
  const endMs = clock.monotonicMs() + withinMs;
  while (!(await isSo())) {
    if (clock.monotonicMs() > endMs) throw new Error('it never came to be so');
    await clock.sleep(5);
  }
}

/** What a scheduler logs and measures. */
function watchedTelemetry() {
  const lines: string[] = [];
  const telemetry = createTelemetry({ level: 'info', destination: { write: (line) => void lines.push(line) } });
  const logged = (message: string): number => lines.filter((line) => line.includes(message)).length;
  const isConnected = async (): Promise<boolean> =>
    /^lakeward_schedule_connected 1$/m.test(await telemetry.exposition());
  return { telemetry, logged, isConnected };
}

/** A job of many processes: who runs it, and how many at a time. */
function sharedJob(options: Partial<Omit<Job, 'run'>> = {}) {
  const seen = { runs: 0, running: 0, runningMax: 0, by: new Set<number>() };
  let work: Job['run'] = () => Promise.resolve();
  const jobOf = (process: number): Job => ({
    name: 'job',
    everyMs: SELDOM_MS,
    jitter: 0,
    ...options,
    async run(...given) {
      seen.runs += 1;
      seen.running += 1;
      seen.runningMax = Math.max(seen.runningMax, seen.running);
      seen.by.add(process);
      try {
        await work(...given);
      } finally {
        seen.running -= 1;
      }
    },
  });
  return {
    seen,
    jobOf,
    does: (next: Job['run']): void => {
      work = next;
    },
  };
}

const untilStopped: Job['run'] = (signal) =>
  new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));

await describeOnRedis('jobs that processes share through Redis', (redis) => {
  const open: Scheduler[] = [];
  afterEach(async () => {
    await Promise.all(open.splice(0).map((scheduler) => scheduler.close()));
  });

  async function schedulers(count: number, more: { prefix?: string; url?: string } = {}): Promise<Scheduler[]> {
    const options = { url: redis().url, prefix: prefix(), queue: 'q', clock, tuning: TUNING, ...more };
    const made = await Promise.all(
      Array.from({ length: count }, () => bullmqScheduler({ ...options, telemetry: watchedTelemetry().telemetry })),
    );
    open.push(...made);
    return made;
  }

  schedulerSuite('one of many processes', { exact: false, cadenceMs: 60 }, async () => {
    const [scheduler] = await schedulers(1);
    if (scheduler === undefined) throw new Error('none was made');
    return { scheduler, nowMs: () => Date.now(), pass: (ms) => clock.sleep(ms) };
  });

  test('run in one process at a time, whoever triggers, and in more than one over time', async () => {
    const all = await schedulers(3);
    const { seen, jobOf, does } = sharedJob({ everyMs: 10 });
    does(() => clock.sleep(3));
    for (const [process, scheduler] of all.entries()) scheduler.add(jobOf(process));
    await Promise.all(all.flatMap((scheduler) => [scheduler.trigger('job'), scheduler.trigger('job')]));
    await until(() => seen.runs > 60 && seen.by.size > 1);
    expect(seen.runningMax).toBe(1);
  });

  test('keep one cadence, however many processes have them', async () => {
    const all = await schedulers(4);
    const { seen, jobOf } = sharedJob({ everyMs: 250 });
    const startedMs = clock.monotonicMs();
    for (const [process, scheduler] of all.entries()) scheduler.add(jobOf(process));
    await until(() => seen.runs === 4);
    expect(clock.monotonicMs() - startedMs).toBeGreaterThanOrEqual(1_000);
  });

  test('tell every process how far a run is, and how it ended to who triggered it', async () => {
    const [one, other] = await schedulers(2);
    const { jobOf, does, seen } = sharedJob();
    const end = Promise.withResolvers<void>();
    does(async (_signal, report) => {
      report({ share: 0.25, text: '1 of 4 groups' });
      await end.promise;
      throw new Error('no luck');
    });
    one?.add(jobOf(1));
    const first = one?.trigger('job').catch((error: unknown) => error);
    await until(() => seen.running === 1);
    other?.add(jobOf(2));
    await until(async () => (await other?.progress('job'))?.share === 0.25);
    expect(await other?.progress('job')).toEqual({ share: 0.25, text: '1 of 4 groups' });
    const second = other?.trigger('job').catch((error: unknown) => error);
    end.resolve();
    expect(await first).toMatchObject({ message: 'no luck' });
    expect(await second).toMatchObject({ message: 'no luck' });
    expect(seen.runs).toBe(2);
  });

  test('are cancelled from any process', async () => {
    const [one, other] = await schedulers(2);
    const { jobOf, does, seen } = sharedJob();
    does(untilStopped);
    one?.add(jobOf(1));
    const triggered = one?.trigger('job').catch((error: unknown) => error);
    await until(() => seen.running === 1);
    other?.add(jobOf(2));
    await other?.cancel('job');
    expect(await triggered).toMatchObject({ code: 'run-cancelled' });
    expect(seen).toMatchObject({ runs: 1, running: 0 });
  });

  test('of a process that closes are run by another at once, and who waits does not notice', async () => {
    const [one, other] = await schedulers(2);
    const { jobOf, does, seen } = sharedJob();
    does(untilStopped);
    one?.add(jobOf(1));
    void one?.trigger('job').catch(() => {});
    await until(() => seen.running === 1);
    other?.add(jobOf(2));
    const waiting = other?.trigger('job');
    does(() => Promise.resolve());
    await one?.close();
    await waiting;
    expect([...seen.by]).toEqual([1, 2]);
    expect(seen.runningMax).toBe(1);
  });

  test('that only one of the processes has come to that one', async () => {
    const [one, other] = await schedulers(2);
    const { jobOf, seen } = sharedJob({ everyMs: 20 });
    one?.add({ ...sharedJob().jobOf(1), name: 'another' });
    other?.add(jobOf(2));
    await until(() => seen.runs > 3);
    await other?.trigger('job');
    expect([...seen.by]).toEqual([2]);
  });

  test('take another cadence at once, when it is shorter', async () => {
    const [scheduler] = await schedulers(1);
    const { jobOf, seen } = sharedJob();
    scheduler?.add(jobOf(1));
    await until(async () => (await redis().client.keys('*:q:delayed')).length > 0);
    await scheduler?.remove('job');
    scheduler?.add({ ...jobOf(1), everyMs: 50 });
    await until(() => seen.runs > 1);
  });

  test('are there again after Redis was emptied, and a trigger that waits gets its run', async () => {
    const [scheduler] = await schedulers(1);
    const { jobOf, does, seen } = sharedJob({ everyMs: 200 });
    const end = Promise.withResolvers<void>();
    does(() => end.promise);
    scheduler?.add(jobOf(1));
    await until(() => seen.running === 1);
    const waiting = scheduler?.trigger('job');
    await until(async () => (await redis().client.keys('*:asked:job')).length > 0);
    await redis().client.flushall();
    end.resolve();
    await waiting;
    const before = seen.runs;
    await until(() => seen.runs > before + 2);
    expect(seen.runningMax).toBe(1);
  });
});

describe('a Redis that comes and goes', async () => {
  await describeOnRedis('under jobs', (redis) => {
    const others: TestRedis[] = [];
    afterEach(() => Promise.all(others.splice(0).map((other) => other.stop())));
    async function another(settings: readonly string[]): Promise<TestRedis> {
      const started = await startTestRedis(settings);
      others.push(started);
      return started;
    }

    test('is told, waited for and taken back empty, and a trigger meanwhile is refused', async () => {
      const { telemetry, logged, isConnected } = watchedTelemetry();
      const options = { url: redis().url, prefix: prefix(), queue: 'q', clock, tuning: TUNING, telemetry };
      const scheduler = await bullmqScheduler(options);
      const { jobOf, seen } = sharedJob({ everyMs: 50 });
      scheduler.add(jobOf(1));
      await until(() => seen.runs > 1);
      expect(await isConnected()).toBe(true);
      await redis().kill();
      await until(() => logged('redis is away') === 1);
      expect(await isConnected()).toBe(false);
      await expect(scheduler.trigger('job')).rejects.toMatchObject({ code: 'schedule-unavailable' });
      await expect(scheduler.cancel('job')).rejects.toMatchObject({ code: 'schedule-unavailable' });
      const before = seen.runs;
      await redis().restart({ empty: true });
      await until(() => logged('redis is back') === 1);
      await until(() => seen.runs > before + 2);
      await scheduler.trigger('job');
      expect(seen.runningMax).toBe(1);
      await redis().kill();
      await until(() => logged('redis is away') === 2);
      await scheduler.close();
      expect(seen.running).toBe(0);
      await redis().restart();
    }, 60_000);

    test('may be away when a process starts: its jobs run once it is there', async () => {
      await redis().kill();
      const { telemetry, logged } = watchedTelemetry();
      const options = { url: redis().url, prefix: prefix(), queue: 'q', clock, tuning: TUNING, telemetry };
      const [scheduler, never] = [await bullmqScheduler(options), await bullmqScheduler(options)];
      const { jobOf, seen } = sharedJob({ everyMs: 20 });
      scheduler.add(jobOf(1));
      never.add(jobOf(2));
      expect(logged('redis is away')).toBeGreaterThan(0);
      // One that ends before Redis came leaves nothing behind.
      await never.close();
      await redis().restart();
      await until(() => seen.runs > 2);
      await scheduler.close();
    }, 60_000);

    test('that evicts keys is refused with what to change', async () => {
      const evicting = await another(['--maxmemory-policy', 'allkeys-lru']);
      const { telemetry } = watchedTelemetry();
      const opening = bullmqScheduler({ url: evicting.url, prefix: 'p', queue: 'q', clock, telemetry });
      const message = expect.stringContaining('set maxmemory-policy noeviction') as string;
      await expect(opening).rejects.toMatchObject({ code: 'schedule-unsuitable', message });
    });

    test('that wants a password is refused when it is not given, and taken with it', async () => {
      const closed = await another(['--requirepass', 'p@ss']);
      const { telemetry } = watchedTelemetry();
      const options = { prefix: 'p', queue: 'q', clock, telemetry };
      await expect(bullmqScheduler({ ...options, url: closed.url })).rejects.toMatchObject({
        code: 'schedule-unsuitable',
      });
      const scheduler = await bullmqScheduler({ ...options, url: closed.url.replace('//', '//:p%40ss@') });
      const { jobOf, seen } = sharedJob();
      scheduler.add(jobOf(1));
      await scheduler.trigger('job');
      expect(seen.runs).toBe(1);
      await scheduler.close();
    });
  });

  await describeOnRedis('under processes', (redis) => {
    const started: ChildProcess[] = [];
    afterEach(() => {
      for (const child of started.splice(0)) child.kill('SIGKILL');
    });

    /** One that has the job's turn. */
    async function runner(at: string): Promise<ChildProcess & { said(): string }> {
      const file = new URL('job-process.ts', import.meta.url).pathname;
      const child = spawn(process.execPath, [file, redis().url, at, String(TUNING.lockMs)], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      started.push(child);
      let told = '';
      child.stdout?.on('data', (text: Buffer) => {
        told += text.toString();
      });
      await until(() => told.includes('running'));
      return Object.assign(child, { said: () => told });
    }

    test.each(['SIGKILL', 'SIGSTOP'] as const)(
      'gives the turn of one that got %s to another within twice its lock',
      async (signal) => {
        const at = prefix();
        const child = await runner(at);
        const { telemetry } = watchedTelemetry();
        const scheduler = await bullmqScheduler({
          url: redis().url,
          prefix: at,
          queue: 'q',
          clock,
          telemetry,
          tuning: TUNING,
        });
        const { jobOf, seen } = sharedJob();
        scheduler.add(jobOf(1));
        const waiting = scheduler.trigger('job');
        await clock.sleep(TUNING.lockMs);
        expect(seen.runs).toBe(0);
        child.kill(signal);
        const fromMs = clock.monotonicMs();
        await waiting;
        expect(seen.runs).toBeGreaterThan(0);
        expect(clock.monotonicMs() - fromMs).toBeLessThan(2 * TUNING.lockMs + 2_000);
        if (signal === 'SIGSTOP') {
          // It wakes up with a run whose turn another has had, and breaks it off.
          expect(child.said()).not.toContain('stopped');
          child.kill('SIGCONT');
          await until(() => child.said().includes('stopped'));
        }
        await scheduler.close();
      },
      60_000,
    );

    test.each(['there', 'away'] as const)('lets one end by itself after close while it is %s', async (how) => {
      const child = await runner(prefix());
      if (how === 'away') await redis().kill();
      const exited = once(child, 'exit');
      child.kill('SIGTERM');
      expect(await exited).toEqual([0, null]);
      if (how === 'away') await redis().restart();
    });
  });
});
