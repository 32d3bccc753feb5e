/** What the commands of compaction print, and where they ask. */
import type { CompactionPlan, CompactionRun, CompactionStatus } from '../../app/control-answers.ts';
import { deliveryPath } from '../delivery/status-text.ts';
import { count, duration, plural, size, time } from '../wording.ts';

export function compactionPath(delivery: string): string {
  return `${deliveryPath(delivery)}/compaction`;
}

export function planText(plan: CompactionPlan): string {
  const { filesBefore, filesAfter, rewrittenBytes, bytes } = plan;
  if (plan.groupsInAll === 0) return `${plural(filesBefore, 'file')} (${size(bytes)}), nothing to merge now`;
  return `${count(filesBefore)} → ${plural(filesAfter, 'file')}, ${size(rewrittenBytes)} of ${size(bytes)} written anew`;
}

export function runText(run: CompactionRun): string {
  const { filesBefore, filesAfter, bytesBefore, bytesAfter, outcome } = run;
  const what =
    filesBefore === 0
      ? 'nothing merged'
      : `${count(filesBefore)} → ${plural(filesAfter, 'file')}, ${size(bytesBefore)} → ${size(bytesAfter)}, ${plural(run.rows, 'row')}`;
  const failed = run.groupsFailed === 0 ? '' : `, ${plural(run.groupsFailed, 'group')} left as they were`;
  const why = run.reason === undefined ? '' : ` (${run.reason})`;
  return `${outcome} at ${time(run.startedMs + run.tookMs)} after ${duration(run.tookMs)}: ${what}${failed}${why}`;
}

export function statusText({ running, last }: CompactionStatus): string[] {
  const now = running === undefined ? 'not running' : `running, ${Math.floor(running.share * 100)} %, ${running.text}`;
  return [now, last === undefined ? 'no run yet' : `last run ${runText(last)}`];
}
