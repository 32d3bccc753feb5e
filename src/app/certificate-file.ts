/** The file of a certificate authority that a key of the configuration names. */
import { readFile } from 'node:fs/promises';
import type { ErrorCode } from '../model/errors.ts';
import { LakewardError } from '../model/errors.ts';

/** PEM text. Throws `code`, naming the key. */
export async function certificateFile(file: string, key: string, code: ErrorCode): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new LakewardError(code, `the file of ${key} cannot be read (${(cause as Error).message})`, { cause });
  }
}
