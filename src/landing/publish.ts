/**
 * Makes the files of an entry visible. Idempotent, by anyone, any number of times while the entry is the newest. An entry is
 * published when every stage is confirmed gone, and, of a `replace`, its inputs are removed after that.
 */
import type { CallOptions } from '../ports/call-options.ts';
import { addedFiles, type Entry, type EntryFile, type EntryRejected, handleOf, removedPaths } from './entry.ts';
import { again, type LandingRoom } from './room.ts';

/** So many that files of one folder share its syncs, so few that other work of the process is not kept waiting. */
const AT_ONCE = 64;

/** Gives the files whose stage and final file are both gone; the others are published then. */
export async function publishEntry(
  room: LandingRoom,
  entry: Entry,
  call?: CallOptions,
): Promise<readonly (EntryFile | EntryRejected)[]> {
  const lost: (EntryFile | EntryRejected)[] = [];
  await inParallel(addedFiles(entry), async (file) => {
    const outcome = await again(room, () => room.store.publish(handleOf(file), call), call);
    if (outcome === 'stage-lost') lost.push(file);
    await room.step('published-one');
  });
  if (lost.length > 0) return lost;
  await inParallel(removedPaths(entry), (path) => again(room, () => room.store.remove(path, call), call));
  await room.step('published');
  return [];
}

/** Runs a task for every item, a few at a time. After a failure no further one begins, and all that began have ended. */
export async function inParallel<T>(items: readonly T[], task: (item: T) => Promise<void>): Promise<void> {
  const waiting = items.values();
  const failures: unknown[] = [];
  const lane = async (): Promise<void> => {
    for (const item of waiting) {
      try {
        await task(item);
      } catch (error) {
        failures.push(error);
      }
      if (failures.length > 0) return;
    }
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, items.length) }, lane));
  if (failures.length > 0) throw failures[0];
}
