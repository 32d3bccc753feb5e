/** Where the shards of a stream shall begin after a split, a merge or a scaling; refusals as Kinesis clients know them. Pure. */
import { LakewardError } from '../model/errors.ts';
import { parseHashKey } from '../model/hash-range.ts';
import { LIMITS } from '../model/limits.ts';
import { evenStarts, openShards } from '../model/reshard.ts';
import type { ShardIndex, StreamDocument } from '../model/stream.ts';
import { formatShardId, parseShardId } from '../model/stream.ts';

export type Target = (document: StreamDocument) => readonly bigint[];

/** Splits a shard at a hash key, in the middle of it by default. */
export function splitTarget(shardId: string, at?: string): Target {
  return (document) => {
    const shard = openShard(document, shardId);
    const start = at === undefined ? (shard.start + shard.end + 1n) / 2n : parseHashKey(at);
    if (start === undefined || start <= shard.start || start > shard.end) {
      const range = `${shard.start} to ${shard.end}`;
      throw new LakewardError(
        'argument-invalid',
        `the new starting hash key ${at ?? start} must lie within ${shardId}, behind its first: ${range}`,
      );
    }
    return [...openShards(document).map((one) => one.start), start].sort((a, b) => (a < b ? -1 : 1));
  };
}

/** Merges two neighbours. */
export function mergeTarget(shardId: string, adjacentId: string): Target {
  return (document) => {
    const [one, other] = [openShard(document, shardId), openShard(document, adjacentId)];
    const [low, high] = one.start < other.start ? [one, other] : [other, one];
    if (low.end + 1n !== high.start) {
      throw new LakewardError('argument-invalid', `the shards ${shardId} and ${adjacentId} are not adjacent`);
    }
    return openShards(document).flatMap(({ start }) => (start === high.start ? [] : [start]));
  };
}

/** Shards of equal size. */
export function scaleTarget(count: number): Target {
  return () => {
    if (!Number.isInteger(count) || count < 1 || count > LIMITS.shardsMax) {
      throw new LakewardError('argument-invalid', `a stream has 1 to ${LIMITS.shardsMax} open shards (${count})`);
    }
    return evenStarts(count);
  };
}

function openShard(document: StreamDocument, shardId: string): { start: bigint; end: bigint; index: number } {
  const index: ShardIndex | undefined = parseShardId(shardId);
  const open = openShards(document).find((shard) => shard.index === index);
  if (open !== undefined) return open;
  const known = document.shards.find((shard) => shard.index === index);
  if (known === undefined)
    throw new LakewardError('shard-not-found', `stream '${document.name}' has no shard ${shardId}`);
  const children = document.shards.filter(({ parents }) => parents.includes(known.index));
  const names = children.map((child) => formatShardId(child.index)).join(', ');
  throw new LakewardError('argument-invalid', `${shardId} is closed already; its successors are ${names}`);
}
