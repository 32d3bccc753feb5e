/** IncreaseStreamRetentionPeriod and DecreaseStreamRetentionPeriod: the same, but that each goes one way only. */
import { LIMITS } from '../../model/limits.ts';
import { defineAction } from './action.ts';
import { STREAM_ARN, STREAM_NAME } from './shape.ts';
import type { StructureShape } from './shape.ts';
import type { StreamAddress } from './stream-address.ts';
import { streamIn } from './stream-address.ts';
import { WireError } from './wire-error.ts';

interface RetentionInput extends StreamAddress {
  readonly RetentionPeriodHours: number;
}

const HOUR_MS = 3_600_000;
const INPUT: StructureShape = {
  kind: 'structure',
  required: ['RetentionPeriodHours'],
  members: {
    StreamName: STREAM_NAME,
    StreamARN: STREAM_ARN,
    RetentionPeriodHours: {
      kind: 'integer',
      min: LIMITS.retentionMsMin / HOUR_MS,
      max: LIMITS.retentionMsMax / HOUR_MS,
    },
  },
};

function retentionAction(name: string, way: 'longer' | 'shorter') {
  return defineAction({
    name,
    input: INPUT,
    run: async (input: RetentionInput, { streams }) => {
      const { document } = streamIn(input, streams);
      const retentionMs = input.RetentionPeriodHours * HOUR_MS;
      if (way === 'longer' ? retentionMs < document.retentionMs : retentionMs > document.retentionMs) {
        const now = `${document.retentionMs / HOUR_MS} hours`;
        throw new WireError(
          'InvalidArgumentException',
          `Requested retention period (${input.RetentionPeriodHours} hours) must not be ${way === 'longer' ? 'shorter' : 'longer'} than the current one (${now}).`,
        );
      }
      await streams.retain(document.name, retentionMs);
      return undefined;
    },
  });
}

export const increaseRetention = retentionAction('IncreaseStreamRetentionPeriod', 'longer');
export const decreaseRetention = retentionAction('DecreaseStreamRetentionPeriod', 'shorter');
