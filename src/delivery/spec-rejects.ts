/** The part of a specification that says what becomes of rejected rows. */
import type { RejectBudget, RejectMode, RejectRule } from '../model/delivery.ts';
import type { SpecReader } from './spec-fields.ts';

const MODES: readonly RejectMode[] = ['reject', 'suspend', 'skip'];
const BUDGET: RejectBudget = { share: 0.05, rows: 1000 };
const ROWS = { min: 1, max: 1_000_000, accepted: '1 to 1000000' };
const SHARE_ACCEPTED = 'a share of rows from 0 to 1, as 0.05';

/** `mode` alone may stand for the whole. */
export function readRejects(read: SpecReader, value: unknown): RejectRule {
  const given = read.object('rejects', typeof value === 'string' ? { mode: value } : value, ['mode', 'budget']) ?? {};
  const mode = read.choice('rejects.mode', given['mode'] ?? 'reject', { accepted: MODES, standIn: 'reject' });
  return given['budget'] === undefined ? { mode } : { mode, budget: readBudget(read, given['budget']) };
}

function readBudget(read: SpecReader, value: unknown): RejectBudget {
  const given = read.object('rejects.budget', value, ['share', 'rows']) ?? {};
  const share = given['share'] ?? BUDGET.share;
  const isShare = typeof share === 'number' && share >= 0 && share <= 1;
  return {
    share: isShare ? share : read.fault({ path: 'rejects.budget.share', value: share, accepted: SHARE_ACCEPTED }, 0),
    rows: read.quantity('rejects.budget.rows', given['rows'] ?? BUDGET.rows, ROWS),
  };
}
