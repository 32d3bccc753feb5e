/**
 * What becomes of rejected rows before they are committed: whether the delivery stops at the first, and whether there are too many of
 * them. Pure. The error budget looks at any `rows` rows in a row, inside a landing exactly, across landings with the share of each; it
 * knows the newest landings from the log, so a restart forgets nothing and meets the same rows with the same answer.
 */
import type { RejectCount } from '../model/data-file.ts';
import type { DeliverySpec, RejectBudget } from '../model/delivery.ts';
import { LakewardError } from '../model/errors.ts';
import { type RecentLanding, rowsOf } from '../landing/reject-counts.ts';
import type { ConvertResult } from '../ports/converter.ts';

type Rejected = NonNullable<ConvertResult['rejected']>;

/** Throws `row-rejected` or `reject-budget-exceeded` when a landing with these rejects may not be committed. */
export function checkRejects(
  spec: DeliverySpec,
  converted: Pick<ConvertResult, 'rows' | 'rejected'>,
  recent: readonly RecentLanding[],
): void {
  const { rejected } = converted;
  if (rejected === undefined) return;
  if (spec.rejects?.mode === 'suspend') throw firstRejected(spec.name, rejected);
  const budget = spec.rejects?.budget;
  if (budget === undefined) return;
  const most = rejectsInWindow(budget, converted.rows + rejected.rows, rejected, recent);
  if (most > budget.share * budget.rows) throw overBudget(spec.name, budget, most, rejected);
}

/** The most rejects among so many rows in a row that end within this landing. */
function rejectsInWindow(
  budget: RejectBudget,
  rows: number,
  rejected: Pick<Rejected, 'rows' | 'densest'>,
  recent: readonly RecentLanding[],
): number {
  if (rows >= budget.rows) return rejected.densest;
  let room = budget.rows - rows;
  let rejects = rejected.rows;
  for (const landing of recent.toReversed()) {
    if (room <= 0 || landing.letThrough === true) break;
    rejects += rowsOf(landing.rejects) * Math.min(1, room / landing.rows);
    room -= landing.rows;
  }
  return rejects;
}

function firstRejected(delivery: string, { first, rows, reasons }: Rejected): LakewardError {
  const more = rows === 1 ? '' : ` (with it ${rows} of this landing: ${listed(reasons)})`;
  const ways =
    "nothing of this landing is committed. Change the schema so that it fits, or set rejects.mode to 'reject' to set such rows aside or to 'skip' to only count them; `lakeward delivery resume` tries again";
  return new LakewardError('row-rejected', `${delivery}: ${example(first)}${more}; ${ways}`, {
    details: { first, reasons },
  });
}

function overBudget(delivery: string, budget: RejectBudget, most: number, rejected: Rejected): LakewardError {
  const what = `${Math.round(most)} of ${budget.rows} rows in a row do not fit, more than ${budget.share * 100} %`;
  const ways =
    'nothing of this landing is committed. Change the schema or the budget, or let what waits now through once with `lakeward delivery resume`';
  const message = `${delivery}: ${what}; in this landing ${listed(rejected.reasons)}, for example ${example(rejected.first)}; ${ways}`;
  return new LakewardError('reject-budget-exceeded', message, {
    details: { first: rejected.first, reasons: rejected.reasons },
  });
}

const REASONS_TOLD = 5;

function listed(reasons: readonly RejectCount[]): string {
  const most = reasons.toSorted((a, b) => b.rows - a.rows);
  const told = most.slice(0, REASONS_TOLD).map(({ code, column, rows }) => {
    return `${rows} ${code}${column === undefined ? '' : ` (${column})`}`;
  });
  return most.length > REASONS_TOLD ? `${told.join(', ')}, …` : told.join(', ');
}

function example({ code, column, shard, offset, reason }: Rejected['first']): string {
  return `${code}${column === null ? '' : ` in column ${column}`} at offset ${offset} of shard ${shard}: ${reason}`;
}
