/** What one pass of an erasure over the files found and did. */
import type { EraseReport } from '../../ports/lake-care.ts';

type Counts = Omit<EraseReport, 'kind' | 'dryRun' | 'field' | 'values' | 'missingFiles' | 'proof' | 'audit'>;

export type EraseTally = Counts & {
  /** Taken by another process meanwhile: looked at again. */
  readonly again: number;
  /** Named by the log, and not in the lake. */
  readonly missing: readonly string[];
};

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
