/**
 * Finding the records a conversion fails on: the rows are tried in halves until single records are left that fail by themselves,
 * twice. Pure search; `survives` runs the work. Bounded by tries, because each may cost an engine, and by what it may blame: when
 * many rows fail, the fault is the job's and none of them is guilty.
 */
import type { RowRange } from './row-ranges.ts';

export interface HuntLimits {
  readonly triesMax: number;
  /** More guilty rows than this are a fault of the job. */
  readonly guiltyMax: number;
}

/** From so many rows on a sample is tried first: halving would find the fault of a job only row by row. */
const SAMPLED_ROWS_MIN = 33;
const SAMPLE_ROWS = 8;

/**
 * Rows among the first `count` that fail by themselves, ascending; those found so far when the tries end. Empty when all survive
 * alone. Undefined when too many fail.
 */
export async function findDeadlyRows(
  count: number,
  survives: (range: RowRange) => Promise<boolean>,
  { triesMax, guiltyMax }: HuntLimits,
): Promise<number[] | undefined> {
  if (count >= SAMPLED_ROWS_MIN && (await mostFail(count, survives))) return undefined;
  const deadly: number[] = [];
  // All of them together have failed already.
  const open = halves({ from: 0, to: count });
  for (let tries = 0; open.length > 0 && tries < triesMax; tries++) {
    const next = open.pop() as RowRange;
    if (next.from >= next.to || (await survives(next))) continue;
    if (next.to - next.from > 1) {
      open.push(...halves(next));
      continue;
    }
    tries++;
    if (await survives(next)) continue;
    deadly.push(next.from);
    if (deadly.length > guiltyMax) return undefined;
  }
  return deadly;
}

/** The second first, as the last one is tried next. */
function halves({ from, to }: RowRange): RowRange[] {
  const middle = (from + to) >>> 1;
  return [
    { from: middle, to },
    { from, to: middle },
  ];
}

/** Whether half of some rows, spread evenly, fail by themselves. */
async function mostFail(count: number, survives: (range: RowRange) => Promise<boolean>): Promise<boolean> {
  let failed = 0;
  for (let i = 0; i < SAMPLE_ROWS; i++) {
    const from = Math.floor(((i + 0.5) * count) / SAMPLE_ROWS);
    if (!(await survives({ from, to: from + 1 }))) failed++;
    if (failed * 2 >= SAMPLE_ROWS) return true;
    if ((failed + SAMPLE_ROWS - 1 - i) * 2 < SAMPLE_ROWS) return false;
  }
  return false;
}
