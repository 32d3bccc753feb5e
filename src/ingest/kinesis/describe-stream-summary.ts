/** DescribeStreamSummary: a stream without its shards. */
import { LIMITS } from '../../model/limits.ts';
import { openShards } from '../../model/reshard.ts';
import { defineAction } from './action.ts';
import { STREAM_ARN, STREAM_NAME } from './shape.ts';
import type { StreamAddress } from './stream-address.ts';
import { streamIn } from './stream-address.ts';
import { streamFacts } from './stream-view.ts';

export const describeStreamSummary = defineAction({
  name: 'DescribeStreamSummary',
  input: { kind: 'structure', members: { StreamName: STREAM_NAME, StreamARN: STREAM_ARN } },
  run: (input: StreamAddress, { streams }) => {
    const { document } = streamIn(input, streams);
    return {
      StreamDescriptionSummary: {
        ...streamFacts(document),
        OpenShardCount: openShards(document).length,
        ConsumerCount: 0,
        MaxRecordSizeInKiB: LIMITS.recordBytesMax / 1024,
      },
    };
  },
});
