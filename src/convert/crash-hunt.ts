/**
 * Finding the records an engine dies on: the rows are tried in halves, each on a fresh engine, until a single record is left that
 * kills it. Pure search; `survives` runs the work. Bounded by the number of tries, because each may cost an engine.
 */

/** Rows [from, to) in the order of the batches. */
export interface RowRange {
  readonly from: number;
  readonly to: number;
}

/**
 * Rows of `range` that kill the engine by themselves, ascending. Empty when all of them survive alone: then the death was no row's
 * fault. Undefined when `triesMax` were not enough.
 */
export async function findDeadlyRows(
  range: RowRange,
  survives: (range: RowRange) => Promise<boolean>,
  triesMax: number,
): Promise<number[] | undefined> {
  const deadly: number[] = [];
  const open = [range];
  for (let tries = 0; open.length > 0; tries++) {
    const next = open.pop() as RowRange;
    if (next.from >= next.to) continue;
    if (tries === triesMax) return deadly.length > 0 ? deadly : undefined;
    if (await survives(next)) continue;
    if (next.to - next.from === 1) {
      deadly.push(next.from);
      continue;
    }
    const middle = (next.from + next.to) >>> 1;
    open.push({ from: middle, to: next.to }, { from: next.from, to: middle });
  }
  return deadly;
}
