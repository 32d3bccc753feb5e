/**
 * One run over a delivery: plan, then group after group, each an entry of its own. Whatever ends a run, what was merged stays merged and
 * the next run goes on with the rest: nothing is kept between runs but the log.
 */
import { type CompactionRule, type DeliverySpec, isMergeable } from '../model/delivery.ts';
import { isLakewardError, type LakewardError } from '../model/errors.ts';
import type { CompactionRun } from '../ports/compactions.ts';
import { added, type GroupOutcome, mergeGroup } from './execute.ts';
import type { CompactionMetrics } from './metrics.ts';
import { planMerges } from './plan.ts';
import { bytesOf, type MergeGroup } from './policy.ts';
import type { CompactionRoom } from './room.ts';

export interface RunOrder {
  readonly room: CompactionRoom;
  readonly spec: DeliverySpec;
  readonly rule: CompactionRule;
  readonly metrics: CompactionMetrics;
  /** Groups that a run of this process could not merge; they are left alone until their files change. */
  readonly stubborn: Set<string>;
  readonly signal: AbortSignal;
  readonly report: (progress: { readonly share: number; readonly text: string }) => void;
}

/** Never throws: the outcome tells. */
export async function runCompaction(order: RunOrder): Promise<CompactionRun> {
  const { room, spec, metrics, signal } = order;
  const { clock } = room;
  const startedMs = clock.nowMs();
  const began = clock.monotonicMs();
  const log = room.telemetry.log.child({ room: 'compaction', delivery: spec.name });
  let sum: GroupOutcome = { filesBefore: 0, bytesBefore: 0, filesAfter: 0, bytesAfter: 0, rows: 0 };
  const counts = { groups: 0, groupsFailed: 0 };
  let outcome: CompactionRun['outcome'] = 'done';
  let reason: string | undefined;
  try {
    await eachGroup(order, async (group, merge) => {
      try {
        const merged = await merge();
        counts.groups += merged.filesAfter > 0 ? 1 : 0;
        sum = added(sum, merged);
        metrics.merged(merged);
      } catch (error) {
        if (signal.aborted || !isLakewardError(error) || !isOfGroup(error)) throw error;
        counts.groupsFailed++;
        reason ??= `${group.partition}: ${error.message}`;
        order.stubborn.add(keyOf(group));
        log.warn('files cannot be merged', { partition: group.partition, reason: error.message });
      }
    });
  } catch (error) {
    outcome = signal.aborted ? 'cancelled' : 'failed';
    reason = error instanceof Error ? error.message : String(error);
    if (outcome === 'failed') log.error('a compaction failed', { error });
  }
  const tookMs = Math.round(clock.monotonicMs() - began);
  metrics.run(outcome, tookMs);
  const run = { startedMs, tookMs, outcome, ...(reason === undefined ? {} : { reason }), ...counts, ...sum };
  if (counts.groups > 0) log.info('compacted', { ...run });
  return run;
}

async function eachGroup(
  order: RunOrder,
  visit: (group: MergeGroup, merge: () => Promise<GroupOutcome>) => Promise<void>,
): Promise<void> {
  const { room, spec, rule, metrics, signal, report } = order;
  if (!isMergeable(spec.format)) return;
  const log = await room.openLog(spec.name, { signal });
  if (log === undefined) return;
  await log.maintain({ signal });
  const { told, groups } = await planMerges(room, { spec, rule, log }, { signal });
  metrics.planned(told);
  const wanted = groups.filter((group) => !order.stubborn.has(keyOf(group)));
  const total = bytesOf(wanted);
  let done = 0;
  for (const [i, group] of wanted.entries()) {
    signal.throwIfAborted();
    report({ share: total === 0 ? 0 : done / total, text: `${i + 1}/${wanted.length} ${group.partition}` });
    await visit(group, () => mergeGroup({ room, spec, rule, log, signal }, group));
    done += group.bytes;
  }
}

const OF_GROUP: ReadonlySet<string> = new Set([
  'convert-failed',
  'encrypted-file-damaged',
  // Of another time than the others, perhaps.
  'key-missing',
  'landing-log-damaged',
]);

/** Faults of these files, not of the lake as a whole. */
export function isOfGroup({ code }: LakewardError): boolean {
  return OF_GROUP.has(code);
}

function keyOf({ files }: MergeGroup): string {
  return files.map(({ path }) => path).join();
}
