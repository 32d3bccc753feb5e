/**
 * The catalog as a numbered log of changes on a lake store: version n is entry n, made with create-exclusive, so of two
 * processes that change version n-1 one wins and the other is told so. A process follows others by asking for the next entry.
 * Owns its folder; knows nothing of what the documents mean. Invariant: the state is the fold of entries 1 … version.
 */
import { isLakewardError, LakewardError } from '../model/errors.ts';
import type { CallOptions } from '../ports/call-options.ts';
import type { Catalog, CatalogEdit, CatalogState } from '../ports/catalog.ts';
import type { Clock } from '../ports/clock.ts';
import type { LakeStore } from '../ports/lake-store.ts';
import { CHECKPOINT_EVERY, loadCheckpoint, writeCheckpoint } from './catalog-checkpoint.ts';
import { type CatalogFile, type CatalogPlace, catalogPlace, damaged, decodeFile } from './catalog-file.ts';
import { editsComplaint, encodeFile, numberedPath } from './catalog-file.ts';
import { applyEdits, emptyState } from './catalog-state.ts';

/** How often the log is asked for changes of other processes: they see a change within twice this, as promised to clients. */
const FOLLOW_EVERY_MS = 1_000;
/** Tries of a create whose outcome stays unknown, and the pause before the second; each further pause is twice as long. */
const CREATE_TRIES = 6;
const CREATE_PAUSE_MS = 50;
/** How often an edit is made anew because others were faster. */
const EDIT_TRIES_MAX = 50;

export interface CatalogOptions {
  readonly store: LakeStore;
  /** Default `catalog`. */
  readonly folder?: string;
  /** No other process changes it, so nobody is followed. */
  readonly alone?: boolean;
  readonly clock: Clock;
}

