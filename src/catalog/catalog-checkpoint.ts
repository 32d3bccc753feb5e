/**
 * Checkpoints bound how many entries a start reads. Entries are emptied, and older checkpoints removed, only behind a
 * checkpoint that has aged: a slow reader that began before it has long gone on. Whoever still meets an emptied entry loads
 * the newest checkpoint, which exists before anything is emptied.
 */
import type { CallOptions } from '../ports/call-options.ts';
import type { CatalogState } from '../ports/catalog.ts';
import type { ListPage } from '../ports/lake-store.ts';
import { type CatalogPlace, damaged, decodeFile, EMPTIED, encodeFile } from './catalog-file.ts';
import { numberedPath, numberOf } from './catalog-file.ts';
import { applyEdits, editsOf, emptyState } from './catalog-state.ts';

/** Changes between two checkpoints. */
export const CHECKPOINT_EVERY = 64;
/** A checkpoint of this age lets what is before it be emptied. */
export const CHECKPOINT_GRACE_MS = 3_600_000;

interface CheckpointFile {
  readonly version: number;
  readonly modifiedMs: number;
}

/** The state of the newest checkpoint; the empty state when there is none. */
export async function loadCheckpoint(place: CatalogPlace, call: CallOptions): Promise<CatalogState> {
  for (;;) {
    const newest = (await listCheckpoints(place, call)).at(-1);
    if (newest === undefined) return emptyState();
    const path = numberedPath(place.checkpoints, newest.version);
    const bytes = await place.store.read(path, call);
    // Removed between the two calls: a newer one exists.
    if (bytes === undefined) continue;
    const file = decodeFile(path, bytes);
    if (file === 'emptied') throw damaged(path, 'it is empty');
    return { ...applyEdits(emptyState(), file.edits), version: file.version };
  }
}

/** Writes the checkpoint of a state, empties entries and removes checkpoints that an aged one replaces. Repeatable. */
export async function writeCheckpoint(
  place: CatalogPlace,
  state: CatalogState,
  now: { readonly nonce: string; readonly nowMs: number },
  call: CallOptions,
): Promise<void> {
  const { store } = place;
  const { version } = state;
  const file = encodeFile({ version, nonce: now.nonce, writtenMs: now.nowMs, edits: editsOf(state) });
  // Whoever wrote it first wrote the same state.
  await store.create(numberedPath(place.checkpoints, version), file, call);
  const checkpoints = await listCheckpoints(place, call);
  const aged = checkpoints.findLast(({ modifiedMs }) => modifiedMs <= now.nowMs - CHECKPOINT_GRACE_MS);
  const older = checkpoints.filter((checkpoint) => checkpoint.version < (aged?.version ?? 0));
  const oldest = older[0];
  if (aged === undefined || oldest === undefined) return;
  // Earlier rounds emptied up to the oldest checkpoint, but for the first, which may have had none before it.
  for (let number = Math.max(1, oldest.version - CHECKPOINT_EVERY); number <= aged.version; number += 1) {
    await store.overwrite(numberedPath(place.log, number), EMPTIED, call);
  }
  // The oldest goes last, so that a round cut short is done again from where it began.
  for (const checkpoint of older.toReversed()) {
    await store.remove(numberedPath(place.checkpoints, checkpoint.version), call);
  }
}

async function listCheckpoints(place: CatalogPlace, call: CallOptions): Promise<CheckpointFile[]> {
  const found: CheckpointFile[] = [];
  let page: ListPage | undefined;
  do {
    page = await place.store.list(place.checkpoints, { ...call, ...(page?.next && { after: page.next }) });
    for (const { path, modifiedMs } of page.files) {
      const version = numberOf(place.checkpoints, path);
      if (version !== undefined) found.push({ version, modifiedMs });
    }
  } while (page.next !== undefined);
  return found;
}
