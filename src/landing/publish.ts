/**
 * Makes the files of an entry visible. Idempotent, by anyone, any number of times while the entry is the newest. An entry is
 * published when every stage is confirmed gone, and what it replaces, unless it stays for a while, is removed after that.
 */
import { inParallel } from './bounded-parallel.ts';
import type { CallOptions } from '../ports/call-options.ts';
import { addedFiles, type Entry, type EntryFile, type EntryRejected, goneOncePublished, handleOf } from './entry.ts';
import { again, type LandingRoom } from './room.ts';

/** Gives the files whose stage and final file are both gone; the others are published then. `visible` is awaited before anything goes. */
export async function publishEntry(
  room: LandingRoom,
  entry: Entry,
  call?: CallOptions & { readonly visible?: () => Promise<void> },
): Promise<readonly (EntryFile | EntryRejected)[]> {
  const lost: (EntryFile | EntryRejected)[] = [];
  await inParallel(addedFiles(entry), async (file) => {
    const outcome = await again(room, () => room.store.publish(handleOf(file), call), call);
    if (outcome === 'stage-lost') lost.push(file);
    await room.step('published-one');
  });
  if (lost.length > 0) return lost;
  await call?.visible?.();
  await inParallel(goneOncePublished(entry), async (path) => {
    await again(room, () => room.store.remove(path, call), call);
    await room.step('removed-one');
  });
  await room.step('published');
  return [];
}