export function createCatalog({ store, folder = 'catalog', alone = false, clock }: CatalogOptions): Catalog {
  const place = catalogPlace(store, folder);
  let state = emptyState();
  let checkpointed = 0;
  let opened: Promise<void> | undefined;
  let following: Promise<void> = Promise.resolve();
  let confirmedMs = Number.NEGATIVE_INFINITY;
  let refreshing: Promise<void> | undefined;
  let last: Promise<unknown> = Promise.resolve();
  const closing = new AbortController();
  const listeners = new Set<(state: CatalogState) => void>();

  /** One at a time: two changes of this process would only race each other for a number. */
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = last.then(work, work);
    last = turn.catch(() => undefined);
    return turn;
  }

  function advanceTo(next: CatalogState): void {
    state = next;
    for (const listener of listeners) {
      // Apart from the change, so that a listener that throws cannot make a durable change look failed.
      queueMicrotask(() => {
        if (listeners.has(listener)) listener(next);
      });
    }
  }

  /** Folds what is in the log behind the state. */
  async function catchUp(call: CallOptions): Promise<void> {
    for (;;) {
      const number = state.version + 1;
      // Before the question, not after the answer: a change may be made while that travels.
      const askedMs = clock.monotonicMs();
      const file = await readEntry(place, number, call);
      if (file === undefined) {
        confirmedMs = askedMs;
        return;
      }
      if (file !== 'emptied') {
        advanceTo(applyEdits(state, file.edits));
        continue;
      }
      const loaded = await loadCheckpoint(place, call);
      if (loaded.version < number) throw damaged(numberedPath(place.log, number), 'it is empty without a checkpoint');
      checkpointed = loaded.version;
      advanceTo(loaded);
    }
  }

  async function load(call: CallOptions): Promise<void> {
    state = await loadCheckpoint(place, call);
    checkpointed = state.version;
    await catchUp(call);
    if (!alone) following = follow();
  }

  async function follow(): Promise<void> {
    const call = { signal: closing.signal };
    while (!closing.signal.aborted) {
      try {
        await clock.sleep(FOLLOW_EVERY_MS, closing.signal);
        await inTurn(() => catchUp(call));
      } catch (error) {
        // Unreachable, damaged or closing: the state stands as it is, the next change meets the same fault and throws it.
        if (!isLakewardError(error)) throw error;
      }
    }
  }

  async function commit(base: number, edits: readonly CatalogEdit[], call: CallOptions): Promise<CatalogState> {
    if (opened === undefined) throw new Error('the catalog is not open');
    call.signal?.throwIfAborted();
    closing.signal.throwIfAborted();
    if (state.version !== base) throw conflict(base, state.version);
    // In a store that was emptied or exchanged the next number is free too, and what is written there would be nobody's.
    if (base > 0 && (await place.store.read(numberedPath(place.log, base), call)) === undefined) {
      throw damaged(numberedPath(place.log, base), 'it is gone, and this process has read it');
    }
    const file: CatalogFile = { version: base + 1, nonce: clock.uuid(), writtenMs: clock.nowMs(), edits };
    const bytes = encodeFile(file);
    if (!(await createEntry(place, clock, { file, bytes }, call))) {
      await catchUp(call);
      throw conflict(base, state.version);
    }
    // Folded from the bytes, so that the state is what a restart would read, whatever the caller does to its objects.
    const written = decodeFile(numberedPath(place.log, file.version), bytes) as CatalogFile;
    advanceTo(applyEdits(state, written.edits));
    const committed = state;
    if (committed.version - checkpointed >= CHECKPOINT_EVERY) await checkpoint(committed);
    return committed;
  }

  async function checkpoint(at: CatalogState): Promise<void> {
    try {
      await writeCheckpoint(place, at, { nonce: clock.uuid(), nowMs: clock.nowMs() }, { signal: closing.signal });
      checkpointed = at.version;
    } catch (error) {
      // The change is durable; the next one tries the checkpoint again.
      if (!isLakewardError(error, 'lake-unavailable') && !closing.signal.aborted) throw error;
    }
  }

  function change(base: number, edits: readonly CatalogEdit[], options: CallOptions = {}): Promise<CatalogState> {
    const complaint = editsComplaint(edits);
    if (complaint !== undefined) {
      return Promise.reject(new LakewardError('argument-invalid', `the change cannot be made: ${complaint}`));
    }
    return inTurn(() => commit(base, edits, options));
  }

  return {
    open(options = {}) {
      opened ??= load(options).catch((error: unknown) => {
        opened = undefined;
        throw error;
      });
      return opened;
    },
    read: () => state,
    refresh(options = {}) {
      if (alone) return Promise.resolve();
      if (options.signal !== undefined) return inTurn(() => catchUp(options));
      // Shared by those who come before it begins: later ones may know of a change that it misses.
      refreshing ??= inTurn(() => {
        refreshing = undefined;
        return catchUp({});
      });
      return refreshing;
    },
    confirmedMs: () => (alone ? clock.monotonicMs() : confirmedMs),
    change,
    async edit(make, options) {
      for (let attempt = 1; ; attempt += 1) {
        const before = state;
        const edits = make(before);
        if (edits.length === 0) return before;
        try {
          return await change(before.version, edits, options);
        } catch (error) {
          if (!isLakewardError(error, 'catalog-conflict') || attempt === EDIT_TRIES_MAX) throw error;
        }
      }
    },
    watch(listener) {
      // A function of its own, so that one listener may watch twice and stop once.
      const own = (next: CatalogState): void => listener(next);
      listeners.add(own);
      return () => {
        listeners.delete(own);
      };
    },
    async close() {
      closing.abort(new LakewardError('service-stopping', 'the catalog is closed'));
      listeners.clear();
      await last;
      await following;
    },
  };
}

async function readEntry(
  { store, log }: CatalogPlace,
  number: number,
  call: CallOptions,
): Promise<CatalogFile | 'emptied' | undefined> {
  const path = numberedPath(log, number);
  const bytes = await store.read(path, call);
  return bytes === undefined ? undefined : decodeFile(path, bytes);
}

/**
 * Whether the entry is in the log under its number. An unclear answer is resolved by reading back: our nonce means made,
 * another means lost, and absent means nothing, so the create is repeated. Throws `lake-unavailable` when it stays unclear.
 */
async function createEntry(
  place: CatalogPlace,
  clock: Clock,
  entry: { readonly file: CatalogFile; readonly bytes: Uint8Array },
  call: CallOptions,
): Promise<boolean> {
  const { version, nonce } = entry.file;
  for (let attempt = 1; ; attempt += 1) {
    try {
      if ((await place.store.create(numberedPath(place.log, version), entry.bytes, call)) === 'created') return true;
      const found = await readEntry(place, version, call);
      if (found !== undefined) return found !== 'emptied' && found.nonce === nonce;
      if (attempt >= CREATE_TRIES)
        throw new LakewardError('lake-unavailable', `entry ${version} is said to exist but is not there`);
    } catch (error) {
      if (!isLakewardError(error, 'lake-unavailable') || attempt >= CREATE_TRIES) throw error;
    }
    await clock.sleep(CREATE_PAUSE_MS * 2 ** (attempt - 1), call.signal);
  }
}

function conflict(base: number, version: number): LakewardError {
  return new LakewardError('catalog-conflict', `the change was made on version ${base}, the catalog is at ${version}`, {
    details: { base, version },
  });
}
