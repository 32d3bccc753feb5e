/**
 * PutRecords: the hot path. Bodies in the plain form are read without a JSON parser, others with it, to the same result; base64 is
 * decoded once, straight into the batch. The request fails as a whole when any record of it is malformed, as in Kinesis; a record
 * that the broker could not store fails alone.
 */
import { LIMITS } from '../../model/limits.ts';
import type { BatchWriter } from '../batch-writer.ts';
import { countAppend } from '../ingest-metrics.ts';
import type { LiveStream } from '../live-stream.ts';
import type { ActionContext, ActionResult } from './action.ts';
import { defineAction } from './action.ts';
import { refuseDryRun } from './dry-run.ts';
import { readPlainPutRecords } from './plain-put-records.ts';
import { putRecordsAnswer } from './put-records-answer.ts';
import type { WireRecord } from './record-intake.ts';
import { gatherRecords } from './record-intake.ts';
import type { StructureShape } from './shape.ts';
import { HASH_KEY, PARTITION_KEY, STREAM_ARN, STREAM_NAME, checkInput } from './shape.ts';
import type { StreamAddress } from './stream-address.ts';
import { streamIn } from './stream-address.ts';

interface PutRecordsInput extends StreamAddress {
  readonly Records: readonly WireRecord[];
  readonly DryRun?: boolean | null;
}

const INPUT: StructureShape = {
  kind: 'structure',
  required: ['Records'],
  members: {
    Records: {
      kind: 'list',
      min: 1,
      max: LIMITS.putRecordsMax,
      of: {
        kind: 'structure',
        required: ['Data', 'PartitionKey'],
        members: { Data: { kind: 'blob' }, PartitionKey: PARTITION_KEY, ExplicitHashKey: HASH_KEY },
      },
    },
    StreamName: STREAM_NAME,
    StreamARN: STREAM_ARN,
    DryRun: { kind: 'boolean' },
  },
};

export const putRecords = defineAction({
  name: 'PutRecords',
  input: INPUT,
  bodyBytesMax: LIMITS.bodyBytesMax,
  check: (input) => {
    if (!isPlain(input as Partial<PutRecordsInput>)) checkInput(INPUT, input);
  },
  runPlain: (body, context) => {
    const plain = readPlainPutRecords(body, context.memory);
    const stream = plain && context.streams.find(plain.streamName);
    return stream && store(plain.writer, stream, context);
  },
  run: async (input: PutRecordsInput, context) => {
    const stream = streamIn(input, context.streams);
    const records = gatherRecords(input.Records, {
      nameOf: (i) => `Records.${i + 1}.Data`,
      memory: context.memory,
    });
    refuseDryRun(input);
    return store(records, stream, context);
  },
});

async function store(
  records: BatchWriter,
  asked: LiveStream,
  { streams, metrics, signal }: ActionContext,
): Promise<ActionResult> {
  const { stream, batch, result } = await streams.append(asked, records, signal);
  countAppend(metrics, batch, result, { protocol: 'kinesis', stream: stream.document.name });
  return putRecordsAnswer(batch, result, stream);
}

/** True when the slow check would find nothing: what nearly every request is. */
function isPlain({ Records, StreamName, StreamARN, DryRun }: Partial<PutRecordsInput>): boolean {
  if (!Array.isArray(Records) || Records.length < 1 || Records.length > LIMITS.putRecordsMax) return false;
  if (typeof StreamName !== 'string' || !/^[a-zA-Z0-9_.-]{1,128}$/.test(StreamName)) return false;
  if (StreamARN !== undefined || DryRun !== undefined) return false;
  for (const record of Records as readonly (Partial<WireRecord> | null)[]) {
    if (typeof record?.Data !== 'string' || typeof record.PartitionKey !== 'string') return false;
    const { length } = record.PartitionKey;
    if (length < 1 || length > LIMITS.partitionKeyCharsMax || record.ExplicitHashKey !== undefined) return false;
  }
  return true;
}
