/**
 * The seam between the embedded log and the disk: only what the log needs, so that a test double can fail, drop, reorder and tear
 * what was not synced. Errors are Node's (`code` such as ENOENT, ENOSPC, EIO). Nothing is durable before `sync` (content and
 * length of a file) or `syncFolder` (names in a folder) resolved.
 */
export interface LogFile {
  /** Fills `target` from `position` on; gives the bytes read, fewer only at the end of the file. */
  read(target: Uint8Array, position: number): Promise<number>;
  /** Writes all of `source` at `position`, growing the file. */
  write(source: Uint8Array, position: number): Promise<void>;
  /** fdatasync. */
  sync(): Promise<void>;
  truncate(length: number): Promise<void>;
  size(): Promise<number>;
  close(): Promise<void>;
}

export interface FileSystem {
  /** read, write: an existing file; create: a new one, EEXIST when there is one. */
  open(path: string, mode: 'read' | 'write' | 'create'): Promise<LogFile>;
  /** Names in a folder, in no order. */
  list(folder: string): Promise<string[]>;
  /** Replaces what is at `to`. */
  rename(from: string, to: string): Promise<void>;
  /** Removes a file; nothing happens when there is none. */
  remove(path: string): Promise<void>;
  /** Makes a folder and the ones above it; nothing happens when it exists. */
  makeFolder(path: string): Promise<void>;
  /** Removes a folder and all in it; nothing happens when there is none. */
  removeFolder(path: string): Promise<void>;
  syncFolder(path: string): Promise<void>;
  /** Bytes that this process may still write under a folder. */
  freeBytes(folder: string): Promise<number>;
}

/** The code of a file-system error, or undefined for any other. */
export function errnoOf(error: unknown): string | undefined {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  return typeof code === 'string' ? code : undefined;
}

/** True when the disk, or the share this process may use of it, is full. */
export function isFull(error: unknown): boolean {
  const code = errnoOf(error);
  return code === 'ENOSPC' || code === 'EDQUOT';
}

/** All bytes of a file, or undefined when there is none. */
export async function readWhole(files: FileSystem, path: string): Promise<Uint8Array | undefined> {
  let file: LogFile;
  try {
    file = await files.open(path, 'read');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const bytes = Buffer.allocUnsafeSlow(await file.size());
    return bytes.subarray(0, await file.read(bytes, 0));
  } finally {
    await file.close();
  }
}

/** Writes a file so that after a crash its name holds either the old content or the new; durable once the folder is synced. */
export async function replaceFile(files: FileSystem, path: string, content: Uint8Array): Promise<void> {
  const temporary = `${path}.tmp`;
  await files.remove(temporary);
  const file = await files.open(temporary, 'create');
  try {
    await file.write(content, 0);
    await file.sync();
  } finally {
    await file.close();
  }
  await files.rename(temporary, path);
}
