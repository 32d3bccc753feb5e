/** Changing one stream of the catalog, and waiting for its changes. */
import { LakewardError } from '../model/errors.ts';
import type { StreamDocument } from '../model/stream.ts';
import type { Catalog } from '../ports/catalog.ts';

/** Changes one stream; gives it as it is then. `edit` gives the same document for nothing to do. Throws `stream-not-found`. */
export async function changeStream(
  catalog: Catalog,
  name: string,
  edit: (document: StreamDocument) => StreamDocument,
): Promise<StreamDocument> {
  let after: StreamDocument | undefined;
  await catalog.edit(({ stream }) => {
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
