/**
 * A disk in memory that keeps only what it promised. Until a file is synced its writes, sector by sector, may be lost at a power
 * cut, in any combination; until a folder is synced its creations, renames and removals may be lost, in any combination. What is
 * lost follows from the seed. Calls can be made to fail like a real disk's: a failed write is half done, a failed sync forgets what
 * it should have saved while reads still show it.
 */
import type { FileSystem, LogFile } from '../../src/broker/embedded/file-system.ts';

export type DiskCall = 'open' | 'read' | 'write' | 'sync' | 'truncate' | 'rename' | 'remove' | 'syncFolder' | 'list';

export interface PowerCutFileSystem extends FileSystem {
  /** Decides for each call whether it fails, with which code. */
  fault: ((call: DiskCall, path: string) => string | undefined) | undefined;
  /** Calls that still succeed; then the power is off and all fail, until `restart`. */
  callsLeft: number;
  /** Bytes all files may hold together; beyond it ENOSPC. */
  capacityBytes: number;
  calls(): number;
  /** What is left after a power cut becomes the content of the disk; the power is on again. */
  restart(): void;
  /** The process died, the power stayed: another process finds everything that was written, synced or not. */
  takeOver(): void;
  /** Direct access for damage and looks: the live content of a file. */
  peek(path: string): Uint8Array | undefined;
  poke(path: string, content: Uint8Array): void;
  paths(): string[];
}

interface Pending {
  readonly at: number;
  /** Undefined: the file was cut to `at`. */
  readonly bytes: Uint8Array | undefined;
}

interface Inode {
  live: Uint8Array;
  durable: Uint8Array;
  pending: Pending[];
}

/** A change of names: `to` points at the inode (or nowhere), `from` no longer exists. */
interface NameChange {
  readonly folder: string;
  readonly from: string | undefined;
  readonly to: string | undefined;
  readonly inode: Inode | undefined;
}

const SECTOR_BYTES = 64;

