/**
 * A disk in memory that forgets at a power cut what was not synced: names in folders (each change alone, so that they are reordered:
 * a later one may survive an earlier one of other names) and contents (whole, torn or empty). A rename is atomic: it survives or
 * does not. Every call takes effect at once; who wants it to be a turn of a world wraps it.
 */
import type { FileFacts, LakeFileSystem } from '../../../src/lake/file/file-system.ts';

interface Inode {
  readonly id: number;
  readonly folder: boolean;
  bytes: Uint8Array;
  synced: boolean;
  modifiedMs: number;
}

interface Change {
  /** Path → what is there afterwards. */
  readonly names: ReadonlyMap<string, Inode | undefined>;
}

export interface PowerCutDisk extends LakeFileSystem {
  /** Drops what was not synced, as chance wants it. */
  cutPower(): void;
}

export function powerCutDisk(options: { nowMs(): number; random(): number }): PowerCutDisk {
  let ids = 1;
  const root: Inode = { id: 0, folder: true, bytes: new Uint8Array(), synced: true, modifiedMs: 0 };
  let names = new Map<string, Inode>([['/', root]]);
  let durable = new Map(names);
  let unsynced: Change[] = [];

  const failure = (code: string, path: string): Error => Object.assign(new Error(`${code}: ${path}`), { code });
  const parentOf = (path: string): string => path.slice(0, Math.max(1, path.lastIndexOf('/')));
  const get = (path: string): Inode => {
    const found = names.get(path);
    if (found === undefined) throw failure('ENOENT', path);
    return found;
  };
  const inFolder = (path: string): void => {
    if (!get(parentOf(path)).folder) throw failure('ENOTDIR', path);
  };
  const absent = (path: string): void => {
    inFolder(path);
    if (names.has(path)) throw failure('EEXIST', path);
  };
  const change = (...changes: [string, Inode | undefined][]): void => {
    unsynced.push({ names: new Map(changes) });
    applyTo(names, { names: new Map(changes) });
  };
  const make = (path: string, bytes: Uint8Array, folder: boolean): void => {
    absent(path);
    change([path, { id: ids++, folder, bytes, synced: folder, modifiedMs: options.nowMs() }]);
  };
  const below = (path: string): string[] => {
    const start = path === '/' ? '/' : `${path}/`;
    return [...names.keys()].filter((name) => name !== '/' && name.startsWith(start) && parentOf(name) === path);
  };

  return {
    writeNew: async (path, bytes) => make(path, bytes.slice(), false),
    copyNew: async (from, to) => make(to, get(from).bytes, false),
    syncFile: async (path) => {
      get(path).synced = true;
    },
    async syncFolder(path) {
      get(path);
      const [kept, done] = [[] as Change[], [] as Change[]];
      for (const one of unsynced) {
        const here = [...one.names.keys()].some((name) => parentOf(name) === path);
        // What an earlier change of the same name needs comes along, as in a journal.
        (here ? done : kept).push(one);
      }
      for (const one of done) applyTo(durable, one);
      unsynced = kept;
    },
    async link(from, to) {
      const inode = get(from);
      absent(to);
      change([to, inode]);
    },
    async rename(from, to) {
      const inode = get(from);
      inFolder(to);
      change([from, undefined], [to, inode]);
    },
    async unlink(path) {
      get(path);
      change([path, undefined]);
    },
    makeFolder: async (path) => make(path, new Uint8Array(), true),
    async removeFolder(path) {
      get(path);
      if (below(path).length > 0) throw failure('ENOTEMPTY', path);
      change([path, undefined]);
    },
    read: async (path, offset, length) =>
      get(path).bytes.slice(offset, length === undefined ? undefined : offset + length),
    async *readFolder(path) {
      if (!get(path).folder) throw failure('ENOTDIR', path);
      yield below(path).map((name) => ({
        name: name.slice(name.lastIndexOf('/') + 1),
        folder: get(name).folder,
      }));
    },
    async facts(path): Promise<FileFacts> {
      const { id, folder, bytes, modifiedMs } = get(path);
      return { folder, bytes: bytes.length, modifiedMs, identity: String(id) };
    },
    cutPower() {
      const dropped = new Set<string>();
      for (const one of unsynced) {
        const touched = [...one.names.keys()];
        const blocked = touched.some((name) => dropped.has(name));
        if (blocked || options.random() < 0.5) for (const name of touched) dropped.add(name);
        else applyTo(durable, one);
      }
      unsynced = [];
      // A file whose folder was lost is lost with it.
      for (const name of [...durable.keys()].sort()) {
        if (name !== '/' && !durable.has(parentOf(name))) durable.delete(name);
      }
      for (const inode of durable.values()) {
        if (!inode.synced) inode.bytes = inode.bytes.slice(0, Math.floor(options.random() * (inode.bytes.length + 1)));
        inode.synced = true;
      }
      names = new Map(durable);
      durable = new Map(names);
    },
  };
}

function applyTo(names: Map<string, Inode>, change: Change): void {
  for (const [name, inode] of change.names) {
    if (inode === undefined) names.delete(name);
    else names.set(name, inode);
  }
}
