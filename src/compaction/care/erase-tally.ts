/** What one pass of an erasure over the files found and did. */
export interface EraseTally {
  readonly searchedFiles: number;
  readonly searchedRows: number;
  /** Their statistics leave no room for the values. */
  readonly prunedFiles: number;
  /** Of format raw: nobody knows where a row ends. */
  readonly rawFiles: number;
  /** Files that have a column, or `_extra`, for the field. */
  readonly fieldFiles: number;
  readonly matchedFiles: number;
  readonly matchedRows: number;
  readonly rewrittenFiles: number;
  /** With nothing left in them. */
  readonly removedFiles: number;
  readonly rejectedFiles: number;
  readonly rejectedRows: number;
  /** Rejected rows that are no JSON, so that nobody can tell whose they are. */
  readonly unreadableRejects: number;
  /** Replaced files that stayed for readers of a list, and go at once. */
  readonly hastenedFiles: number;
  /** Landed so lately that a copy may be under way: not touched yet. */
  readonly waitingFiles: number;
  readonly waitingRows: number;
  /** Taken by another process meanwhile: looked at again. */
  readonly again: number;
  /** Named by the log, and not in the lake. */
  readonly missing: readonly string[];
}

export const NO_TALLY: EraseTally = {
  searchedFiles: 0,
  searchedRows: 0,
  prunedFiles: 0,
  rawFiles: 0,
  fieldFiles: 0,
  matchedFiles: 0,
  matchedRows: 0,
  rewrittenFiles: 0,
  removedFiles: 0,
  rejectedFiles: 0,
  rejectedRows: 0,
  unreadableRejects: 0,
  hastenedFiles: 0,
  waitingFiles: 0,
  waitingRows: 0,
  again: 0,
  missing: [],
};

export function found(hasField: boolean): Pick<EraseTally, 'fieldFiles'> {
  return { fieldFiles: hasField ? 1 : 0 };
}

export function tallied(a: EraseTally, b: Partial<EraseTally>): EraseTally {
  const sum: Record<string, unknown> = { ...a };
  for (const [key, value] of Object.entries(b)) {
    const held = sum[key];
    sum[key] = typeof value === 'number' ? Number(held) + value : [...(held as string[]), ...value];
  }
  return sum as unknown as EraseTally;
}
