/**
 * A run as every scheduler does it: counted by how it ends, timed, and logged when it fails. The failure is thrown on to who asked for
 * the run. Owns the metrics of runs, not when they are.
 */
import type { Clock } from '../ports/clock.ts';
import type { Job } from '../ports/scheduler.ts';
import type { Telemetry } from '../ports/telemetry.ts';

export type MeasuredRun = (job: Job, ...given: Parameters<Job['run']>) => Promise<void>;

export function measuredRuns(clock: Clock, telemetry: Telemetry): MeasuredRun {
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
  return async (job, ...given) => {
    const [signal] = given;
    const startedMs = clock.monotonicMs();
    const labels = { job: job.name };
    try {
      await job.run(...given);
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
