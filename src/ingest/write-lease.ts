/**
 * Where several processes append to the same streams: this one may rely on the shards it knows for as long as it is known that they were
 * the newest a short time ago. The catalog says so every second. When its store is away, the storage of the stream can tell as well:
 * every change of shards begins by growing it, so one that has not grown has not changed. So producers are not sent away for a lake's sake.
 */
import { storageShards } from '../model/reshard.ts';
import type { StreamDocument, StreamId } from '../model/stream.ts';
import type { Catalog } from '../ports/catalog.ts';
import type { Clock } from '../ports/clock.ts';

/** From the last time the shards were known to be the newest. Others wait for so long before they open the successors of a shard. */
export const WRITE_LEASE_MS = 3_000;
/** Pause between two questions when neither gave an answer. */
const AGAIN_MS = 100;

export interface SharedStreams {
  /** How many shards there is storage for now, whoever made it. */
  storedShards(document: StreamDocument): Promise<number>;
}

/** Undefined while records may be appended; else what to wait for before asking again. Does not throw. */
export type WriteLease = (document: StreamDocument) => ((signal: AbortSignal) => Promise<void>) | undefined;

export interface WriteLeaseOptions {
  readonly catalog: Pick<Catalog, 'confirmedMs' | 'refresh'>;
  readonly clock: Clock;
  readonly shared: SharedStreams;
}

export function writeLease({ catalog, clock, shared }: WriteLeaseOptions): WriteLease {
  const unchanged = new Map<StreamId, { readonly shards: number; readonly atMs: number }>();
  const asking = new Map<StreamId, Promise<void>>();

  async function ask(document: StreamDocument): Promise<void> {
    const atMs = clock.monotonicMs();
    const shards = storageShards(document);
    // Whichever is sooner: either suffices. What fails is asked again after the pause.
    const fromCatalog = catalog.refresh();
    const fromStorage = shared.storedShards(document).then((stored) => {
      if (stored !== shards) throw new Error('the shards are being changed');
      unchanged.set(document.id, { shards, atMs });
    });
    try {
      await Promise.any([fromCatalog, fromStorage]);
    } catch {
      await clock.sleep(AGAIN_MS);
    }
  }

  return (document) => {
    // The shards of a topic of others only grow in number: none is ever closed.
    if (document.topic?.adopted === true) return undefined;
    const nowMs = clock.monotonicMs();
    if (nowMs - catalog.confirmedMs() < WRITE_LEASE_MS) return undefined;
    const known = unchanged.get(document.id);
    if (known?.shards === storageShards(document) && nowMs - known.atMs < WRITE_LEASE_MS) return undefined;
    return () => {
      let question = asking.get(document.id);
      if (question === undefined) {
        question = ask(document).finally(() => asking.delete(document.id));
        asking.set(document.id, question);
      }
      return question;
    };
  };
}
