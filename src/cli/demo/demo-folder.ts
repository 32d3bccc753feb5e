/**
 * The folder a demo plays in: made anew each time. An existing folder is only removed when a marker file says that an earlier demo
 * made it; anything else is somebody's data.
 */
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { LakewardError } from '../../model/errors.ts';

const MARKER = '.lakeward-demo';

/** Gives the absolute path of the empty folder. Throws `argument-invalid` for a folder that is not a demo's. */
export async function freshDemoFolder(path: string): Promise<string> {
  const folder = resolve(path);
  const entries = await readdir(folder).catch((error: NodeJS.ErrnoException): string[] => {
    if (error.code === 'ENOENT') return [];
    throw new LakewardError('argument-invalid', `${folder} cannot be used: ${error.message}`, { cause: error });
  });
  if (entries.length > 0 && !entries.includes(MARKER)) {
    throw new LakewardError(
      'argument-invalid',
      `${folder} is not empty and was not made by a demo, so it stays; name another with --folder`,
    );
  }
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, MARKER), 'Made by `lakeward demo`, which removes this folder when it runs again.\n');
  return folder;
}
