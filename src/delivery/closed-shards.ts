/**
 * Shards that were split or merged, for who lands them: they are read like all others, and what is found behind the end they were closed
 * with was stored by a process that was frozen meanwhile. It lands, and is counted, since readers that went on to the children miss it.
 */
import type { Offset, ShardIndex, StreamDocument } from '../model/stream.ts';
import { asShard } from '../model/stream.ts';
import type { CatalogState } from '../ports/catalog.ts';

/** By shard: where it ended when it was closed. */
export type ClosedShards = ReadonlyMap<ShardIndex, number>;

/** Of the stream as it is known now: it may have been opened with other shards. */
export function closedShards({ stream }: Pick<CatalogState, 'stream'>, opened: StreamDocument): ClosedShards {
  const newest = stream.get(opened.name);
  const { shards } = newest?.id === opened.id ? newest : opened;
  return new Map(
    shards.flatMap(({ index, closedMs, closedEnd }) =>
      closedMs === undefined ? [] : [[asShard(index), closedEnd ?? Number.MAX_SAFE_INTEGER] as const],
    ),
  );
}

export function countStragglers(
  ranges: ReadonlyMap<ShardIndex, { readonly from: Offset; readonly to: Offset }>,
  closed: ClosedShards,
): number {
  let stragglers = 0;
  for (const [shard, { from, to }] of ranges) {
    const end = closed.get(shard);
    if (end !== undefined && to > end) stragglers += to - Math.max(from, end);
  }
  return stragglers;
}
