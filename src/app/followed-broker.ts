/**
 * The broker of a process that shares its catalog, or whose topics others may delete: streams that other processes make, grow or delete are opened, grown and given up
 * here when the change is seen, and one that is asked for before that is opened then. The rest is the broker's own.
 */
import { storageOf } from '../ingest/live-stream.ts';
import { isLakewardError } from '../model/errors.ts';
import type { StreamDocument, StreamId } from '../model/stream.ts';
import type { Broker, OpenReport, StreamStorage } from '../ports/broker.ts';
import type { Catalog, CatalogState } from '../ports/catalog.ts';
import type { Log } from '../ports/telemetry.ts';

export interface FollowedBroker extends Broker {
  /** How many shards there is storage for now, whoever made it. */
  storedShards(document: StreamDocument): Promise<number>;
  /** Follows the catalog from now on, until the end is called. */
  follow(): () => void;
}

export function followedBroker(inner: Broker, { catalog, log }: { catalog: Catalog; log: Log }): FollowedBroker {
  /** What each stream was last opened as, or is being opened as. */
  const opened = new Map<StreamId, { readonly as: string; readonly done: Promise<OpenReport> }>();

  function openOnce(storage: StreamStorage): Promise<OpenReport> {
    const as = `${storage.shardCount} shards, ${storage.retentionMs} ms`;
    const known = opened.get(storage.id);
    // Others may have changed a topic that is theirs.
    if (known?.as === as && storage.topic?.adopted !== true) return known.done;
    // One after the other, so that what was asked for last stays: a retention may grow and shrink.
    const before = known?.done.catch(() => undefined) ?? Promise.resolve();
    const done = before.then(() => inner.open(storage));
    opened.set(storage.id, { as, done });
    done.catch(() => {
      // Tried again by the next that needs it.
      if (opened.get(storage.id)?.done === done) opened.delete(storage.id);
    });
    return done;
  }

  async function giveUp(id: StreamId): Promise<void> {
    opened.delete(id);
    try {
      // Its records are for whom a deletion in the catalog tells to drop: that one is missing here proves nothing.
      await inner.release(id);
    } catch (error) {
      log.warn('a stream that left the catalog cannot be given up', { stream: id, error });
    }
  }

  function apply(before: CatalogState, { stream }: CatalogState): void {
    const ids = new Set([...stream.values()].map(({ id }) => id));
    for (const { id } of before.stream.values()) if (!ids.has(id)) void giveUp(id);
    for (const document of stream.values()) {
      openOnce(storageOf(document)).catch((error: unknown) => {
        log.warn('a stream cannot be opened', { stream: document.name, error });
      });
    }
  }

  /** Does it, and again when it only failed because this process had not yet opened what the catalog has. */
  async function having<T>(id: StreamId, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (!isLakewardError(error, 'stream-not-found') && !isLakewardError(error, 'shard-not-found')) throw error;
      const document = [...catalog.read().stream.values()].find((one) => one.id === id);
      if (document === undefined) throw error;
      await openOnce(storageOf(document));
    }
    return work();
  }

  return {
    async storedShards(document) {
      const { topic } = await inner.open({ ...storageOf(document), asFound: true });
      return topic?.partitions ?? document.shards.length;
    },
    open: openOnce,
    remove(id, call) {
      opened.delete(id);
      return inner.remove(id, call);
    },
    release: giveUp,
    append: (id, batch, call) => having(id, () => inner.append(id, batch, call)),
    read: (id, positions, options) => having(id, () => inner.read(id, positions, options)),
    locate: (id, shard, at, call) => having(id, () => inner.locate(id, shard, at, call)),
    pending: (id, positions, options) => having(id, () => inner.pending(id, positions, options)),
    retain: (id, nowMs, call) => having(id, () => inner.retain(id, nowMs, call)),
    close() {
      opened.clear();
      return inner.close();
    },
    follow() {
      let last = catalog.read();
      apply(last, last);
      return catalog.watch((state) => {
        apply(last, state);
        last = state;
      });
    },
  };
}