export function powerCutFileSystem(seed: number): PowerCutFileSystem {
  const random = randomOf(seed);
  let names = new Map<string, Inode>();
  let durableNames = new Map<string, Inode>();
  let changes: NameChange[] = [];
  let calls = 0;

  function begin(call: DiskCall, path: string): void {
    calls++;
    if (disk.callsLeft <= 0) throw failure('EIO', `${call} without power`);
    disk.callsLeft--;
    const code = disk.fault?.(call, path);
    if (code !== undefined) throw failure(code, `${call} ${path}`);
  }

  function changeName(change: NameChange): void {
    applyName(names, change);
    changes.push(change);
  }

  function used(): number {
    return [...new Set(names.values())].reduce((sum, { live }) => sum + live.length, 0);
  }

  function writeTo(inode: Inode, source: Uint8Array, position: number): void {
    const bytes = source.slice();
    inode.live = overlay(inode.live, bytes, position);
    inode.pending.push({ at: position, bytes });
  }

  function fileOf(inode: Inode, path: string): LogFile {
    return {
      read: async (target, position) => {
        await turn();
        begin('read', path);
        const part = inode.live.subarray(position, position + target.length);
        target.set(part);
        return part.length;
      },
      write: async (source, position) => {
        await turn();
        try {
          begin('write', path);
          const growth = Math.max(0, position + source.length - inode.live.length);
          if (growth > 0 && used() + growth > disk.capacityBytes) throw failure('ENOSPC', path);
        } catch (error) {
          if (disk.callsLeft > 0) writeTo(inode, source.subarray(0, source.length >>> 1), position);
          throw error;
        }
        writeTo(inode, source, position);
      },
      sync: async () => {
        await turn();
        try {
          begin('sync', path);
        } catch (error) {
          if (disk.callsLeft > 0) inode.pending = [];
          throw error;
        }
        inode.durable = inode.pending.reduce(applyWhole, inode.durable);
        inode.pending = [];
      },
      truncate: async (length) => {
        await turn();
        begin('truncate', path);
        inode.live = inode.live.slice(0, length);
        inode.pending.push({ at: length, bytes: undefined });
      },
      size: async () => inode.live.length,
      close: async () => {},
    };
  }

  const disk: PowerCutFileSystem = {
    fault: undefined,
    callsLeft: Infinity,
    capacityBytes: Infinity,
    calls: () => calls,
    open: async (path, mode) => {
      await turn();
      begin('open', path);
      let inode = names.get(path);
      if (mode === 'create') {
        if (inode !== undefined) throw failure('EEXIST', path);
        inode = { live: new Uint8Array(0), durable: new Uint8Array(0), pending: [] };
        changeName({ folder: folderOf(path), from: undefined, to: path, inode });
      }
      if (inode === undefined) throw failure('ENOENT', path);
      return fileOf(inode, path);
    },
    list: async (folder) => {
      await turn();
      begin('list', folder);
      const below = [...names.keys()].filter((path) => path.startsWith(`${folder}/`));
      return [...new Set(below.map((path) => path.slice(folder.length + 1).split('/')[0] ?? ''))];
    },
    rename: async (from, to) => {
      await turn();
      begin('rename', from);
      const moved = [...names].filter(([path]) => path === from || path.startsWith(`${from}/`));
      if (moved.length === 0) throw failure('ENOENT', from);
      for (const [path, inode] of moved) {
        changeName({ folder: folderOf(from), from: path, to: to + path.slice(from.length), inode });
      }
    },
    remove: async (path) => {
      await turn();
      begin('remove', path);
      if (names.has(path)) changeName({ folder: folderOf(path), from: path, to: undefined, inode: undefined });
    },
    makeFolder: async () => {},
    removeFolder: async (folder) => {
      for (const path of names.keys()) if (path.startsWith(`${folder}/`)) names.delete(path);
    },
    syncFolder: async (folder) => {
      await turn();
      begin('syncFolder', folder);
      for (const change of changes) if (change.folder === folder) applyName(durableNames, change);
      changes = changes.filter((change) => change.folder !== folder);
    },
    freeBytes: async () => Math.max(0, disk.capacityBytes - used()),
    restart: () => {
      for (const change of changes) if (random() < 0.5) applyName(durableNames, change);
      changes = [];
      names = new Map(durableNames);
      for (const inode of new Set(names.values())) {
        inode.live = inode.pending.reduce((content, write) => applyTorn(content, write, random), inode.durable);
        inode.durable = inode.live;
        inode.pending = [];
      }
      disk.takeOver();
      changes = [];
      durableNames = new Map(names);
    },
    takeOver: () => {
      // Handles of the dead process must not reach the files of the next.
      const heirs = new Map<Inode, Inode>();
      const heir = (inode: Inode): Inode => {
        const known = heirs.get(inode) ?? { ...inode, pending: [...inode.pending] };
        heirs.set(inode, known);
        return known;
      };
      names = new Map([...names].map(([path, inode]) => [path, heir(inode)]));
      durableNames = new Map([...durableNames].map(([path, inode]) => [path, heir(inode)]));
      changes = changes.map((change) => ({ ...change, inode: change.inode && heir(change.inode) }));
      disk.callsLeft = Infinity;
      disk.fault = undefined;
    },
    peek: (path) => names.get(path)?.live,
    poke: (path, content) => {
      const inode: Inode = { live: content, durable: content, pending: [] };
      names.set(path, inode);
      durableNames.set(path, inode);
    },
    paths: () => [...names.keys()],
  };
  return disk;
}

/** Other work goes on between the calls of one piece of work. */
async function turn(): Promise<void> {
  await Promise.resolve();
}

function failure(code: string, what: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: ${what}`), { code, errno: -1 });
}

const folderOf = (path: string): string => path.slice(0, path.lastIndexOf('/'));

function applyName(names: Map<string, Inode>, { from, to, inode }: NameChange): void {
  if (from !== undefined) names.delete(from);
  if (to !== undefined && inode !== undefined) names.set(to, inode);
}

function overlay(content: Uint8Array, bytes: Uint8Array, at: number): Uint8Array {
  const whole = new Uint8Array(Math.max(content.length, at + bytes.length));
  whole.set(content);
  whole.set(bytes, at);
  return whole;
}

function applyWhole(content: Uint8Array, { at, bytes }: Pending): Uint8Array {
  return bytes === undefined ? content.slice(0, at) : overlay(content, bytes, at);
}

/** What a power cut leaves of a write that was not synced: nothing, all, or any of its sectors. */
function applyTorn(content: Uint8Array, write: Pending, random: () => number): Uint8Array {
  const luck = random();
  if (luck < 0.3) return content;
  if (luck < 0.5 || write.bytes === undefined) return applyWhole(content, write);
  let torn = content;
  for (let at = 0; at < write.bytes.length; at += SECTOR_BYTES) {
    if (random() < 0.6) torn = overlay(torn, write.bytes.subarray(at, at + SECTOR_BYTES), write.at + at);
  }
  return torn;
}

/** mulberry32. */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
