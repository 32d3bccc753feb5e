/**
 * The few file-system calls a lake folder needs, each as small as the disk's own promise, so that a test double can drop, tear or
 * reorder whatever was not synced and can fail any of them. Nothing here syncs by itself: durability is the store's business.
 * Failures are Node's own errors with `code`; only what the signatures name is a value.
 */
import { constants } from 'node:fs';
import { copyFile, link, mkdir, open, opendir, rename, rmdir, stat, unlink } from 'node:fs/promises';

export interface FileFacts {
  readonly folder: boolean;
  readonly bytes: number;
  readonly modifiedMs: number;
  /** As the file system keeps it: many note it once a day, or never. */
  readonly accessedMs?: number;
  /** Same file or folder, same text; another one made in its place has another. */
  readonly identity: string;
}

export interface FolderEntry {
  readonly name: string;
  readonly folder: boolean;
}

export interface LakeFileSystem {
  /** Makes a new file; EEXIST when there is one. */
  writeNew(path: string, bytes: Uint8Array): Promise<void>;
  /** Copies into a new file; EEXIST when there is one. */
  copyNew(from: string, to: string): Promise<void>;
  syncFile(path: string): Promise<void>;
  syncFolder(path: string): Promise<void>;
  /** EEXIST when `to` is there, EXDEV between file systems. */
  link(from: string, to: string): Promise<void>;
  /** Replaces `to`. */
  rename(from: string, to: string): Promise<void>;
  unlink(path: string): Promise<void>;
  /** One level; EEXIST when it is there. */
  makeFolder(path: string): Promise<void>;
  /** ENOTEMPTY when something is in it. */
  removeFolder(path: string): Promise<void>;
  read(path: string, offset: number, length: number | undefined): Promise<Uint8Array>;
  /** Unordered, in portions: a folder may hold millions. */
  readFolder(path: string): AsyncIterable<readonly FolderEntry[]>;
  facts(path: string): Promise<FileFacts>;
}

/** Entries of a folder read at once. */
const PORTION = 512;

/** The disk. */
export const diskFileSystem: LakeFileSystem = {
  async writeNew(path, bytes) {
    await using file = await open(path, 'wx');
    await file.writeFile(bytes);
  },
  copyNew: (from, to) => copyFile(from, to, constants.COPYFILE_EXCL),
  async syncFile(path) {
    await using file = await open(path, 'r+');
    await file.datasync();
  },
  async syncFolder(path) {
    await using folder = await open(path, 'r');
    await folder.sync();
  },
  link,
  rename,
  unlink,
  makeFolder: (path) => mkdir(path),
  removeFolder: (path) => rmdir(path),
  async read(path, offset, length) {
    await using file = await open(path, 'r');
    if (offset === 0 && length === undefined) return file.readFile();
    const size = (await file.stat()).size;
    const bytes = new Uint8Array(Math.max(0, Math.min(length ?? size, size - offset)));
    let filled = 0;
    while (filled < bytes.length) {
      const { bytesRead } = await file.read(bytes, filled, bytes.length - filled, offset + filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return bytes.subarray(0, filled);
  },
  async *readFolder(path) {
    let portion: FolderEntry[] = [];
    // Leaving the loop closes the folder.
    for await (const entry of await opendir(path, { bufferSize: PORTION })) {
      portion.push({ name: entry.name, folder: entry.isDirectory() });
      if (portion.length < PORTION) continue;
      yield portion;
      portion = [];
    }
    yield portion;
  },
  async facts(path) {
    const found = await stat(path);
    return {
      folder: found.isDirectory(),
      bytes: found.size,
      modifiedMs: Math.floor(found.mtimeMs),
      accessedMs: Math.floor(found.atimeMs),
      identity: `${found.dev}:${found.ino}`,
    };
  },
};

/** The code of a file-system failure, undefined for anything else. */
export function failureCode(error: unknown): string | undefined {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  return typeof code === 'string' ? code : undefined;
}
