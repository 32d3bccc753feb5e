/**
 * A scheduler for one process: every job has a loop that sleeps its cadence and runs it. Cadence counts from the end of a run, so
 * a slow job never catches up with itself; a turn that comes while a triggered run is under way is left out.
 *
 *   idle ──turn or trigger──► running ──end──► idle
 *                               │ trigger: one more run follows, shared by all who asked meanwhile
 *                               │ cancel: this run is aborted and awaited, no other
 *   any ──remove, close──► aborted: the run under way is awaited, waiting triggers reject
 */
import type { LakewardError } from '../../model/errors.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Job, Progress, Scheduler } from '../../ports/scheduler.ts';
import type { Telemetry } from '../../ports/telemetry.ts';
import { type MeasuredRun, measuredRuns } from '../measured-run.ts';
import { cancelled, removed, stopping, taken, unknownJob } from '../schedule-errors.ts';

export interface IntervalSchedulerOptions {
  readonly clock: Clock;
  readonly telemetry: Telemetry;
}

const NOTHING_TOLD: Progress = { share: 0, text: '' };

interface Runner {
  trigger(): Promise<void>;
  progress(): Progress | undefined;
  cancel(reason: LakewardError): Promise<void>;
  stop(reason: LakewardError): Promise<void>;
}

export function intervalScheduler({ clock, telemetry }: IntervalSchedulerOptions): Scheduler {
  const runners = new Map<string, Runner>();
  let closed: Promise<void> | undefined;
  const measured = measuredRuns(clock, telemetry);

  function known(name: string): Runner {
    const runner = runners.get(name);
    if (runner === undefined) throw closed === undefined ? unknownJob(name) : stopping();
    return runner;
  }

  return {
    add(job) {
      if (closed !== undefined) throw stopping();
      if (runners.has(job.name)) throw taken(job.name);
      runners.set(job.name, startRunner(job, clock, measured));
    },
    async remove(name) {
      const runner = runners.get(name);
      if (runner === undefined) return;
      await runner.stop(removed(name));
      // Only now may the name be taken again: never two runs under one name.
      if (runners.get(name) === runner) runners.delete(name);
    },
    trigger: async (name) => known(name).trigger(),
    progress: async (name) => known(name).progress(),
    cancel: async (name) => known(name).cancel(cancelled(name)),
    close() {
      closed ??= Promise.all([...runners.values()].map((runner) => runner.stop(stopping()))).then(() =>
        runners.clear(),
      );
      return closed;
    },
  };
}

function startRunner(job: Job, clock: Clock, run: MeasuredRun): Runner {
  const stopped = new AbortController();
  const { signal } = stopped;
  let running: Promise<void> | undefined;
  let following: Promise<void> | undefined;
  let told: Progress = NOTHING_TOLD;
  let cancelling = new AbortController();

  function start(asked: boolean): Promise<void> {
    signal.throwIfAborted();
    told = NOTHING_TOLD;
    cancelling = new AbortController();
    const report = (progress: Progress): void => {
      told = progress;
    };
    const ended = run(job, AbortSignal.any([signal, cancelling.signal]), report, asked);
    running = ended.finally(() => {
      running = undefined;
    });
    return running;
  }

  async function runAfter(earlier: Promise<void> | undefined): Promise<void> {
    await earlier?.catch(() => undefined);
    following = undefined;
    await start(true);
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
      await (following ?? running ?? start(false)).catch(() => undefined);
    }
  }

  const cadence = keepCadence();
  return {
    async trigger() {
      if (running === undefined && following === undefined) return start(true);
      following ??= runAfter(running);
      return following;
    },
    progress: () => (running === undefined ? undefined : told),
    async cancel(reason) {
      if (running === undefined) return;
      cancelling.abort(reason);
      await Promise.allSettled([running]);
    },
    async stop(reason) {
      stopped.abort(reason);
      await Promise.allSettled([running, following, cadence]);
    },
  };
}
