/** What became of replayed rows, counted: those that fit now by the reason they were rejected for, the others by today's. */
import type { RejectCount, RejectedRow } from '../model/data-file.ts';
import type { ReplayReport } from '../ports/deliveries.ts';

type Failed = ReplayReport['failed'][number];
type Reason = Pick<RejectedRow, 'code' | 'column'>;

export interface Fates {
  fits(row: RejectedRow): void;
  /** `row` as it was rejected now. */
  fails(row: RejectedRow): void;
  /** Adds what others counted. */
  add(other: Fates): void;
  replayed(): readonly RejectCount[];
  failed(): readonly Failed[];
}

export function fates(): Fates {
  const good = new Map<string, RejectCount>();
  const bad = new Map<string, Failed>();

  function addGood(count: RejectCount): void {
    const key = `${count.code}/${count.column ?? ''}`;
    good.set(key, { ...count, rows: count.rows + (good.get(key)?.rows ?? 0) });
  }
  function addBad(group: Failed): void {
    const key = `${group.code}/${group.column ?? ''}`;
    const held = bad.get(key);
    bad.set(key, held === undefined ? group : { ...held, rows: held.rows + group.rows });
  }

  return {
    fits: (row) => addGood(countOf(row)),
    fails: (row) => addBad({ ...countOf(row), example: { shard: row.shard, offset: row.offset, reason: row.reason } }),
    add(other) {
      for (const count of other.replayed()) addGood(count);
      for (const group of other.failed()) addBad(group);
    },
    replayed: () => [...good.values()],
    failed: () => [...bad.values()],
  };
}

/** One row as a count. */
export function countOf({ code, column }: Reason): RejectCount {
  return { code, ...(column === null ? {} : { column }), rows: 1 };
}

export function rowsIn(counts: readonly { readonly rows: number }[]): number {
  return counts.reduce((sum, { rows }) => sum + rows, 0);
}
