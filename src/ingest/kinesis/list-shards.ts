/**
 * ListShards: the shards of a stream, all or by one of AWS's filters, in pages. A page token holds stream, filter and page size,
 * because clients send it alone, and is good for five minutes.
 */
import type { ShardDocument, StreamDocument } from '../../model/stream.ts';
import { parseShardId } from '../../model/stream.ts';
import type { LiveStream } from '../live-stream.ts';
import type { ActionContext } from './action.ts';
import { defineAction } from './action.ts';
import { openToken, sealToken } from './sealed-token.ts';
import { SHARD_ID, STREAM_ARN, STREAM_NAME, TOKEN } from './shape.ts';
import { isoTime } from './shard-iterator.ts';
import { horizonMs, isOpenAt, listedShards, shardView } from './shard-view.ts';
import type { StreamAddress } from './stream-address.ts';
import { streamIn } from './stream-address.ts';
import { WireError } from './wire-error.ts';

interface ShardFilter {
  readonly Type: (typeof FILTERS)[number];
  readonly ShardId?: string | null;
  readonly Timestamp?: number | null;
}

interface ListShardsInput extends StreamAddress {
  readonly NextToken?: string | null;
  readonly ExclusiveStartShardId?: string | null;
  readonly MaxResults?: number | null;
  readonly StreamCreationTimestamp?: number | null;
  readonly ShardFilter?: ShardFilter | null;
}

const FILTERS = [
  'AFTER_SHARD_ID',
  'AT_TRIM_HORIZON',
  'FROM_TRIM_HORIZON',
  'AT_LATEST',
  'AT_TIMESTAMP',
  'FROM_TIMESTAMP',
] as const;
const KIND = 'list-shards';
const TOKEN_MS = 300_000;
const PAGE = 1000;

export const listShards = defineAction({
  name: 'ListShards',
  input: {
    kind: 'structure',
    members: {
      StreamName: STREAM_NAME,
      StreamARN: STREAM_ARN,
      NextToken: TOKEN,
      ExclusiveStartShardId: SHARD_ID,
      MaxResults: { kind: 'integer', min: 1, max: 10_000 },
      StreamCreationTimestamp: { kind: 'timestamp' },
      ShardFilter: {
        kind: 'structure',
        required: ['Type'],
        members: {
          Type: { kind: 'string', accepted: FILTERS },
          ShardId: SHARD_ID,
          Timestamp: { kind: 'timestamp' },
        },
      },
    },
  },
  run: (input: ListShardsInput, context) => {
    const { stream, after, max, filter } = questionOf(input, context);
    const nowMs = context.clock.nowMs();
    const found = filtered(stream.document, filter, nowMs).filter(({ index }) => index > after);
    const page = found.slice(0, max);
    const last = page.at(-1);
    const isWhole = last === undefined || found.length === page.length;
    return {
      ...(!isWhole && { NextToken: sealToken(stream, KIND, tokenOf(stream, { last, max, filter, nowMs })) }),
      Shards: page.map(shardView),
    };
  },
});

interface Question {
  readonly stream: LiveStream;
  readonly after: number;
  readonly max: number;
  readonly filter: ShardFilter;
}

function questionOf(input: ListShardsInput, { streams, clock }: ActionContext): Question {
  if (typeof input.NextToken === 'string') return continued(input.NextToken, input, { streams, clock });
  const stream = streamIn(input, streams);
  const start = input.ExclusiveStartShardId ?? undefined;
  const after = start === undefined ? -1 : parseShardId(start);
  if (after === undefined) throw new WireError('InvalidArgumentException', `Invalid ExclusiveStartShardId ${start}.`);
  return {
    stream,
    after,
    max: input.MaxResults ?? PAGE,
    filter: input.ShardFilter ?? { Type: 'FROM_TRIM_HORIZON' },
  };
}

function continued(
  token: string,
  input: ListShardsInput,
  { streams, clock }: Pick<ActionContext, 'streams' | 'clock'>,
): Question {
  if ((input.StreamName ?? input.ExclusiveStartShardId ?? input.StreamCreationTimestamp ?? undefined) !== undefined) {
    const message =
      'NextToken and StreamName, ExclusiveStartShardId or StreamCreationTimestamp cannot be given together.';
    throw new WireError('InvalidArgumentException', message);
  }
  const opened = openToken(streams, KIND, token);
  const [, createdMs, after, max, type, shardId, timestamp] = opened?.content ?? [];
  if (opened === undefined || typeof createdMs !== 'number' || typeof after !== 'number' || typeof max !== 'number') {
    throw new WireError('InvalidArgumentException', 'Invalid NextToken.');
  }
  const nowMs = clock.nowMs();
  if (nowMs - createdMs > TOKEN_MS) {
    throw new WireError(
      'ExpiredNextTokenException',
      `NextToken of ${isoTime(createdMs)} expired; now is ${isoTime(nowMs)}.`,
    );
  }
  return {
    stream: opened.stream,
    after,
    max: input.MaxResults ?? max,
    filter: {
      Type: type as ShardFilter['Type'],
      ShardId: shardId as string | null,
      Timestamp: timestamp as number | null,
    },
  };
}

function tokenOf(
  { document }: LiveStream,
  { last, max, filter, nowMs }: { last: ShardDocument; max: number; filter: ShardFilter; nowMs: number },
): [string, ...(string | number | null)[]] {
  return [document.name, nowMs, last.index, max, filter.Type, filter.ShardId ?? null, filter.Timestamp ?? null];
}

function filtered(document: StreamDocument, filter: ShardFilter, nowMs: number): ShardDocument[] {
  const shards = listedShards(document, nowMs);
  switch (filter.Type) {
    case 'AFTER_SHARD_ID': {
      const index = parseShardId(filter.ShardId ?? '');
      if (index === undefined) throw lacks('ShardId', filter);
      return shards.filter((shard) => shard.index > index);
    }
    case 'AT_TRIM_HORIZON':
      return shards.filter((shard) => isOpenAt(shard, horizonMs(document, nowMs)));
    case 'FROM_TRIM_HORIZON':
      return shards;
    case 'AT_LATEST':
      return shards.filter(({ closedMs }) => closedMs === undefined);
    case 'AT_TIMESTAMP': {
      const atMs = timeIn(filter, nowMs);
      return shards.filter((shard) => isOpenAt(shard, Math.max(atMs, horizonMs(document, nowMs))));
    }
    case 'FROM_TIMESTAMP': {
      const atMs = timeIn(filter, nowMs);
      return shards.filter(({ closedMs }) => closedMs === undefined || closedMs >= atMs);
    }
    default:
      // Only a forged token brings another filter here.
      throw new WireError('InvalidArgumentException', 'Invalid NextToken.');
  }
}

function timeIn(filter: ShardFilter, nowMs: number): number {
  if (typeof filter.Timestamp !== 'number') throw lacks('Timestamp', filter);
  const atMs = Math.round(filter.Timestamp * 1000);
  if (atMs > nowMs) throw new WireError('InvalidArgumentException', 'The timestamp of ShardFilter lies in the future.');
  return atMs;
}

function lacks(member: string, { Type }: ShardFilter): WireError {
  return new WireError('InvalidArgumentException', `${member} must be given with a ShardFilter of type ${Type}.`);
}
