/** How shards look on the wire, and which of them are still there: a closed shard goes when its last record is past retention. */
import { sequenceNumbersOf } from '../../model/sequence-number.ts';
import type { ShardDocument, StreamDocument } from '../../model/stream.ts';
import { formatShardId } from '../../model/stream.ts';

/** Above every offset: the number a closed shard ends with. */
const OFFSET_LAST = Number.MAX_SAFE_INTEGER;

export function shardView(shard: ShardDocument): object {
  const number = sequenceNumbersOf(shard);
  const [parent, adjacent] = shard.parents;
  return {
    ShardId: formatShardId(shard.index),
    ...(parent !== undefined && { ParentShardId: formatShardId(parent) }),
    ...(adjacent !== undefined && { AdjacentParentShardId: formatShardId(adjacent) }),
    HashKeyRange: { StartingHashKey: shard.startingHashKey, EndingHashKey: shard.endingHashKey },
    SequenceNumberRange: {
      StartingSequenceNumber: number(0),
      ...(shard.closedMs !== undefined && { EndingSequenceNumber: number(OFFSET_LAST) }),
    },
  };
}

/** Oldest time of which records can be there, epoch ms. */
export function horizonMs({ createdMs, retentionMs }: StreamDocument, nowMs: number): number {
  return Math.max(createdMs, nowMs - retentionMs);
}

/** Shards in order of creation, without those that retention has emptied. */
export function listedShards(document: StreamDocument, nowMs: number): ShardDocument[] {
  const horizon = horizonMs(document, nowMs);
  const listed = document.shards.filter(({ closedMs }) => closedMs === undefined || closedMs >= horizon);
  return listed.sort((a, b) => a.index - b.index);
}

export function isOpenAt({ createdMs, closedMs }: ShardDocument, atMs: number): boolean {
  return createdMs <= atMs && (closedMs === undefined || closedMs > atMs);
}
