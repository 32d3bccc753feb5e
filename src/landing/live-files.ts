/**
 * Which files of a lake are live, as entries come: those added since the checkpoint, and those of the checkpoint that went since. Pure.
 * A file is known to be published since the entry after its own was made: only a published entry has a follower.
 */
import type { DataFile, RejectedFile } from '../model/data-file.ts';
import { isHeld } from './paths.ts';
import { addedFiles, type DroppedRows, type Entry, type EntryFile, type EntryRejected, removedPaths } from './entry.ts';

/** `publishedMs`: by then the file was published and nobody had a reason to copy it again; absent while that is not known. */
export type LiveFile = { readonly publishedMs?: number } & (
  | { readonly kind: 'data'; readonly file: DataFile }
  | { readonly kind: 'rejected'; readonly file: RejectedFile }
);

/** Late rows that wait, where no reader looks, to be merged into a file that readers see. */
export interface HeldFile {
  readonly kind: 'held';
  /** Without statistics of its columns: that of the merged one has them. */
  readonly file: DataFile;
  /** As of the partition it is for. */
  readonly closesAtMs?: number;
  /** Time of the entry that landed it. */
  readonly sinceMs: number;
  /** As of other files. */
  readonly publishedMs?: number;
}

/** Files that left the lake, by an entry: path → when they are to go, epoch ms. */
export type Leaving = ReadonlyMap<string, number>;

export interface LiveFiles {
  /** Data files that readers see. */
  readonly liveFiles: number;
  /** Files added since the checkpoint and live. */
  readonly added: ReadonlyMap<string, LiveFile>;
  /** Files of the checkpoint that were removed since. */
  readonly removed: ReadonlySet<string>;
  /** By path; few, so that no list has them. */
  readonly held: ReadonlyMap<string, HeldFile>;
  readonly leaving: Leaving;
  /** Folders in which files came or went since the checkpoint, each with the newest entry that did it. */
  readonly touched: ReadonlyMap<string, number>;
  /** Time of the newest entry, never behind that of one before. */
  readonly headMs: number;
  /** Paths the newest entry added. */
  readonly latest: readonly string[];
  /** Of the newest entry, when it can be taken back: those of its inputs that no checkpoint holds. */
  readonly merged: readonly (LiveFile | HeldFile)[] | undefined;
}

export function moveFiles(state: LiveFiles, entry: Entry): LiveFiles {
  const headMs = Math.max(state.headMs, entry.timeMs);
  const gone = removedPaths(entry);
  const fresh = addedFiles(entry);
  const latest = fresh.map(({ path }) => path);
  const reinstated = entry.kind === 'undo' ? (entry.reinstated ?? []) : [];
  const leaving = leaveWith(state.leaving, entry);
  if (gone.length === 0 && fresh.length === 0 && state.latest.length === 0 && reinstated.length === 0) {
    return { ...state, leaving, headMs, merged: undefined };
  }
  const added = new Map(state.added);
  const removed = new Set(state.removed);
  const held = new Map(state.held);
  const setAside = new Set<string>(droppedBy(entry)?.rejectedFiles ?? []);
  let { liveFiles } = state;
  for (const path of state.latest) {
    const file = added.get(path);
    if (file !== undefined) added.set(path, { ...file, publishedMs: headMs });
    const hidden = held.get(path);
    if (hidden !== undefined) held.set(path, { ...hidden, publishedMs: headMs });
  }
  const merged: (LiveFile | HeldFile)[] = [];
  for (const path of gone) {
    const before = added.get(path) ?? held.get(path);
    if (before !== undefined) merged.push(before);
    if (held.delete(path)) continue;
    if (entry.kind !== 'replay' && before?.kind !== 'rejected' && !setAside.has(path)) liveFiles--;
    if (!added.delete(path)) removed.add(path);
  }
  for (const file of entry.kind === 'undo' ? entry.restored : []) added.set(file.path, { kind: 'rejected', file });
  const before = new Map((state.merged ?? []).map((live) => [live.file.path as string, live]));
  for (const path of reinstated) {
    const its = before.get(path);
    if (its?.kind === 'held') {
      held.set(path, its);
      continue;
    }
    if (its === undefined) removed.delete(path);
    else added.set(path, its);
    if (!setAside.has(path)) liveFiles++;
  }
  if (entry.kind === 'append' || entry.kind === 'replace' || entry.kind === 'replay') {
    for (const file of entry.files) {
      if (isHeld(file.path)) {
        held.set(file.path, heldFile(file, entry.timeMs, merged));
        continue;
      }
      liveFiles++;
      added.set(file.path, { kind: 'data', file: dataFile(file) });
    }
    for (const file of entry.rejected) added.set(file.path, { kind: 'rejected', file: rejectedFile(file) });
  }
  const isMerge = entry.kind === 'replace' && !entry.repair;
  const touched = touchedWith(state.touched, entry.n, [...gone, ...latest, ...reinstated]);
  return { added, removed, liveFiles, held, leaving, touched, headMs, latest, merged: isMerge ? merged : undefined };
}

function touchedWith(touched: LiveFiles['touched'], n: number, paths: readonly string[]): ReadonlyMap<string, number> {
  if (paths.length === 0) return touched;
  const next = new Map(touched);
  for (const path of paths) next.set(path.slice(0, path.lastIndexOf('/')), n);
  return next;
}

function leaveWith(leaving: Leaving, entry: Entry): Leaving {
  const gone = removedPaths(entry);
  const hastened = entry.kind === 'replace' ? (entry.hastened ?? []) : [];
  if (gone.length === 0 && hastened.length === 0) return leaving;
  const next = new Map(leaving);
  const fromMs = (entry.kind === 'replace' ? entry.keepMs : undefined) ?? entry.timeMs;
  for (const path of gone) next.set(path, fromMs);
  for (const path of hastened) next.set(path, entry.timeMs);
  if (entry.kind === 'undo') {
    for (const { path } of entry.restored) next.delete(path);
    for (const path of entry.reinstated ?? []) next.delete(path);
  }
  return next;
}

function droppedBy(entry: Entry): DroppedRows | undefined {
  return entry.kind === 'replace' || entry.kind === 'undo' ? entry.dropped : undefined;
}

function dataFile({
  staged: _staged,
  versionId: _versionId,
  closesAtMs: _closesAtMs,
  object: _object,
  ...file
}: EntryFile): DataFile {
  return file;
}

/** One that takes the place of another, because rows of it were erased, say, waits as long as that would have. */
function heldFile(file: EntryFile, timeMs: number, gone: readonly (LiveFile | HeldFile)[]): HeldFile {
  const before = gone.find((live) => live.kind === 'held' && live.file.partition === file.partition);
  const { closesAtMs = file.closesAtMs, sinceMs = timeMs } = before?.kind === 'held' ? before : {};
  const closing = closesAtMs === undefined ? {} : { closesAtMs };
  return { kind: 'held', file: { ...dataFile(file), columns: [] }, ...closing, sinceMs };
}

function rejectedFile({
  staged: _staged,
  versionId: _versionId,
  object: _object,
  ...file
}: EntryRejected): RejectedFile {
  return file;
}
