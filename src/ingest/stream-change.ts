/** Changing the catalog from what it holds: the edit is made anew whenever somebody else was faster. */
import { LakewardError, isLakewardError } from '../model/errors.ts';
import type { StreamDocument } from '../model/stream.ts';
import type { Catalog, CatalogEdit, CatalogState } from '../ports/catalog.ts';

const TRIES_MAX = 10;

/** `edits` may throw to refuse; none means nothing to do. Throws `catalog-conflict` when others are faster every time. */
export async function changeCatalog(
  catalog: Catalog,
  edits: (state: CatalogState) => readonly CatalogEdit[],
): Promise<void> {
  for (let tries = 1; ; tries++) {
    const state = catalog.read();
    const wanted = edits(state);
    if (wanted.length === 0) return;
    try {
      await catalog.change(state.version, wanted);
      return;
    } catch (error) {
      if (!isLakewardError(error, 'catalog-conflict') || tries === TRIES_MAX) throw error;
    }
  }
}

/** Changes one stream; gives it as it is then. `edit` gives the same document for nothing to do. Throws `stream-not-found`. */
export async function changeStream(
  catalog: Catalog,
  name: string,
  edit: (document: StreamDocument) => StreamDocument,
): Promise<StreamDocument> {
  let after: StreamDocument | undefined;
  await changeCatalog(catalog, ({ stream }) => {
    const before = stream.get(name);
    if (before === undefined) throw streamNotFound(name);
    after = edit(before);
    return after === before ? [] : [{ kind: 'stream', key: name, document: after }];
  });
  return after as StreamDocument;
}

/** Resolves at the next change; rejects with the signal's reason. */
export async function nextChange(catalog: Catalog, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const abort = (): void => reject(signal.reason);
  const unwatch = catalog.watch(() => resolve());
  signal.addEventListener('abort', abort, { once: true });
  try {
    await promise;
  } finally {
    unwatch();
    signal.removeEventListener('abort', abort);
  }
}

export function streamNotFound(name: string): LakewardError {
  return new LakewardError('stream-not-found', `there is no stream '${name}'`);
}
