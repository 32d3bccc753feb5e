/**
 * GetRecords: what a shard holds behind an iterator, answered at once, also when that is nothing. A reader has come to the end of a
 * closed shard when there is no `NextShardIterator`; then, and only then, `ChildShards` name where to go on.
 */
import { Buffer } from 'node:buffer';
import { LIMITS } from '../../model/limits.ts';
import type { RecordBatch } from '../../model/record-batch.ts';
import type { ShardDocument } from '../../model/stream.ts';
import { asOffset, asShard, formatShardId } from '../../model/stream.ts';
import type { LiveStream } from '../live-stream.ts';
import { defineAction } from './action.ts';
import { refuseDryRun } from './dry-run.ts';
import { STREAM_ARN } from './shape.ts';
import { formatIterator, parseIterator } from './shard-iterator.ts';
import type { StreamAddress } from './stream-address.ts';
import { nameIn } from './stream-address.ts';
import { WireError } from './wire-error.ts';

interface GetRecordsInput {
  readonly ShardIterator: string;
  readonly Limit?: number | null;
  readonly StreamARN?: string | null;
  readonly DryRun?: boolean | null;
}

/** A small `Limit` reads no more than it may need; fewer records than asked for are a good answer too. */
const READ_BYTES_A_RECORD = 4096;
const READ_BYTES_MIN = 64 * 1024;

export const getRecords = defineAction({
  name: 'GetRecords',
  input: {
    kind: 'structure',
    required: ['ShardIterator'],
    members: {
      ShardIterator: { kind: 'string', min: 1, max: 512 },
      Limit: { kind: 'integer', min: 1, max: LIMITS.getRecordsMax },
      StreamARN: STREAM_ARN,
      DryRun: { kind: 'boolean' },
    },
  },
  run: async (input: GetRecordsInput, { streams, broker, clock, metrics, signal }) => {
    const { stream, shard, offset } = parseIterator(input.ShardIterator, streams, clock.nowMs());
    checkArn(input, stream);
    refuseDryRun(input);
    const { id, name } = stream.document;
    const index = asShard(shard.index);
    const limit = input.Limit ?? LIMITS.getRecordsMax;
    const maxBytes = Math.min(LIMITS.getRecordsBytesMax, Math.max(READ_BYTES_MIN, limit * READ_BYTES_A_RECORD));
    const result = await broker.read(id, new Map([[index, offset]]), { maxBytes, waitMs: 0, signal });
    const page = recordsText(result.batches, stream, limit);
    const next = asOffset(page.cutAt ?? result.next.get(index) ?? offset);
    const behind = await broker.pending(id, new Map([[index, next]]), {
      minBytes: 0,
      minRecords: 0,
      waitMs: 0,
      signal,
    });
    metrics.readRecords.add(page.count, { protocol: 'kinesis', stream: name });

    const nowMs = clock.nowMs();
    const hasMore = next < (behind.ends.get(index) ?? next);
    const behindMs = hasMore ? Math.max(1, nowMs - (behind.oldestArrivalMs ?? page.lastArrivalMs ?? nowMs)) : 0;
    let text = `{"MillisBehindLatest":${Math.round(behindMs)},"Records":[${page.text}]`;
    if (shard.closedMs === undefined || hasMore) {
      text += `,"NextShardIterator":"${formatIterator({ stream, shard, offset: next }, nowMs)}"`;
    } else {
      text += `,"ChildShards":${JSON.stringify(childrenOf(shard, stream))}`;
    }
    return `${text}}`;
  },
});

function checkArn({ StreamARN }: GetRecordsInput, { document }: LiveStream): void {
  if (StreamARN === undefined || StreamARN === null) return;
  const address: StreamAddress = { StreamARN };
  if (nameIn(address) !== document.name) {
    throw new WireError('InvalidArgumentException', 'StreamARN does not name the stream of the ShardIterator.');
  }
}

interface RecordsPage {
  readonly text: string;
  readonly count: number;
  /** Offset to go on at when not everything read was taken. */
  readonly cutAt: number | undefined;
  readonly lastArrivalMs: number | undefined;
}

function recordsText(batches: readonly RecordBatch[], stream: LiveStream, limit: number): RecordsPage {
  let text = '';
  let count = 0;
  let bytes = 0;
  let lastArrivalMs: number | undefined;
  for (const batch of batches) {
    const sequenceNumber = stream.sequenceNumber[batch.shard] as (offset: number) => string;
    const data = Buffer.from(batch.data.buffer, batch.data.byteOffset, batch.data.byteLength);
    const keys = Buffer.from(batch.keys.buffer, batch.keys.byteOffset, batch.keys.byteLength);
    let [keyStart, dataStart] = [0, 0];
    for (let i = 0; i < batch.count; i++) {
      const keyEnd = batch.keyEnds[i] as number;
      const dataEnd = batch.dataEnds[i] as number;
      const size = keyEnd - keyStart + dataEnd - dataStart;
      const isFull = count >= limit || (count > 0 && bytes + size > LIMITS.getRecordsBytesMax);
      if (isFull) return { text, count, cutAt: batch.firstOffset + i, lastArrivalMs };
      lastArrivalMs = batch.arrivals[i] as number;
      text +=
        `${count === 0 ? '' : ','}{"ApproximateArrivalTimestamp":${lastArrivalMs / 1000}` +
        `,"Data":"${data.toString('base64', dataStart, dataEnd)}"` +
        `,"PartitionKey":${JSON.stringify(keys.toString('utf8', keyStart, keyEnd))}` +
        `,"SequenceNumber":"${sequenceNumber(batch.firstOffset + i)}"}`;
      count++;
      bytes += size;
      [keyStart, dataStart] = [keyEnd, dataEnd];
    }
  }
  return { text, count, cutAt: undefined, lastArrivalMs };
}

function childrenOf(parent: ShardDocument, { document }: LiveStream): object[] {
  const children = document.shards.filter(({ parents }) => parents.includes(parent.index));
  return children.map(({ index, parents, startingHashKey, endingHashKey }) => ({
    ShardId: formatShardId(index),
    ParentShards: parents.map(formatShardId),
    HashKeyRange: { StartingHashKey: startingHashKey, EndingHashKey: endingHashKey },
  }));
}
