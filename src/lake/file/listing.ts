/**
 * Lists a folder tree in the byte order of whole paths, one page at a time: folders that lie before the page or outside the prefix
 * are never opened, so a page costs the folders it touches and not the tree.
 */
import type { LakePath } from '../../model/lake-path.ts';
import type { ListedFile, ListPage } from '../../ports/lake-store.ts';
import { comparePaths } from '../path-order.ts';
import { failureCode, type LakeFileSystem } from './file-system.ts';

export interface ListQuery {
  readonly root: string;
  readonly prefix: string;
  readonly after: string | undefined;
  readonly limit: number;
  /** Folder whose content is not part of the lake. */
  readonly hidden: string;
  readonly signal: AbortSignal | undefined;
}

/** An empty, `.` or `..` segment. */
const NO_FOLDER = /(^|\/)\.{0,2}\//;

/** One page; an absent root lists as empty. */
export async function listPage(fileSystem: LakeFileSystem, query: ListQuery): Promise<ListPage> {
  const files: ListedFile[] = [];
  const cut = query.prefix.lastIndexOf('/');
  // A file system would take these for folders; no path of the lake begins so.
  if (cut !== -1 && NO_FOLDER.test(query.prefix.slice(0, cut + 1))) return { files };
  for await (const path of walk(fileSystem, query, query.prefix.slice(0, cut + 1))) {
    if (files.length === query.limit) return { files, next: files.at(-1)?.path as LakePath };
    const facts = await absentAsUndefined(fileSystem.facts(`${query.root}/${path}`));
    if (facts === undefined) continue;
    files.push({ path: path as LakePath, bytes: facts.bytes, modifiedMs: facts.modifiedMs });
  }
  return { files };
}

/** `folder` is empty or ends with a slash. */
async function* walk(fileSystem: LakeFileSystem, query: ListQuery, folder: string): AsyncGenerator<string> {
  query.signal?.throwIfAborted();
  const entries = await absentAsUndefined(fileSystem.readFolder(`${query.root}/${folder}`.replace(/\/$/, '')));
  if (entries === undefined) return;
  // A folder sorts as its content does: by its name and the slash behind it.
  const names = entries.map((entry) => `${folder}${entry.name}${entry.folder ? '/' : ''}`);
  for (const path of names.sort(comparePaths)) {
    if (path.endsWith('/')) {
      if (path !== query.hidden && mayHold(path, query)) yield* walk(fileSystem, query, path);
    } else if (path.startsWith(query.prefix) && (query.after === undefined || comparePaths(path, query.after) > 0)) {
      yield path;
    }
  }
}

function mayHold(folder: string, { prefix, after }: ListQuery): boolean {
  if (!folder.startsWith(prefix) && !prefix.startsWith(folder)) return false;
  return after === undefined || after.startsWith(folder) || comparePaths(folder, after) > 0;
}

/** A file or folder that is not there is no error. */
export async function absentAsUndefined<T>(found: Promise<T>): Promise<T | undefined> {
  try {
    return await found;
  } catch (error) {
    const code = failureCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error;
  }
}
