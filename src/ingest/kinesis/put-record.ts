/** PutRecord: one record, and the call fails when it could not be stored. */
import { LakewardError } from '../../model/errors.ts';
import { LIMITS } from '../../model/limits.ts';
import { countAppend } from '../ingest-metrics.ts';
import { defineAction } from './action.ts';
import { refuseDryRun } from './dry-run.ts';
import type { WireRecord } from './record-intake.ts';
import { gatherRecords } from './record-intake.ts';
import { HASH_KEY, PARTITION_KEY, SEQUENCE_NUMBER, STREAM_ARN, STREAM_NAME } from './shape.ts';
import type { StreamAddress } from './stream-address.ts';
import { streamIn } from './stream-address.ts';

interface PutRecordInput extends StreamAddress, WireRecord {
  readonly DryRun?: boolean | null;
}

export const putRecord = defineAction({
  name: 'PutRecord',
  bodyBytesMax: LIMITS.bodyBytesMax,
  input: {
    kind: 'structure',
    required: ['Data', 'PartitionKey'],
    members: {
      Data: { kind: 'blob' },
      PartitionKey: PARTITION_KEY,
      ExplicitHashKey: HASH_KEY,
      // Puts of one client are stored in the order they are sent anyway, when each waits for the one before.
      SequenceNumberForOrdering: SEQUENCE_NUMBER,
      StreamName: STREAM_NAME,
      StreamARN: STREAM_ARN,
      DryRun: { kind: 'boolean' },
    },
  },
  run: async (input: PutRecordInput, { streams, metrics, memory, signal }) => {
    const asked = streamIn(input, streams);
    const records = gatherRecords([input], { nameOf: () => 'Data', memory });
    refuseDryRun(input);
    const { stream, batch, result } = await streams.append(asked, records, signal);
    countAppend(metrics, batch, result, { protocol: 'kinesis', stream: stream.document.name });
    const failure = result.failures[0];
    if (failure !== undefined) throw new LakewardError(failure.code, 'the record could not be stored');
    const shard = batch.shards[0] as number;
    return {
      ShardId: stream.shardIds[shard],
      SequenceNumber: stream.sequenceNumber[shard]?.(result.offsets[0] as number),
    };
  },
});
