/** The registered schemas as a file for engines: written anew when one was added, whole or not at all. */
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { SchemaText } from '../model/schema.ts';

export interface SchemaFile {
  /** Its path, once it holds every schema there is at the call; undefined when there is none. */
  current(): Promise<string | undefined>;
}

export function schemaFile(folder: string, schemas: () => readonly SchemaText[]): SchemaFile {
  const path = join(folder, 'schemas.json');
  let written = 0;
  let writing: Promise<void> = Promise.resolve();

  async function write(): Promise<void> {
    const all = schemas();
    if (all.length === written) return;
    await mkdir(folder, { recursive: true });
    await writeFile(`${path}.new`, JSON.stringify(all));
    await rename(`${path}.new`, path);
    written = all.length;
  }

  return {
    async current() {
      if (schemas().length === 0) return undefined;
      // One at a time; a failure is its caller's.
      const mine = writing.then(write);
      writing = mine.catch(() => undefined);
      await mine;
      return path;
    },
  };
}
