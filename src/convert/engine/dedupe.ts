/**
 * Duplicates within one conversion: a record is one when a row with its id landed before, or stands before it in the conversion, and
 * arrived no more than the window earlier, to the second. Rows count, not duplicates: the window does not slide with resends. A
 * row that is rejected has no say. Holds the ids of the conversion's own rows until they are written out.
 */
import type { ConvertDedupe, ConvertResult } from '../../ports/converter.ts';
import { readEventKey } from './event-key.ts';
import { fieldPath } from './field-path.ts';
import { writeKeyFiles } from './key-file.ts';
import type { KeyTable } from './key-table.ts';
import { keyTable } from './key-table.ts';
import type { RecordMembers } from './record-members.ts';

export interface Dedupe {
  /** Whether the record scanned last is a duplicate, counting it. */
  isDuplicate(bytes: Buffer, members: RecordMembers, arrivalMs: number): boolean;
  /** The record asked about last becomes a row. */
  landed(): void;
  finish(directory: string): NonNullable<ConvertResult['dedupe']>;
}

export function startDedupe(job: ConvertDedupe, known: KeyTable, slots: readonly string[]): Dedupe {
  const path = fieldPath(job.key, slots);
  const windowSeconds = Math.ceil(job.windowMs / 1000);
  const own = keyTable();
  const key = { a: 0, b: 0, c: 0 };
  let second = 0;
  let keyed = false;
  let duplicateRows = 0;
  let unkeyedRows = 0;

  return {
    isDuplicate(bytes, members, arrivalMs) {
      keyed = readEventKey(bytes, members, path, key);
      if (!keyed) return false;
      second = Math.max(1, Math.floor(arrivalMs / 1000));
      const seen = own.get(key) || known.get(key);
      if (seen === 0 || second - seen > windowSeconds) return false;
      duplicateRows++;
      return true;
    },
    landed() {
      if (keyed) own.set(key, second);
      else unkeyedRows++;
    },
    finish: (directory) => ({ duplicateRows, unkeyedRows, files: writeKeyFiles(directory, own) }),
  };
}
