/**
 * Folders of a lake, made durably: each missing level is made and its parent synced. A folder that was there is trusted only after
 * its parent was synced once by this process, because the process that made it may have died before. The root itself is never made
 * here: a lake folder that vanished must be noticed, not replaced.
 */
import { failureCode, type LakeFileSystem } from './file-system.ts';

/** Folders remembered as durable; beyond that the memory starts anew. */
const REMEMBERED_MAX = 20_000;

export interface Folders {
  /** Makes the folder of a lake path durable: `a/b/c.parquet` → `a`, `a/b`. */
  ensureFor(path: string): Promise<void>;
  /** Forgets what is remembered about the folder of a path and those above. */
  forgetFor(path: string): void;
  /** Forgets everything. */
  forget(): void;
}

export function durableFolders(fileSystem: LakeFileSystem, root: string): Folders {
  const durable = new Set<string>();
  const coming = new Map<string, Promise<void>>();

  /** Who needs a folder that is being made waits for it. */
  async function ensure(folder: string): Promise<void> {
    if (folder === '' || durable.has(folder)) return;
    let making = coming.get(folder);
    if (making === undefined) {
      making = make(folder).finally(() => coming.delete(folder));
      coming.set(folder, making);
    }
    await making;
  }

  async function make(folder: string): Promise<void> {
    const parent = folderOf(folder);
    await ensure(parent);
    try {
      await fileSystem.makeFolder(`${root}/${folder}`);
    } catch (error) {
      if (failureCode(error) !== 'EEXIST') throw error;
    }
    await fileSystem.syncFolder(absolute(root, parent));
    if (durable.size >= REMEMBERED_MAX) durable.clear();
    durable.add(folder);
  }

  return {
    ensureFor: (path) => ensure(folderOf(path)),
    forget: () => durable.clear(),
    forgetFor(path) {
      for (let folder = folderOf(path); folder !== ''; folder = folderOf(folder)) durable.delete(folder);
    },
  };
}

/** The part before the last slash; empty at the top. */
export function folderOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}

export function absolute(root: string, path: string): string {
  return path === '' ? root : `${root}/${path}`;
}
