/**
 * Scratch folders of the delivery stage on the local disk: one fresh folder a landing under one parent that this process alone
 * uses. Nothing in them is needed after a restart, so what is left behind is swept at the start.
 */
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ScratchFolders } from '../delivery/scratch.ts';
import type { Clock } from '../ports/clock.ts';

export function scratchFolders(options: { readonly folder: string; readonly clock: Clock }): ScratchFolders {
  const { folder, clock } = options;
  return {
    async make() {
      const path = join(folder, clock.uuid());
      await mkdir(path, { recursive: true });
      return path;
    },
    async write(path, bytes) {
      const whole = `${path}.${clock.uuid()}`;
      await writeFile(whole, bytes);
      await rename(whole, path);
    },
    read: (path) => readFile(path),
    move: (from, to) => rename(from, to),
    remove: (path) => rm(path, { recursive: true, force: true }),
    async sweep() {
      await mkdir(folder, { recursive: true });
      for (const name of await readdir(folder)) await rm(join(folder, name), { recursive: true, force: true });
    },
  };
}
