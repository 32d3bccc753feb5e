/** A file of JSON that a command line names. */
import { readFile } from 'node:fs/promises';
import { UsageError } from './exit-code.ts';

/** Throws `UsageError` when it cannot be read or is no JSON. */
export async function jsonFile(path: string): Promise<unknown> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw new UsageError(`${path} cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown reason'})`);
  }
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new UsageError(`${path} is no JSON: ${(error as Error).message}`);
  }
}
