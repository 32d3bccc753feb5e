/**
 * A lake in memory: the model of what a `LakeStore` does, which the conformance suite and the property tests compare with. Every
 * method takes effect at one instant. Nothing survives the process.
 */
import { readFile, rm } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { LakewardError } from '../../model/errors.ts';
import type { LakePath } from '../../model/lake-path.ts';
import type { Clock } from '../../ports/clock.ts';
import type { LakeStore, ListedFile, StageHandle } from '../../ports/lake-store.ts';
import { comparePaths } from '../path-order.ts';

const LIST_MAX = 1000;

export interface MemoryStoreOptions {
  readonly clock: Clock;
  /** Gives the bytes of a local file and drops it; by default from the disk. */
  readonly takeLocal?: (local: string) => Promise<Uint8Array>;
}

interface Stored {
  readonly bytes: Uint8Array;
  readonly modifiedMs: number;
}

export function memoryStore({ clock, takeLocal = takeFromDisk }: MemoryStoreOptions): LakeStore {
  const files = new Map<LakePath, Stored>();
  const put = (path: LakePath, bytes: Uint8Array): void => {
    files.set(path, { bytes, modifiedMs: clock.nowMs() });
  };

  return {
    async create(path, bytes, options) {
      options?.signal?.throwIfAborted();
      if (files.has(path)) return 'exists';
      put(path, bytes.slice());
      return 'created';
    },

    async overwrite(path, bytes, options) {
      options?.signal?.throwIfAborted();
      put(path, bytes.slice());
    },

    async read(path, options) {
      options?.signal?.throwIfAborted();
      const stored = files.get(path);
      if (stored === undefined) return undefined;
      const offset = options?.offset ?? 0;
      return stored.bytes.slice(offset, options?.length === undefined ? undefined : offset + options.length);
    },

    async list(prefix, options) {
      options?.signal?.throwIfAborted();
      const limit = Math.min(options?.limit ?? LIST_MAX, LIST_MAX);
      const after = options?.after;
      const found = [...files.keys()]
        .filter((path) => path.startsWith(prefix) && (after === undefined || comparePaths(path, after) > 0))
        .sort(comparePaths);
      const page = found.slice(0, limit).map((path): ListedFile => {
        const stored = files.get(path);
        return { path, bytes: stored?.bytes.length ?? 0, modifiedMs: stored?.modifiedMs ?? 0 };
      });
      const last = page.at(-1);
      return found.length > page.length && last !== undefined ? { files: page, next: last.path } : { files: page };
    },

    async remove(path, options) {
      options?.signal?.throwIfAborted();
      files.delete(path);
    },

    async stage({ local, staged, final, object }, options): Promise<StageHandle> {
      options?.signal?.throwIfAborted();
      const bytes = await takeLocal(local);
      put(staged, bytes);
      const checksum = crc32(bytes).toString(16).padStart(8, '0');
      return { staged, final, bytes: bytes.length, checksum, ...(object === undefined ? {} : { object }) };
    },

    async publish({ staged, final }, options) {
      options?.signal?.throwIfAborted();
      const stage = files.get(staged);
      if (stage === undefined) return files.has(final) ? 'published' : 'stage-lost';
      put(final, stage.bytes);
      files.delete(staged);
      return 'published';
    },

    async discard({ staged }, options) {
      options?.signal?.throwIfAborted();
      files.delete(staged);
    },
  };
}

async function takeFromDisk(local: string): Promise<Uint8Array> {
  try {
    const bytes = await readFile(local);
    await rm(local);
    return bytes;
  } catch (cause) {
    throw new LakewardError('lake-unavailable', `the local file ${local} cannot be read`, { cause });
  }
}
