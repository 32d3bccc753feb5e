/** GetShardIterator: a place in a shard, fixed now: `LATEST` does not move with what is stored later. */
import { parseSequenceNumber } from '../../model/sequence-number.ts';
import type { Offset, ShardDocument } from '../../model/stream.ts';
import { asOffset, asShard, formatShardId, parseShardId } from '../../model/stream.ts';
import type { LiveStream } from '../live-stream.ts';
import type { ActionContext } from './action.ts';
import { defineAction } from './action.ts';
import { refuseDryRun } from './dry-run.ts';
import { SEQUENCE_NUMBER, SHARD_ID, STREAM_ARN, STREAM_NAME } from './shape.ts';
import { formatIterator } from './shard-iterator.ts';
import type { StreamAddress } from './stream-address.ts';
import { streamIn } from './stream-address.ts';
import { WireError } from './wire-error.ts';

interface GetShardIteratorInput extends StreamAddress {
  readonly ShardId: string;
  readonly ShardIteratorType:
    | 'AT_SEQUENCE_NUMBER'
    | 'AFTER_SEQUENCE_NUMBER'
    | 'TRIM_HORIZON'
    | 'LATEST'
    | 'AT_TIMESTAMP';
  readonly StartingSequenceNumber?: string | null;
  readonly Timestamp?: number | null;
  readonly DryRun?: boolean | null;
}

const TYPES = ['AFTER_SEQUENCE_NUMBER', 'LATEST', 'AT_TIMESTAMP', 'AT_SEQUENCE_NUMBER', 'TRIM_HORIZON'];

export const getShardIterator = defineAction({
  name: 'GetShardIterator',
  input: {
    kind: 'structure',
    required: ['ShardId', 'ShardIteratorType'],
    members: {
      ShardId: SHARD_ID,
      ShardIteratorType: { kind: 'string', accepted: TYPES },
      StartingSequenceNumber: SEQUENCE_NUMBER,
      Timestamp: { kind: 'timestamp' },
      StreamName: STREAM_NAME,
      StreamARN: STREAM_ARN,
      DryRun: { kind: 'boolean' },
    },
  },
  run: async (input: GetShardIteratorInput, context) => {
    const stream = streamIn(input, context.streams);
    const shard = shardIn(input.ShardId, stream);
    const offset = await startOf(input, { stream, shard }, context);
    refuseDryRun(input);
    return { ShardIterator: formatIterator({ stream, shard, offset }, context.clock.nowMs()) };
  },
});

/** Throws ResourceNotFoundException for a shard that the stream does not have. */
export function shardIn(shardId: string, { document }: LiveStream): ShardDocument {
  const index = parseShardId(shardId);
  const shard = document.shards.find((one) => one.index === index);
  if (shard !== undefined) return shard;
  const message = `Could not find shard ${shardId} in stream ${document.name}.`;
  throw new WireError('ResourceNotFoundException', message);
}

interface Place {
  readonly stream: LiveStream;
  readonly shard: ShardDocument;
}

async function startOf(
  { ShardIteratorType, StartingSequenceNumber, Timestamp }: GetShardIteratorInput,
  { stream, shard }: Place,
  { broker, clock, signal }: ActionContext,
): Promise<Offset> {
  const locate = (at: Parameters<typeof broker.locate>[2]): Promise<Offset> =>
    broker.locate(stream.document.id, asShard(shard.index), at, { signal });
  switch (ShardIteratorType) {
    case 'TRIM_HORIZON':
      return locate('earliest');
    case 'LATEST':
      return locate('latest');
    case 'AT_TIMESTAMP': {
      if (typeof Timestamp !== 'number') throw lacks('Timestamp', ShardIteratorType);
      const atMs = Math.round(Timestamp * 1000);
      if (atMs > clock.nowMs()) {
        throw new WireError('InvalidArgumentException', `The timestamp ${Timestamp} lies in the future.`);
      }
      return locate({ atMs });
    }
    default: {
      // AT_SEQUENCE_NUMBER, AFTER_SEQUENCE_NUMBER
      if (typeof StartingSequenceNumber !== 'string') throw lacks('StartingSequenceNumber', ShardIteratorType);
      const offset = offsetIn(StartingSequenceNumber, { stream, shard });
      if (offset > (await locate('latest'))) throw invalidNumber(StartingSequenceNumber, 'it was not given yet');
      return ShardIteratorType === 'AT_SEQUENCE_NUMBER' ? offset : asOffset(offset + 1);
    }
  }
}

function offsetIn(text: string, { stream, shard }: Place): Offset {
  const parts = parseSequenceNumber(text);
  if (parts === undefined) throw invalidNumber(text, 'it is no sequence number of this stream');
  if (parts.shard !== asShard(shard.index)) {
    const [encoded, used] = [formatShardId(parts.shard), formatShardId(shard.index)];
    throw invalidNumber(text, `it encodes ${encoded}, while it was used in a call to a shard with ${used}`);
  }
  if (parts.shardCreatedMs !== shard.createdMs) {
    throw invalidNumber(text, `it is of another stream than the one that is named ${stream.document.name} now`);
  }
  return parts.offset;
}

function invalidNumber(text: string, reason: string): WireError {
  return new WireError('InvalidArgumentException', `Invalid StartingSequenceNumber ${text}: ${reason}.`);
}

function lacks(member: string, type: string): WireError {
  return new WireError('InvalidArgumentException', `${member} must be given with ShardIteratorType ${type}.`);
}
