/**
 * Batches on their way to an engine: gathered to a few MiB, each lot in a file of its own, so that a busy event loop is asked rarely.
 */
import { open } from 'node:fs/promises';
import { MIB } from '../model/limits.ts';
import type { RecordBatch } from '../model/record-batch.ts';
import { batchFrames } from './frames.ts';

const LOT_BYTES = 4 * MIB;

export interface Lot {
  /** True when the lot is full. */
  add(batch: RecordBatch): boolean;
  readonly isEmpty: () => boolean;
  /** Writes the lot to a new file and empties it. */
  write(path: string): Promise<void>;
}

export function lot(): Lot {
  let pieces: Uint8Array[] = [];
  let bytes = 0;
  return {
    add(batch) {
      for (const piece of batchFrames(batch)) {
        pieces.push(piece);
        bytes += piece.length;
      }
      return bytes >= LOT_BYTES;
    },
    isEmpty: () => bytes === 0,
    async write(path) {
      let left = pieces;
      pieces = [];
      bytes = 0;
      const file = await open(path, 'wx');
      try {
        while (left.length > 0) left = behind(left, (await file.writev(left)).bytesWritten);
      } finally {
        await file.close();
      }
    },
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
