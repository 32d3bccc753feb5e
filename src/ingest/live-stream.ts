/** A stream with what the hot path needs, and what the broker is told of it. Both follow from its document alone. */
import type { ShardRouter } from '../model/hash-range.ts';
import { shardRouter } from '../model/hash-range.ts';
import { storageShards } from '../model/reshard.ts';
import { sequenceNumbersOf } from '../model/sequence-number.ts';
import type { StreamDocument } from '../model/stream.ts';
import { formatShardId } from '../model/stream.ts';
import type { StreamStorage } from '../ports/broker.ts';

/** Made once for every version of its document. */
export interface LiveStream {
  readonly document: StreamDocument;
  /** Over the open shards, those among them that are being closed too. */
  readonly router: ShardRouter;
  /** Open shards to which no append is begun any more. */
  readonly closing: ReadonlySet<number> | undefined;
  /** By shard index: all but the sequence number itself is fixed. */
  readonly sequenceNumber: readonly ((offset: number) => string)[];
  /** By shard index. */
  readonly shardIds: readonly string[];
}

export function liveStream(document: StreamDocument): LiveStream {
  const byIndex = [...document.shards].sort((a, b) => a.index - b.index);
  return {
    document,
    router: shardRouter(document.shards),
    closing: document.reshard === undefined ? undefined : new Set(document.reshard.parents),
    sequenceNumber: byIndex.map((shard) => sequenceNumbersOf(shard)),
    shardIds: byIndex.map(({ index }) => formatShardId(index)),
  };
}

/** What the broker is told of a stream. */
export function storageOf(document: StreamDocument): StreamStorage {
  const { id, retentionMs, topic } = document;
  return { id, shardCount: storageShards(document), retentionMs, ...(topic !== undefined && { topic }) };
}
