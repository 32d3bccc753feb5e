/** What every `Scheduler` does, whatever keeps its cadence. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Job, Scheduler } from '../../src/ports/scheduler.ts';

export interface SchedulerFixture {
  readonly scheduler: Scheduler;
  /** Lets this much time pass for the scheduler. */
  pass(ms: number): Promise<void>;
}

/** Something another part of a test waits for. */
function gate(): { readonly opened: Promise<void>; open(): void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { opened: promise, open: () => resolve() };
}

export function schedulerSuite(name: string, setUp: () => Promise<SchedulerFixture>): void {
  describe(`${name} as a scheduler`, () => {
    let scheduler: Scheduler;
    let pass: (ms: number) => Promise<void>;

    beforeEach(async () => {
      const fixture = await setUp();
      scheduler = fixture.scheduler;
      pass = (ms) => fixture.pass(ms);
    });
    afterEach(() => scheduler.close());

    /** A job that records its runs; what a run does can be set while it is scheduled. */
    function aJob(options: Partial<Omit<Job, 'run'>> = {}) {
      const job = {
        name: 'job',
        everyMs: 1_000,
        jitter: 0,
        runs: 0,
        running: 0,
        runningMax: 0,
        work: (_signal: AbortSignal): Promise<void> => Promise.resolve(),
        async run(signal: AbortSignal): Promise<void> {
          job.runs += 1;
          job.running += 1;
          job.runningMax = Math.max(job.runningMax, job.running);
          try {
            await job.work(signal);
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
      const job = aJob();
      await pass(999);
      expect(job.runs).toBe(0);
      await pass(1);
      expect(job.runs).toBe(1);
      await pass(3_000);
      expect(job.runs).toBe(4);
    });

    test('adds at most the jitter to a cadence', async () => {
      const jobs = Array.from({ length: 20 }, (_, i) => aJob({ name: `job-${i}`, jitter: 0.5 }));
      await pass(999);
      expect(jobs.map(({ runs }) => runs).every((runs) => runs === 0)).toBe(true);
      await pass(251);
      const early = jobs.filter(({ runs }) => runs === 1).length;
      expect(early).toBeGreaterThan(0);
      expect(early).toBeLessThan(20);
      await pass(250);
      expect(jobs.every(({ runs }) => runs === 1)).toBe(true);
    });

    test('refuses a name that is taken, and takes it once it is free', async () => {
      aJob();
      expect(() => aJob()).toThrow('job');
      await scheduler.remove('job');
      aJob();
    });

    test('never runs a job beside itself, however long it takes and however often it is triggered', async () => {
      const job = aJob();
      const slow = gate();
      job.work = () => slow.opened;
      await pass(5_000);
      const triggers = [scheduler.trigger('job'), scheduler.trigger('job')];
      await pass(5_000);
      expect([job.runs, job.runningMax]).toEqual([1, 1]);
      slow.open();
      await Promise.all(triggers);
      expect([job.runs, job.runningMax]).toEqual([2, 1]);
    });

    test('never runs a job beside itself when triggers come at any moment of a run', async () => {
      const job = aJob({ everyMs: 1 });
      job.work = async () => {
        for (let i = 0; i < job.runs % 7; i += 1) await Promise.resolve();
      };
      const triggers: Promise<void>[] = [];
      for (let i = 0; i < 200; i += 1) {
        triggers.push(scheduler.trigger('job'));
        for (let turns = 0; turns < i % 11; turns += 1) await Promise.resolve();
        if (i % 20 === 0) await pass(1);
      }
      await Promise.all(triggers);
      expect(job.runningMax).toBe(1);
    });

    test('goes on after a run that throws', async () => {
      const job = aJob();
      job.work = () => Promise.reject(new Error('no luck'));
      await pass(3_000);
      expect(job.runs).toBe(3);
    });

    test('runs a job at once when it is triggered, and resolves with the end of that run', async () => {
      const job = aJob();
      const slow = gate();
      job.work = () => slow.opened;
      let ended = false;
      const triggered = scheduler.trigger('job').then(() => {
        ended = true;
      });
      await pass(0);
      expect([job.runs, ended]).toEqual([1, false]);
      slow.open();
      await triggered;
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
      await pass(1_000);
      const removing = scheduler.remove('job').then(() => order.push('removed'));
      await pass(0);
      expect(order).toEqual(['aborted']);
      expect(() => aJob()).toThrow('job');
      slow.open();
      await removing;
      expect(order).toEqual(['aborted', 'ended', 'removed']);
      await pass(10_000);
      expect(job.runs).toBe(1);
      await scheduler.remove('job');
    });

    test('rejects triggers that wait when the job is removed', async () => {
      const job = aJob();
      const slow = gate();
      job.work = () => slow.opened;
      const first = scheduler.trigger('job');
      const waiting = scheduler.trigger('job').catch((error: unknown) => error);
      const removing = scheduler.remove('job');
      slow.open();
      await Promise.all([first, removing]);
      expect(await waiting).toMatchObject({ code: 'service-stopping' });
      expect(job.runs).toBe(1);
    });

    test('aborts and awaits everything when it closes, any number of times', async () => {
      const jobs = [aJob({ name: 'a' }), aJob({ name: 'b' })];
      for (const job of jobs) {
        job.work = (signal) =>
          new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
      }
      await pass(1_000);
      await Promise.all([scheduler.close(), scheduler.close()]);
      expect(jobs.map(({ runs, running }) => [runs, running])).toEqual([
        [1, 0],
        [1, 0],
      ]);
      await pass(5_000);
      expect(jobs.map(({ runs }) => runs)).toEqual([1, 1]);
      expect(() => aJob({ name: 'c' })).toThrow('closed');
      await expect(scheduler.trigger('a')).rejects.toMatchObject({ code: 'service-stopping' });
    });
  });
}
