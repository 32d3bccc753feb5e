/**
 * A scheduler for one process: every job has a loop that sleeps its cadence and runs it. Cadence counts from the end of a run, so
 * a slow job never catches up with itself; a turn that comes while a triggered run is under way is left out.
 *
 *   idle ──turn or trigger──► running ──end──► idle
 *                               │ trigger: one more run follows, shared by all who asked meanwhile
 *   any ──remove, close──► aborted: the run under way is awaited, waiting triggers reject
 */
import { LakewardError } from '../../model/errors.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Job, Scheduler } from '../../ports/scheduler.ts';
import type { Telemetry } from '../../ports/telemetry.ts';

export interface IntervalSchedulerOptions {
  readonly clock: Clock;
  readonly telemetry: Telemetry;
}

interface Runner {
  trigger(): Promise<void>;
  stop(reason: LakewardError): Promise<void>;
}

export function intervalScheduler({ clock, telemetry }: IntervalSchedulerOptions): Scheduler {
  const runners = new Map<string, Runner>();
  let closed: Promise<void> | undefined;
  const measured = measuredRuns(clock, telemetry);

  return {
    add(job) {
      if (closed !== undefined) throw stopping();
      if (runners.has(job.name)) throw new Error(`a job '${job.name}' is scheduled already`);
      runners.set(job.name, startRunner(job, clock, measured));
    },
    async remove(name) {
      const runner = runners.get(name);
      if (runner === undefined) return;
      await runner.stop(new LakewardError('service-stopping', `the job '${name}' was removed`));
      // Only now may the name be taken again: never two runs under one name.
      if (runners.get(name) === runner) runners.delete(name);
    },
    async trigger(name) {
      const runner = runners.get(name);
      if (runner === undefined) throw closed === undefined ? new Error(`no job '${name}' is scheduled`) : stopping();
      await runner.trigger();
    },
    close() {
      closed ??= Promise.all([...runners.values()].map((runner) => runner.stop(stopping()))).then(() =>
        runners.clear(),
      );
      return closed;
    },
  };
}

type MeasuredRun = (job: Job, signal: AbortSignal) => Promise<void>;

function startRunner(job: Job, clock: Clock, run: MeasuredRun): Runner {
  const stopped = new AbortController();
  const { signal } = stopped;
  let running: Promise<void> | undefined;
  let following: Promise<void> | undefined;

  function start(): Promise<void> {
    signal.throwIfAborted();
    running = run(job, signal).finally(() => {
      running = undefined;
    });
    return running;
  }

  async function runAfter(earlier: Promise<void> | undefined): Promise<void> {
    await earlier?.catch(() => undefined);
    following = undefined;
    await start();
  }

  async function keepCadence(): Promise<void> {
    while (!signal.aborted) {
      // An abort ends the sleep and with it the loop.
      const slept = await clock.sleep(job.everyMs * (1 + job.jitter * clock.random()), signal).then(
        () => true,
        () => false,
      );
      if (!slept) return;
      // A failed run was told by whoever ran it; the job comes again.
      await (following ?? running ?? start()).catch(() => undefined);
    }
  }

  const cadence = keepCadence();
  return {
    async trigger() {
      if (running === undefined && following === undefined) return start();
      following ??= runAfter(running);
      return following;
    },
    async stop(reason) {
      stopped.abort(reason);
      await Promise.allSettled([running, following, cadence]);
    },
  };
}

/** Runs a job, counting how it ends; a failure is logged and thrown on to who asked for the run. */
function measuredRuns(clock: Clock, telemetry: Telemetry): MeasuredRun {
  const runs = telemetry.counter({
    name: 'lakeward_schedule_runs_total',
    help: 'Runs of scheduled jobs by how they ended.',
    labels: ['job', 'outcome'],
  });
  const durations = telemetry.histogram({
    name: 'lakeward_schedule_run_seconds',
    help: 'Time a run of a scheduled job took.',
    labels: ['job'],
    buckets: [0.01, 0.1, 1, 10, 60, 600],
  });
  return async (job, signal) => {
    const startedMs = clock.monotonicMs();
    const labels = { job: job.name };
    try {
      await job.run(signal);
      runs.add(1, { ...labels, outcome: 'done' });
    } catch (error) {
      runs.add(1, { ...labels, outcome: signal.aborted ? 'aborted' : 'failed' });
      if (!signal.aborted) telemetry.log.error('scheduled job failed', { ...labels, error });
      throw error;
    } finally {
      durations.observe((clock.monotonicMs() - startedMs) / 1000, labels);
    }
  };
}

function stopping(): LakewardError {
  return new LakewardError('service-stopping', 'the scheduler is closed');
}
