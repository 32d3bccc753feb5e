/**
 * Lists a folder tree in the byte order of whole paths, one page at a time: folders that lie before the page or outside the prefix
 * are never opened, so a page costs the folders it touches and not the tree, and a folder of any size is read in portions.
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

/** Names of one folder held at a time, give or take a portion; of more, the first are read and, when a page needs them, the next. */
const PATHS_MAX = 2048;

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
    const { bytes, modifiedMs, accessedMs } = facts;
    files.push({ path: path as LakePath, bytes, modifiedMs, ...(accessedMs !== undefined && { accessedMs }) });
  }
  return { files };
}

/** `folder` is empty or ends with a slash. */
async function* walk(fileSystem: LakeFileSystem, query: ListQuery, folder: string): AsyncGenerator<string> {
  for (let last: string | undefined; ; ) {
    const found = await absentAsUndefined(firstBehind(fileSystem, query, { folder, last }));
    for (const path of found?.paths ?? []) {
      if (path.endsWith('/')) yield* walk(fileSystem, query, path);
      else yield path;
    }
    if (found?.more !== true) return;
    last = found.paths.at(-1);
  }
}

/** The first paths of a folder behind `last` that a page may need, in order, whatever else the folder holds. */
async function firstBehind(
  fileSystem: LakeFileSystem,
  query: ListQuery,
  { folder, last }: { readonly folder: string; readonly last: string | undefined },
): Promise<{ readonly paths: readonly string[]; readonly more: boolean }> {
  let paths: string[] = [];
  let more = false;
  const cut = (): void => {
    paths.sort(comparePaths);
    if (paths.length <= PATHS_MAX) return;
    paths = paths.slice(0, PATHS_MAX);
    more = true;
  };
  let bound: string | undefined;
  for await (const portion of fileSystem.readFolder(`${query.root}/${folder}`.replace(/\/$/, ''))) {
    query.signal?.throwIfAborted();
    for (const entry of portion) {
      // A folder sorts as its content does: by its name and the slash behind it.
      const path = `${folder}${entry.name}${entry.folder ? '/' : ''}`;
      if (last !== undefined && comparePaths(path, last) <= 0) continue;
      if (!(entry.folder ? path !== query.hidden && mayHold(path, query) : isWanted(path, query))) continue;
      if (bound === undefined || comparePaths(path, bound) < 0) paths.push(path);
    }
    if (paths.length < 2 * PATHS_MAX) continue;
    cut();
    bound = paths.at(-1);
  }
  cut();
  return { paths, more };
}

function isWanted(path: string, { prefix, after }: ListQuery): boolean {
  return path.startsWith(prefix) && (after === undefined || comparePaths(path, after) > 0);
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
