/** The metrics of compaction, each under the delivery's name. */
import type { CompactionPlan, CompactionRun } from '../ports/compactions.ts';
import type { Telemetry } from '../ports/telemetry.ts';
import type { GroupOutcome } from './execute.ts';

export interface CompactionMetrics {
  planned(plan: CompactionPlan): void;
  merged(outcome: GroupOutcome): void;
  run(outcome: CompactionRun['outcome'], tookMs: number): void;
}

const SECONDS = [0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600];

// biome-ignore format: one line a metric
export function compactionMetrics(telemetry: Telemetry, delivery: string): CompactionMetrics {
  const labels = ['delivery'];
  const name = (rest: string): string => `lakeward_compaction_${rest}`;
  const runs = telemetry.counter({ name: name('runs_total'), help: 'Runs of compaction, by outcome.', labels: ['delivery', 'outcome'] });
  const took = telemetry.histogram({ name: name('run_seconds'), help: 'Time of a run of compaction.', labels, buckets: SECONDS });
  const replaced = telemetry.counter({ name: name('files_replaced_total'), help: 'Files that merged ones took the place of.', labels });
  const made = telemetry.counter({ name: name('files_made_total'), help: 'Merged files.', labels });
  const read = telemetry.counter({ name: name('read_bytes_total'), help: 'Bytes of replaced files.', labels });
  const written = telemetry.counter({ name: name('written_bytes_total'), help: 'Bytes of merged files.', labels });
  const waiting = telemetry.gauge({ name: name('waiting_bytes'), help: 'Bytes of files to be merged when the newest run began.', labels });
  const files = telemetry.gauge({ name: name('live_files'), help: 'Live data files when the newest run began.', labels });
  return {
    planned: (plan) => {
      waiting.set(plan.rewrittenBytes, { delivery });
      files.set(plan.filesBefore, { delivery });
    },
    merged: (outcome) => {
      replaced.add(outcome.filesBefore, { delivery });
      made.add(outcome.filesAfter, { delivery });
      read.add(outcome.bytesBefore, { delivery });
      written.add(outcome.bytesAfter, { delivery });
    },
    run: (outcome, tookMs) => {
      runs.add(1, { delivery, outcome });
      took.observe(tookMs / 1000, { delivery });
    },
  };
}
