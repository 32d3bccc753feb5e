/**
 * UpdateShardCount: shards of equal size, at most twice as many as now and at least half as many, as AWS has it. How often a day is not
 * rationed.
 */
import { LIMITS } from '../../model/limits.ts';
import { openShards } from '../../model/reshard.ts';
import { scaleTarget } from '../shard-targets.ts';
import { defineAction } from './action.ts';
import { STREAM_ARN, STREAM_NAME } from './shape.ts';
import type { StreamAddress } from './stream-address.ts';
import { arnOf, streamIn } from './stream-address.ts';
import { WireError } from './wire-error.ts';

interface UpdateShardCountInput extends StreamAddress {
  readonly TargetShardCount: number;
  readonly ScalingType: 'UNIFORM_SCALING';
}

export const updateShardCount = defineAction({
  name: 'UpdateShardCount',
  input: {
    kind: 'structure',
    required: ['TargetShardCount', 'ScalingType'],
    members: {
      StreamName: STREAM_NAME,
      StreamARN: STREAM_ARN,
      TargetShardCount: { kind: 'integer', min: 1 },
      ScalingType: { kind: 'string', accepted: ['UNIFORM_SCALING'] },
    },
  },
  run: async (input: UpdateShardCountInput, { streams }) => {
    const { document } = streamIn(input, streams);
    const { name } = document;
    const { TargetShardCount } = input;
    if (TargetShardCount > LIMITS.shardsMax) {
      throw new WireError('LimitExceededException', `A stream has at most ${LIMITS.shardsMax} shards.`);
    }
    const now = openShards(document).length;
    await streams.shards.begin(name, (before) => {
      checkFactor(openShards(before).length, TargetShardCount);
      return scaleTarget(TargetShardCount)(before);
    });
    return { StreamName: name, StreamARN: arnOf(name), CurrentShardCount: now, TargetShardCount };
  },
});

function checkFactor(now: number, target: number): void {
  const refuse = (how: string): never => {
    throw new WireError(
      'InvalidArgumentException',
      `UpdateShardCount cannot scale ${how} your current open shard count.`,
    );
  };
  if (target > 2 * now) refuse('up over double');
  if (2 * target < now) refuse('down below half');
}
