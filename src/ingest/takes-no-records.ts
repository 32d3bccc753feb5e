/** How a process without the role `ingest` refuses records, on both protocols. */
import { LakewardError } from '../model/errors.ts';

export function takesNoRecords(): LakewardError {
  return new LakewardError(
    'role-missing',
    'this process takes no records: its roles leave out ingest; send them to a process that has it',
  );
}
