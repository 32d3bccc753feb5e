/**
 * Rejected rows counted by reason, as the log's entries tell them: over the delivery's life, and of the newest landings one by one.
 * Folded from entries, so every process counts the same and a restart forgets nothing. Bounded: beyond so many groups a reason is
 * counted by its code alone, and only so many landings are remembered.
 */
import type { RejectCount } from '../model/data-file.ts';
import type { Entry } from './entry.ts';

const GROUPS_MAX = 500;
const RECENT_MAX = 128;

export interface RejectGroup {
  readonly code: RejectCount['code'];
  readonly column?: string;
  /** Rows set aside in files, … */
  readonly rejected: number;
  /** … rows counted only, … */
  readonly skipped: number;
  /** … and rows of those set aside that have landed since. */
  readonly replayed: number;
}

export interface RecentLanding {
  readonly timeMs: number;
  /** All rows of the landing, with those that were rejected. */
  readonly rows: number;
  readonly rejects: readonly RejectCount[];
  /** Let through by an operator: the error budget counts anew behind it. */
  readonly letThrough?: true;
}

export interface RejectCounts {
  readonly groups: readonly RejectGroup[];
  /** Oldest first. */
  readonly recent: readonly RecentLanding[];
}

export const NO_REJECTS: RejectCounts = { groups: [], recent: [] };

type Tally = 'rejected' | 'skipped' | 'replayed';

export function countLanding(counts: RejectCounts, entry: Entry & { readonly kind: 'append' }): RejectCounts {
  const rejected = entry.rejected.flatMap(({ reasons }) => reasons);
  const skipped = entry.skipped ?? [];
  const rejects = [...rejected, ...skipped];
  const rows = entry.files.reduce((sum, file) => sum + file.rows, 0) + rowsOf(rejects);
  const { timeMs, letThrough } = entry;
  const landing = { timeMs, rows, rejects, ...(letThrough === undefined ? {} : { letThrough }) };
  return {
    groups: add(add(counts.groups, rejected, 'rejected', 1), skipped, 'skipped', 1),
    recent: rows === 0 ? counts.recent : [...counts.recent, landing].slice(-RECENT_MAX),
  };
}

/** Rows that landed after all, or, with `undone`, did not. */
export function countReplay(counts: RejectCounts, replayed: readonly RejectCount[], undone = false): RejectCounts {
  return { ...counts, groups: add(counts.groups, replayed, 'replayed', undone ? -1 : 1) };
}

export function rowsOf(counts: readonly { readonly rows: number }[]): number {
  return counts.reduce((sum, { rows }) => sum + rows, 0);
}

/** The same reasons of several files as one count each. */
export function summed(counts: readonly RejectCount[]): RejectCount[] {
  const sums = new Map<string, RejectCount>();
  for (const count of counts) {
    const key = keyOf(count);
    sums.set(key, { ...count, rows: count.rows + (sums.get(key)?.rows ?? 0) });
  }
  return [...sums.values()];
}

function add(
  groups: readonly RejectGroup[],
  counts: readonly RejectCount[],
  tally: Tally,
  sign: 1 | -1,
): readonly RejectGroup[] {
  if (counts.length === 0) return groups;
  const table = new Map(groups.map((group) => [keyOf(group), group]));
  for (const { code, column, rows } of counts) {
    const whole = column === undefined ? { code } : { code, column };
    const name = table.has(keyOf(whole)) || table.size < GROUPS_MAX ? whole : { code };
    const held = table.get(keyOf(name)) ?? { ...name, rejected: 0, skipped: 0, replayed: 0 };
    table.set(keyOf(name), { ...held, [tally]: Math.max(0, held[tally] + sign * rows) });
  }
  return [...table.values()];
}

function keyOf({ code, column }: { readonly code: string; readonly column?: string }): string {
  return `${code}/${column ?? ''}`;
}
