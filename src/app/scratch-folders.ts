/**
 * Scratch folders of the delivery stage on the local disk: one fresh folder a landing under one parent that this process alone
 * uses. Nothing in them is needed after a restart, so what is left behind is swept at the start.
 */
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { ScratchFolders } from '../delivery/scratch.ts';
import type { Clock } from '../ports/clock.ts';

const WRITE_BYTES = 256 * 1024;

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
    async writePieces(path, pieces) {
      let bytes = 0;
      async function* counted(): AsyncGenerator<Uint8Array> {
        for await (const piece of pieces) {
          bytes += piece.byteLength;
          yield piece;
        }
      }
      await pipeline(counted(), createWriteStream(path, { highWaterMark: WRITE_BYTES }));
      return bytes;
    },
    readPieces: (path) => createReadStream(path),
    async sweep() {
      await mkdir(folder, { recursive: true });
      for (const name of await readdir(folder)) await rm(join(folder, name), { recursive: true, force: true });
    },
  };
}
