/**
 * Takes a file of the lake to the local disk, piece by piece, and looks whether it is what landed. One that lies on that disk gets a second
 * name instead: copying a thousand small files costs as much CPU as reading them as tables.
 */
import { crc32 } from 'node:zlib';
import { LakewardError } from '../model/errors.ts';
import type { LakePath } from '../model/lake-path.ts';
import { MIB } from '../model/limits.ts';
import { isEncryptedName } from '../model/object-settings.ts';
import type { CompactionRoom } from './room.ts';

const READ_BYTES = 8 * MIB;

export interface FileToFetch {
  readonly path: LakePath;
  /** CRC-32 of the file, 8 hex digits; absent where nobody knows it. */
  readonly checksum?: string;
  /** In the lake; absent likewise. */
  readonly bytes?: number;
  readonly local: string;
}

/** False when there is no such file. Throws `landing-log-damaged` when it is another. */
export async function fetchFile(
  { lake, scratch }: Pick<CompactionRoom, 'lake' | 'scratch'>,
  { path, checksum, bytes: size, local }: FileToFetch,
  signal: AbortSignal,
): Promise<boolean> {
  let found = 0;
  let isThere = true;
  async function* pieces(): AsyncGenerator<Uint8Array> {
    for (let offset = 0; ; ) {
      // A byte more than there is tells the end; a store may take memory for all that is asked for.
      const length = Math.min(READ_BYTES, size === undefined ? READ_BYTES : Math.max(size - offset, 0) + 1);
      const bytes = await lake.read(path, { signal, offset, length });
      isThere = bytes !== undefined;
      if (bytes === undefined) return;
      found = crc32(bytes, found);
      yield bytes;
      offset += bytes.byteLength;
      if (bytes.byteLength < length) return;
    }
  }
  if (await lake.link?.(path, local, { signal })) for await (const _ of pieces());
  else await scratch.writePieces(local, pieces());
  // Of an encrypted file the checksum is that of what lies in the lake; its own tags were checked.
  const isKnown = checksum !== undefined && !isEncryptedName(path);
  if (!isThere || !isKnown || found.toString(16).padStart(8, '0') === checksum) return isThere;
  throw new LakewardError('landing-log-damaged', `${path} is not what landed; restore it from a backup`);
}
