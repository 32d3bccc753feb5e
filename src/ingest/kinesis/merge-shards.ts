/** MergeShards. Answered when the merge is under way and cannot be lost; the stream is UPDATING until the child is open. */
import { mergeTarget } from '../shard-targets.ts';
import { defineAction } from './action.ts';
import { SHARD_ID, STREAM_ARN, STREAM_NAME } from './shape.ts';
import type { StreamAddress } from './stream-address.ts';
import { streamIn } from './stream-address.ts';

interface MergeShardsInput extends StreamAddress {
  readonly ShardToMerge: string;
  readonly AdjacentShardToMerge: string;
}

export const mergeShards = defineAction({
  name: 'MergeShards',
  input: {
    kind: 'structure',
    required: ['ShardToMerge', 'AdjacentShardToMerge'],
    members: {
      StreamName: STREAM_NAME,
      StreamARN: STREAM_ARN,
      ShardToMerge: SHARD_ID,
      AdjacentShardToMerge: SHARD_ID,
    },
  },
  run: async (input: MergeShardsInput, { streams }) => {
    const { document } = streamIn(input, streams);
    await streams.shards.begin(document.name, mergeTarget(input.ShardToMerge, input.AdjacentShardToMerge));
    return undefined;
  },
});
