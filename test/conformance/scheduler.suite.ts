/** What every `Scheduler` does, whatever keeps its cadence. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Job, Scheduler } from '../../src/ports/scheduler.ts';

export interface SchedulerFixture {
  readonly scheduler: Scheduler;
  /** Time as the scheduler has it. */
  nowMs(): number;
  /** Lets this much time pass for the scheduler. */
  pass(ms: number): Promise<void>;
}

export interface SchedulerTraits {
  /** Time stands still but for `pass`, and a run comes exactly when it is due. */
  readonly exact: boolean;
  /** One that a test can wait for some times. */
  readonly cadenceMs: number;
}

/** Something another part of a test waits for. */
function gate(): { readonly opened: Promise<void>; open(): void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { opened: promise, open: () => resolve() };
}

export function schedulerSuite(name: string, traits: SchedulerTraits, setUp: () => Promise<SchedulerFixture>): void {
  const { exact, cadenceMs } = traits;
  /** For jobs that only triggers run: in real time a turn must not come between. */
  const seldomMs = exact ? cadenceMs : 3_600_000;

  describe(`${name} as a scheduler`, () => {
    let fixture: SchedulerFixture;
    let scheduler: Scheduler;

    beforeEach(async () => {
      fixture = await setUp();
      ({ scheduler } = fixture);
    });
    afterEach(() => scheduler.close());

    const pass = (ms: number): Promise<void> => fixture.pass(ms);

    /** Lets time pass, little by little, until it is so. */
    async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
      for (let turns = 0; !(await isSo()); turns += 1) {
        if (turns > 5_000) throw new Error('it never came to be so');
        await pass(exact ? cadenceMs / 1000 : 5);
      }
    }

    /** A job that records its runs; what a run does can be set while it is scheduled. */
    function aJob(options: Partial<Omit<Job, 'run'>> = {}) {
      const job = {
        name: 'job',
        everyMs: seldomMs,
        jitter: 0,
        runs: 0,
        running: 0,
        runningMax: 0,
        /** When it was added, and when its runs began. */
        timesMs: [fixture.nowMs()],
        work: (..._given: Parameters<Job['run']>): Promise<void> => Promise.resolve(),
        async run(...given: Parameters<Job['run']>): Promise<void> {
          job.runs += 1;
          job.running += 1;
          job.runningMax = Math.max(job.runningMax, job.running);
          job.timesMs.push(fixture.nowMs());
          try {
            await job.work(...given);
          } finally {
            job.running -= 1;
          }
        },
        ...options,
      };
      scheduler.add(job);
      return job;
    }

    test('runs a job for the first time after one cadence, and then at each', async () => {
      const job = aJob({ everyMs: cadenceMs });
      await until(() => job.runs === 4);
      const gapsMs = job.timesMs.slice(1).map((timeMs, i) => timeMs - (job.timesMs[i] ?? 0));
      expect(Math.min(...gapsMs)).toBeGreaterThanOrEqual(cadenceMs);
      if (exact) expect(gapsMs).toEqual([cadenceMs, cadenceMs, cadenceMs, cadenceMs]);
    });

    test('adds at most the jitter to a cadence', async () => {
      const jobs = Array.from({ length: 20 }, (_, i) => aJob({ name: `job-${i}`, everyMs: cadenceMs, jitter: 0.5 }));
      await until(() => jobs.every(({ runs }) => runs > 0));
      const waitsMs = jobs.map(({ timesMs: [addedMs = 0, startedMs = 0] }) => startedMs - addedMs);
      expect(Math.min(...waitsMs)).toBeGreaterThanOrEqual(cadenceMs);
      expect(Math.max(...waitsMs) - Math.min(...waitsMs)).toBeGreaterThan(cadenceMs / 10);
      if (exact) expect(Math.max(...waitsMs)).toBeLessThanOrEqual(cadenceMs * 1.5);
    });

    test('refuses a name that is taken, and takes it once it is free', async () => {
      aJob();
      expect(() => aJob()).toThrow('job');
      await scheduler.remove('job');
      aJob();
    });

    test('never runs a job beside itself, however long it takes and however often it is triggered', async () => {
      const job = aJob({ everyMs: cadenceMs });
      const slow = gate();
      job.work = () => slow.opened;
      await until(() => job.runs === 1);
      const triggers = [scheduler.trigger('job'), scheduler.trigger('job')];
      await pass(cadenceMs * 4);
      expect([job.runs, job.runningMax]).toEqual([1, 1]);
      slow.open();
      await Promise.all(triggers);
      expect(job.runs).toBeGreaterThan(1);
      if (exact) expect(job.runs).toBe(2);
      expect(job.runningMax).toBe(1);
    });

    test('never runs a job beside itself when triggers come at any moment of a run', async () => {
      const job = aJob({ everyMs: 1 });
      job.work = async () => {
        for (let i = 0; i < job.runs % 7; i += 1) await Promise.resolve();
      };
      const triggers: Promise<void>[] = [];
      for (let i = 0; i < (exact ? 200 : 40); i += 1) {
        triggers.push(scheduler.trigger('job'));
        for (let turns = 0; turns < i % 11; turns += 1) await Promise.resolve();
        if (i % 20 === 0) await pass(1);
      }
      await Promise.all(triggers);
      expect(job.runningMax).toBe(1);
    });

    test('goes on after a run that throws', async () => {
      const job = aJob({ everyMs: cadenceMs });
      job.work = () => Promise.reject(new Error('no luck'));
      await until(() => job.runs === 3);
    });

    test('runs a job at once when it is triggered, and resolves with the end of that run', async () => {
      const job = aJob();
      const slow = gate();
      job.work = () => slow.opened;
      let ended = false;
      const triggered = scheduler.trigger('job').then(() => {
        ended = true;
      });
      await until(() => job.runs === 1);
      if (exact) expect(job.timesMs[1]).toBe(job.timesMs[0]);
      expect(ended).toBe(false);
      slow.open();
      await triggered;
    });

    test('tells a run whether it was asked for or its turn came', async () => {
      const job = aJob({ everyMs: cadenceMs });
      const told: boolean[] = [];
      job.work = async (_signal, _report, asked) => {
        told.push(asked);
      };
      await until(() => told.length === 1);
      await scheduler.trigger('job');
      expect(told[0]).toBe(false);
      expect(told).toContain(true);
    });

    test('rejects a trigger with what the run threw', async () => {
      const job = aJob();
      job.work = () => Promise.reject(new Error('no luck'));
      await expect(scheduler.trigger('job')).rejects.toThrow('no luck');
    });

    test('runs once more for triggers that come during a run, also when that run fails', async () => {
      const job = aJob();
      const slow = gate();
      job.work = async () => {
        if (job.runs > 1) return;
        await slow.opened;
        throw new Error('no luck');
      };
      const first = scheduler.trigger('job');
      await until(() => job.runs === 1);
      const later = [scheduler.trigger('job'), scheduler.trigger('job'), scheduler.trigger('job')];
      const failed = first.catch((error: unknown) => error);
      slow.open();
      expect(await failed).toMatchObject({ message: 'no luck' });
      await Promise.all(later);
      expect(job.runs).toBe(2);
    });

    test('rejects a trigger of a job that is not there', async () => {
      await expect(scheduler.trigger('nothing')).rejects.toThrow('nothing');
    });

    test('aborts and awaits the run of a job that is removed, and never runs it again', async () => {
      const job = aJob();
      const order: string[] = [];
      const slow = gate();
      job.work = async (signal) => {
        signal.addEventListener('abort', () => order.push('aborted'));
        await slow.opened;
        order.push('ended');
      };
      const triggered = scheduler.trigger('job');
      await until(() => job.runs === 1);
      const removing = scheduler.remove('job').then(() => order.push('removed'));
      await pass(0);
      expect(order).toEqual(['aborted']);
      expect(() => aJob()).toThrow('job');
      slow.open();
      await Promise.all([triggered, removing]);
      expect(order).toEqual(['aborted', 'ended', 'removed']);
      await pass(cadenceMs * 4);
      expect(job.runs).toBe(1);
      await scheduler.remove('job');
    });

    test('rejects triggers that wait when the job is removed', async () => {
      const job = aJob();
      const slow = gate();
      job.work = () => slow.opened;
      const first = scheduler.trigger('job');
      await until(() => job.runs === 1);
      const waiting = scheduler.trigger('job').catch((error: unknown) => error);
      const removing = scheduler.remove('job');
      slow.open();
      await Promise.all([first, removing]);
      expect(await waiting).toMatchObject({ code: 'service-stopping' });
      expect(job.runs).toBe(1);
    });

    test('tells how far the run under way is, and nothing when none is', async () => {
      const job = aJob();
      const [half, rest] = [gate(), gate()];
      job.work = async (_signal, report) => {
        await half.opened;
        report({ share: 0.5, text: '3 of 6 files' });
        await rest.opened;
      };
      expect(await scheduler.progress('job')).toBeUndefined();
      const triggered = scheduler.trigger('job');
      await until(() => job.runs === 1);
      expect(await scheduler.progress('job')).toEqual({ share: 0, text: '' });
      half.open();
      await until(async () => (await scheduler.progress('job'))?.share === 0.5);
      expect(await scheduler.progress('job')).toEqual({ share: 0.5, text: '3 of 6 files' });
      rest.open();
      await triggered;
      await until(async () => (await scheduler.progress('job')) === undefined);
      await expect(scheduler.progress('nothing')).rejects.toThrow('nothing');
    });

    test('cancels the run under way, awaits it, and runs the job again at its next turn', async () => {
      const job = aJob({ everyMs: cadenceMs });
      let ended = 0;
      job.work = (signal) =>
        new Promise((_, reject) =>
          signal.addEventListener('abort', () => {
            ended += 1;
            reject(signal.reason);
          }),
        );
      await scheduler.cancel('job');
      await until(() => job.runs === 1);
      await scheduler.cancel('job');
      expect(ended).toBe(1);
      job.work = () => Promise.resolve();
      await until(() => job.runs > 1);
    });

    test('rejects a trigger whose run is cancelled', async () => {
      const job = aJob();
      job.work = (signal) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
      const triggered = scheduler.trigger('job').catch((error: unknown) => error);
      await until(() => job.runs === 1);
      await scheduler.cancel('job');
      expect(await triggered).toMatchObject({ code: 'run-cancelled' });
      await expect(scheduler.cancel('nothing')).rejects.toThrow('nothing');
    });

    test('aborts and awaits everything when it closes, any number of times', async () => {
      const jobs = [aJob({ name: 'a', everyMs: cadenceMs }), aJob({ name: 'b', everyMs: cadenceMs })];
      for (const job of jobs) {
        job.work = (signal) =>
          new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
      }
      await until(() => jobs.every(({ runs }) => runs === 1));
      await Promise.all([scheduler.close(), scheduler.close()]);
      expect(jobs.map(({ runs, running }) => [runs, running])).toEqual([
        [1, 0],
        [1, 0],
      ]);
      await pass(cadenceMs * 4);
      expect(jobs.map(({ runs }) => runs)).toEqual([1, 1]);
      expect(() => aJob({ name: 'c' })).toThrow('closed');
      await expect(scheduler.trigger('a')).rejects.toMatchObject({ code: 'service-stopping' });
    });
  });
}
