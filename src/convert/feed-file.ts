/**
 * The file in an engine's folder through which it gets the batches of one command. They are gathered to a few MiB a write, so that a
 * busy event loop is asked rarely; the disk bounds what lies ahead of the engine, not memory.
 */
import { open, rm } from 'node:fs/promises';
import { MIB } from '../model/limits.ts';
import type { RecordBatch } from '../model/record-batch.ts';
import { batchFrames } from './frames.ts';

export interface FeedFile {
  /** Takes a batch; gives the bytes that were written now, 0 while it gathers. */
  add(batch: RecordBatch): Promise<number>;
  /** Writes what was gathered; gives its bytes. */
  flush(): Promise<number>;
  close(): Promise<void>;
  remove(): Promise<void>;
}

const GATHERED_BYTES = 4 * MIB;

export async function openFeed(path: string): Promise<FeedFile> {
  const file = await open(path, 'w');
  let pieces: Uint8Array[] = [];
  let gathered = 0;

  async function flush(): Promise<number> {
    const bytes = gathered;
    let left = pieces;
    pieces = [];
    gathered = 0;
    while (left.length > 0) left = behind(left, (await file.writev(left)).bytesWritten);
    return bytes;
  }

  return {
    async add(batch) {
      for (const piece of batchFrames(batch)) {
        pieces.push(piece);
        gathered += piece.length;
      }
      return gathered < GATHERED_BYTES ? 0 : await flush();
    },
    flush,
    close: () => file.close(),
    remove: () => rm(path, { force: true }),
  };
}

/** What is left of the pieces when so many bytes of them are written. */
function behind(pieces: readonly Uint8Array[], written: number): Uint8Array[] {
  let done = written;
  for (const [i, piece] of pieces.entries()) {
    if (done < piece.length) return [piece.subarray(done), ...pieces.slice(i + 1)];
    done -= piece.length;
  }
  return [];
}
