/**
 * The seam on the real disk. Descriptors and callbacks rather than file handles: a group commit is two calls, and a handle's
 * bookkeeping costs more than either.
 */
import * as fs from 'node:fs';
import { promisify } from 'node:util';
import type { FileSystem, LogFile } from './file-system.ts';

const FLAGS = { read: 'r', write: 'r+', create: 'wx+' } as const;

const open = promisify(fs.open);
const close = promisify(fs.close);
const fdatasync = promisify(fs.fdatasync);
const fsync = promisify(fs.fsync);
const ftruncate = promisify(fs.ftruncate);
const fstat = promisify(fs.fstat);

function write(fd: number, source: Uint8Array, at: number, position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    fs.write(fd, source, at, source.length - at, position, (error, written) => {
      if (error === null) resolve(written);
      else reject(error);
    });
  });
}

function read(fd: number, target: Uint8Array, at: number, position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    fs.read(fd, target, at, target.length - at, position, (error, count) => {
      if (error === null) resolve(count);
      else reject(error);
    });
  });
}

function logFile(fd: number): LogFile {
  return {
    read: async (target, position) => {
      let done = 0;
      while (done < target.length) {
        const count = await read(fd, target, done, position + done);
        if (count === 0) break;
        done += count;
      }
      return done;
    },
    write: async (source, position) => {
      let done = 0;
      while (done < source.length) done += await write(fd, source, done, position + done);
    },
    sync: () => fdatasync(fd),
    truncate: (length) => ftruncate(fd, length),
    size: async () => (await fstat(fd)).size,
    close: () => close(fd),
  };
}

async function syncFolder(path: string): Promise<void> {
  const fd = await open(path, 'r');
  try {
    await fsync(fd);
  } catch (error) {
    // Windows cannot sync a folder; its names are in the journal of the file system.
    if (process.platform !== 'win32') throw error;
  } finally {
    await close(fd);
  }
}

export function nodeFileSystem(): FileSystem {
  return {
    open: async (path, mode) => logFile(await open(path, FLAGS[mode])),
    list: (folder) => fs.promises.readdir(folder),
    rename: (from, to) => fs.promises.rename(from, to),
    remove: (path) => fs.promises.rm(path, { force: true }),
    makeFolder: async (path) => {
      await fs.promises.mkdir(path, { recursive: true });
    },
    removeFolder: (path) => fs.promises.rm(path, { recursive: true, force: true }),
    syncFolder,
    freeBytes: async (folder) => {
      const { bavail, bsize } = await fs.promises.statfs(folder);
      return bavail * bsize;
    },
  };
}
