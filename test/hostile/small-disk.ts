/** A disk of a few MiB in memory, where this process may mount one. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { open, rm, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface SmallDisk {
  readonly folder: string;
  /** Takes up space; `unload` gives it back. */
  load(mib: number): Promise<void>;
  unload(): Promise<void>;
  setReadOnly(readOnly: boolean): void;
  dispose(): void;
}

function run(command: string, ...args: string[]): boolean {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0;
}

function mountAt(folder: string, mib: number): boolean {
  return run('mount', '-t', 'tmpfs', '-o', `size=${mib}m`, 'tmpfs', folder);
}

export const canMount: boolean = (() => {
  const folder = mkdtempSync(join(tmpdir(), 'lakeward-mount-'));
  try {
    return mountAt(folder, 1) && run('umount', folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
})();

export function smallDisk(mib: number): SmallDisk {
  const folder = mkdtempSync(join(tmpdir(), 'lakeward-disk-'));
  mkdirSync(folder, { recursive: true });
  if (!mountAt(folder, mib)) throw new Error(`cannot mount a disk at ${folder}`);
  const load = join(folder, 'load');
  return {
    folder,
    async load(size) {
      await using file = await open(load, 'w');
      const block = Buffer.alloc(1 << 20);
      for (let i = 0; i < size; i++) await file.write(block);
    },
    unload: () => rm(load, { force: true }),
    setReadOnly(readOnly) {
      if (!run('mount', '-o', `remount,${readOnly ? 'ro' : 'rw'}`, folder)) throw new Error('cannot mount anew');
    },
    dispose() {
      run('umount', '-l', folder);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Where nothing can be mounted: the disk there is, of which all but 256 MiB are a reserve, as long as nobody else fills it. */
export async function reservedDisk(): Promise<SmallDisk & { readonly reserve: string }> {
  const folder = mkdtempSync(join(tmpdir(), 'lakeward-disk-'));
  const { bavail, bsize } = await statfs(folder);
  const load = join(folder, 'load');
  return {
    folder,
    reserve: `${Math.floor((bavail * bsize) / 2 ** 20) - 256}MiB`,
    async load() {
      if (!run('fallocate', '-l', '512MiB', load)) throw new Error('cannot take up space');
    },
    unload: () => rm(load, { force: true }),
    setReadOnly() {
      throw new Error('needs a mounted disk');
    },
    dispose: () => rmSync(folder, { recursive: true, force: true }),
  };
}
