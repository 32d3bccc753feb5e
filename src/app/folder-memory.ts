/**
 * What the data folder remembers beside streams and catalog: small JSON files of text to text, written whole by the server that owns the
 * folder. A file that is not there remembers nothing.
 */
import { readFile, rename, writeFile } from 'node:fs/promises';

export async function readMemory(path: string): Promise<Readonly<Record<string, string>>> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as Record<string, string>;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw error;
  }
}

export async function writeMemory(path: string, known: Readonly<Record<string, string>>): Promise<void> {
  await writeFile(`${path}.new`, `${JSON.stringify(known, null, 2)}\n`, { flush: true });
  await rename(`${path}.new`, path);
}
