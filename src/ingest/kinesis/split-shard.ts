/** SplitShard. Answered when the split is under way and cannot be lost; the stream is UPDATING until the children are open. */
import { splitTarget } from '../shard-targets.ts';
import { defineAction } from './action.ts';
import { HASH_KEY, SHARD_ID, STREAM_ARN, STREAM_NAME } from './shape.ts';
import type { StreamAddress } from './stream-address.ts';
import { streamIn } from './stream-address.ts';

interface SplitShardInput extends StreamAddress {
  readonly ShardToSplit: string;
  readonly NewStartingHashKey: string;
}

export const splitShard = defineAction({
  name: 'SplitShard',
  input: {
    kind: 'structure',
    required: ['ShardToSplit', 'NewStartingHashKey'],
    members: {
      StreamName: STREAM_NAME,
      StreamARN: STREAM_ARN,
      ShardToSplit: SHARD_ID,
      NewStartingHashKey: HASH_KEY,
    },
  },
  run: async (input: SplitShardInput, { streams }) => {
    const { document } = streamIn(input, streams);
    await streams.shards.begin(document.name, splitTarget(input.ShardToSplit, input.NewStartingHashKey));
    return undefined;
  },
});
