/** What the landing log knows, as the policy takes it: every live data file of a delivery that has the form the delivery gives its files now. */
import type { LandingLog } from '../landing/landing-log.ts';
import type { CompactionRule, DeliverySpec } from '../model/delivery.ts';
import type { CallOptions } from '../ports/call-options.ts';
import type { CompactionPlan } from '../ports/compactions.ts';
import { type CandidateFile, chooseGroups, type MergeGroup } from './policy.ts';
import type { CompactionRoom } from './room.ts';

/** Bytes that one run writes anew; the rest is left to the next. */
const RUN_BYTES_MAX = 16 * 1024 ** 3;
const GROUPS_TOLD = 100;

export interface Planned {
  readonly told: CompactionPlan;
  /** Of one run. */
  readonly groups: readonly MergeGroup[];
}

export async function planMerges(
  { clock, style }: CompactionRoom,
  of: { readonly spec: DeliverySpec; readonly rule: CompactionRule; readonly log: LandingLog | undefined },
  call?: CallOptions,
): Promise<Planned> {
  const { spec, rule, log } = of;
  const files: CandidateFile[] = [];
  const extension = style.extension(spec);
  let others = 0;
  let bytes = 0;
  await log?.eachFile(({ file, ...state }) => {
    bytes += file.bytes;
    if (!file.path.endsWith(extension)) {
      others++;
      return;
    }
    const { path, partition, rows, eventMinMs, eventMaxMs, planVersion, checksum } = file;
    const facts = { path, partition, rows, bytes: file.bytes, eventMinMs, eventMaxMs, planVersion, checksum };
    files.push({ ...facts, ...state });
  }, call);
  // Late rows that are held are about to come: a partition is merged with them, not before and after.
  const awaited = new Set(log?.view().held.map(({ file }) => file.partition));
  const candidates = files.map((file) => (awaited.has(file.partition) ? { ...file, open: true } : file));
  const all = chooseGroups(candidates, { ...rule, nowMs: clock.nowMs() });
  const groups = firstOf(all);
  const taken = all.reduce((sum, group) => sum + group.files.length, 0);
  const told: CompactionPlan = {
    delivery: spec.name,
    filesBefore: files.length + others,
    filesAfter: files.length + others - taken + all.length,
    bytes,
    rewrittenBytes: all.reduce((sum, group) => sum + group.bytes, 0),
    groups: all.slice(0, GROUPS_TOLD).map((group) => ({ ...group, files: group.files.length })),
    groupsInAll: all.length,
    groupsInRun: groups.length,
  };
  return { told, groups };
}

function firstOf(all: readonly MergeGroup[]): MergeGroup[] {
  let bytes = 0;
  return all.filter((group, i) => {
    bytes += group.bytes;
    return i === 0 || bytes <= RUN_BYTES_MAX;
  });
}
