/** DescribeStream: a stream with its shards, in pages of at most 100 unless asked otherwise. */
import { parseShardId } from '../../model/stream.ts';
import { defineAction } from './action.ts';
import { SHARD_ID, STREAM_ARN, STREAM_NAME } from './shape.ts';
import { listedShards, shardView } from './shard-view.ts';
import type { StreamAddress } from './stream-address.ts';
import { streamIn } from './stream-address.ts';
import { streamFacts } from './stream-view.ts';
import { WireError } from './wire-error.ts';

interface DescribeStreamInput extends StreamAddress {
  readonly Limit?: number | null;
  readonly ExclusiveStartShardId?: string | null;
}

const PAGE = 100;

export const describeStream = defineAction({
  name: 'DescribeStream',
  input: {
    kind: 'structure',
    members: {
      StreamName: STREAM_NAME,
      StreamARN: STREAM_ARN,
      Limit: { kind: 'integer', min: 1, max: 10_000 },
      ExclusiveStartShardId: SHARD_ID,
    },
  },
  run: (input: DescribeStreamInput, { streams, clock }) => {
    const { document } = streamIn(input, streams);
    const start = input.ExclusiveStartShardId ?? undefined;
    const after = start === undefined ? -1 : parseShardId(start);
    if (after === undefined) throw new WireError('InvalidArgumentException', `Invalid ExclusiveStartShardId ${start}.`);
    const found = listedShards(document, clock.nowMs()).filter(({ index }) => index > after);
    const page = found.slice(0, input.Limit ?? PAGE);
    return {
      StreamDescription: {
        ...streamFacts(document),
        Shards: page.map(shardView),
        HasMoreShards: page.length < found.length,
      },
    };
  },
});
