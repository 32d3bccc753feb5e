/** CreateStream. The stream is ready when the call is answered; AWS says CREATING for a while. */
import { LIMITS } from '../../model/limits.ts';
import { defineAction } from './action.ts';
import { STREAM_NAME } from './shape.ts';
import { WireError } from './wire-error.ts';

interface CreateStreamInput {
  readonly StreamName: string;
  readonly ShardCount?: number | null;
  readonly StreamModeDetails?: { readonly StreamMode: 'PROVISIONED' | 'ON_DEMAND' } | null;
}

/** Shards an on-demand stream starts with on AWS. */
const ON_DEMAND_SHARDS = 4;

export const createStream = defineAction({
  name: 'CreateStream',
  input: {
    kind: 'structure',
    required: ['StreamName'],
    members: {
      StreamName: STREAM_NAME,
      ShardCount: { kind: 'integer', min: 1 },
      StreamModeDetails: {
        kind: 'structure',
        required: ['StreamMode'],
        members: { StreamMode: { kind: 'string', accepted: ['PROVISIONED', 'ON_DEMAND'] } },
      },
      // Taken and not kept: records of the full size are always accepted, and throughput is not rationed.
      MaxRecordSizeInKiB: { kind: 'integer', min: 1024, max: 10_240 },
      WarmThroughputMiBps: { kind: 'integer', min: 0 },
      Tags: { kind: 'map', of: { kind: 'string', max: 256 }, max: 200 },
    },
  },
  run: async ({ StreamName, ShardCount, StreamModeDetails }: CreateStreamInput, { streams }) => {
    const isOnDemand = StreamModeDetails?.StreamMode === 'ON_DEMAND';
    if (isOnDemand && typeof ShardCount === 'number') {
      throw new WireError('InvalidArgumentException', 'ShardCount must not be given for a stream of mode ON_DEMAND.');
    }
    const shards = ShardCount ?? (isOnDemand ? ON_DEMAND_SHARDS : undefined);
    if (shards === undefined) {
      throw new WireError('InvalidArgumentException', 'ShardCount must be given for a stream of mode PROVISIONED.');
    }
    if (shards > LIMITS.shardsMax) {
      throw new WireError('LimitExceededException', `A stream has at most ${LIMITS.shardsMax} shards.`);
    }
    if (streams.find(StreamName) !== undefined) {
      throw new WireError('ResourceInUseException', `Stream ${StreamName} already exists.`);
    }
    await streams.create({ name: StreamName, shards, retentionMs: LIMITS.retentionMsDefault });
    return undefined;
  },
});
