/**
 * Watches a lake while others work on it and throws at the first step that breaks a promise: a file that no entry names becomes
 * visible, a record becomes visible twice, an entry is made before the one before it is published. It can also lose a stage.
 */
import { addedFiles, type Entry, parseEntry, removedPaths } from '../../src/landing/entry.ts';
import { isHeld, numberOf } from '../../src/landing/paths.ts';
import type { LakePath } from '../../src/model/lake-path.ts';
import type { LakeStore } from '../../src/ports/lake-store.ts';
import { idsOf } from './simulation.ts';

export function watched(inner: LakeStore, loses: () => boolean, seen?: Set<string>): LakeStore {
  const entries: Entry[] = [];
  const named = new Set<LakePath>();
  const visible = new Map<string, LakePath>();
  /** Files that an entry takes away: until then their records may show twice. */
  const leaving = new Set<LakePath>();
  let broken: Error | undefined;
  const complain = (why: string): void => {
    broken ??= new Error(why);
  };
  const check = (): void => {
    if (broken !== undefined) throw broken;
  };

  async function newEntry(n: number, bytes: Uint8Array): Promise<void> {
    const entry = parseEntry(bytes, n, `entry ${n}`);
    if (entry === 'emptied') return complain(`entry ${n} is made empty`);
    if (n !== entries.length) complain(`entry ${n} is made after ${entries.length - 1}`);
    const before = entries.at(-1);
    const gone = new Set(removedPaths(entry));
    for (const { path } of before === undefined ? [] : addedFiles(before)) {
      if ((await inner.read(path)) === undefined && !gone.has(path)) {
        complain(`entry ${n} (${entry.kind}) is made before ${path} of entry ${n - 1} is visible`);
      }
    }
    const stays = before?.kind === 'replace' && before.keepMs !== undefined;
    for (const path of before === undefined || stays || entry.kind === 'undo' ? [] : removedPaths(before)) {
      if ((await inner.read(path)) !== undefined) complain(`entry ${n} is made before ${path} is removed`);
    }
    for (const path of gone) leaving.add(path);
    for (const { path } of entry.kind === 'undo' ? entry.restored : []) leaving.delete(path);
    for (const path of entry.kind === 'undo' ? (entry.reinstated ?? []) : []) leaving.delete(path);
    entries.push(entry);
    seen?.add(entry.kind);
    if (entry.kind === 'replace' && entry.merged !== undefined)
      seen?.add(entry.keepMs === undefined ? 'merge' : 'merge, inputs stay');
    if (entry.kind === 'undo' && entry.reinstated !== undefined) seen?.add('merge undone');
    const isRelease = entry.kind === 'replace' && entry.released === true;
    if (isRelease) seen?.add('release');
    const undoes = entry.kind === 'undo' && before?.kind === 'replace' && before.released === true;
    if (undoes) seen?.add('release undone');
    if (entry.kind === 'append' && addedFiles(entry).some(({ path }) => isHeld(path))) seen?.add('held');
    for (const { path } of addedFiles(entry)) named.add(path);
  }

  return {
    ...inner,
    async create(path, bytes) {
      const outcome = await inner.create(path, bytes);
      const n = numberOf(path);
      if (outcome === 'created' && n !== undefined && path.includes('/log/')) await newEntry(n, bytes);
      check();
      return outcome;
    },
    async overwrite(path, bytes) {
      if (numberOf(path) !== undefined) seen?.add('emptied');
      return inner.overwrite(path, bytes);
    },
    async publish(handle) {
      if (loses()) await inner.discard(handle);
      const outcome = await inner.publish(handle);
      const bytes = await inner.read(handle.final);
      if (bytes !== undefined && !leaving.has(handle.final)) {
        if (!named.has(handle.final)) complain(`${handle.final} is visible and no entry names it`);
        for (const id of idsOf(bytes)) {
          const other = visible.get(id) ?? handle.final;
          if (other !== handle.final && !leaving.has(other))
            complain(`record ${id} is visible twice: ${other}, ${handle.final}`);
          visible.set(id, handle.final);
        }
      }
      check();
      return outcome;
    },
  };
}
