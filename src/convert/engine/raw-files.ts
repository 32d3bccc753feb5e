/**
 * Raw files: the bytes of the records as they came, one file a partition, with the separator behind each record. Rows gather in one
 * arena and go to their files when it is full, so that memory and open files do not grow with partitions. Files are compressed as a
 * whole when all rows are in. Knows nothing of what the bytes mean.
 */
import { closeSync, createReadStream, createWriteStream, openSync, rmSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip, createZstdCompress } from 'node:zlib';
import { MIB } from '../../model/limits.ts';
import type { ConvertedFile, ConvertJob } from '../../ports/converter.ts';
import type { Partition } from './partitions.ts';

export interface RawFiles {
  add(partition: Partition, bytes: Buffer, from: number, to: number): void;
  /** Writes out what is gathered and compresses. `alive` is called before each file, with its bytes. */
  finish(alive: (bytes: number) => void): Promise<ConvertedFile[]>;
}

const ARENA_BYTES = 8 * MIB;

interface RawFile {
  readonly local: string;
  readonly partition: Partition;
  /** Where its rows lie in the arena: from, to, from, to, … */
  pieces: number[];
}

export function openRawFiles({ directory, compression, separator }: ConvertJob): RawFiles {
  const behind = Buffer.from(separator ?? '');
  const files: (RawFile | undefined)[] = [];
  let arena: Buffer | undefined;
  let gathered: Buffer | undefined;
  let used = 0;

  function fileOf(partition: Partition): RawFile {
    const known = files[partition.number];
    if (known !== undefined) return known;
    const fresh = { local: join(directory, `raw-${partition.number}`), partition, pieces: [] };
    files[partition.number] = fresh;
    return fresh;
  }

  function add(partition: Partition, bytes: Buffer, from: number, to: number): void {
    const file = fileOf(partition);
    const length = to - from + behind.length;
    if (used + length > ARENA_BYTES) flush();
    if (length > ARENA_BYTES) {
      append(file.local, bytes.subarray(from, to));
      append(file.local, behind);
      return;
    }
    arena ??= Buffer.allocUnsafeSlow(ARENA_BYTES);
    const begin = used;
    used += bytes.copy(arena, used, from, to);
    used += behind.copy(arena, used);
    const { pieces } = file;
    if (pieces.at(-1) === begin) pieces[pieces.length - 1] = used;
    else pieces.push(begin, used);
  }

  function flush(): void {
    if (arena === undefined) return;
    gathered ??= Buffer.allocUnsafeSlow(ARENA_BYTES);
    for (const file of files) {
      if (file === undefined || file.pieces.length === 0) continue;
      let length = 0;
      for (let i = 0; i < file.pieces.length; i += 2) {
        length += arena.copy(gathered, length, file.pieces[i], file.pieces[i + 1]);
      }
      append(file.local, gathered.subarray(0, length));
      file.pieces = [];
    }
    used = 0;
  }

  async function finish(alive: (bytes: number) => void): Promise<ConvertedFile[]> {
    flush();
    const converted: ConvertedFile[] = [];
    for (const file of files) {
      if (file === undefined) continue;
      const { rows, text, eventMinMs, eventMaxMs } = file.partition;
      const local = await compressed(file.local, compression, alive);
      const bytes = statSync(local).size;
      converted.push({ local, partition: text, rows, bytes, eventMinMs, eventMaxMs, columns: [] });
    }
    return converted;
  }

  return { add, finish };
}

/** Makes the file with the first row, also when that has no bytes. */
function append(path: string, bytes: Uint8Array): void {
  const fd = openSync(path, 'a');
  try {
    for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done);
  } finally {
    closeSync(fd);
  }
}

async function compressed(
  path: string,
  compression: ConvertJob['compression'],
  alive: (bytes: number) => void,
): Promise<string> {
  if (compression === 'none') return path;
  alive(statSync(path).size);
  const target = `${path}.compressed`;
  const codec = compression === 'zstd' ? createZstdCompress() : createGzip();
  await pipeline(createReadStream(path), codec, createWriteStream(target));
  rmSync(path);
  return target;
}
