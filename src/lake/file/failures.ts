/**
 * What a failing disk means for a lake: every file-system error becomes `lake-unavailable` (the landing is retried) with a message
 * that tells the operator what to do, or `lake-unsuitable` when the file system lacks hard links. An abort stays an abort.
 */
import { LakewardError } from '../../model/errors.ts';
import { failureCode } from './file-system.ts';

const ADVICE: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full; free space and landing goes on by itself',
  EDQUOT: 'the disk quota is used up; free space or raise it and landing goes on by itself',
  EACCES: 'the server may not write there; give its user the right to and landing goes on by itself',
  EPERM: 'the server may not write there; give its user the right to and landing goes on by itself',
  EROFS: 'the file system is mounted read-only; mount it writable and landing goes on by itself',
  EIO: 'the disk reports an input/output error; check the disk and the kernel log',
  EMFILE: 'the process has too many files open; raise its limit of open files',
  ENFILE: 'the machine has too many files open; raise its limit of open files',
};

export function lakeFailure(error: unknown, what: string): unknown {
  if (error instanceof LakewardError) return error;
  const code = failureCode(error);
  if (code === undefined) return error;
  const advice = ADVICE[code] ?? 'the file system refused';
  return new LakewardError('lake-unavailable', `cannot ${what}: ${advice} (${code})`, {
    cause: error,
    details: { systemCode: code },
  });
}

export function lakeGone(folder: string): LakewardError {
  return new LakewardError(
    'lake-unavailable',
    `the lake folder ${folder} is gone or was replaced; it is not made anew, because what landed would land twice: bring it back, or restart the server to decide`,
  );
}

export function linksMissing(folder: string, cause: unknown): LakewardError {
  return new LakewardError(
    'lake-unsuitable',
    `the file system of ${folder} has no hard links, without which one writer cannot be told from two; use another`,
    { cause },
  );
}
