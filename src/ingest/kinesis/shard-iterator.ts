/**
 * Shard iterators: a position in a shard as an opaque text. Good for five minutes and any number of times. Clients are known to send
 * them back in quotes, which AWS accepts.
 */
import { LIMITS } from '../../model/limits.ts';
import type { Offset, ShardDocument } from '../../model/stream.ts';
import { asOffset } from '../../model/stream.ts';
import type { LiveStream } from '../live-stream.ts';
import type { Streams } from '../streams.ts';
import { openToken, sealToken } from './sealed-token.ts';
import { WireError } from './wire-error.ts';

export interface ShardPosition {
  readonly stream: LiveStream;
  readonly shard: ShardDocument;
  readonly offset: Offset;
}

const KIND = 'shard-iterator';

export function formatIterator({ stream, shard, offset }: ShardPosition, nowMs: number): string {
  return sealToken(stream, KIND, [stream.document.name, shard.index, offset, nowMs]);
}

/** Throws InvalidArgumentException for what is no iterator of an existing stream, ExpiredIteratorException for an old one. */
export function parseIterator(text: string, streams: Streams, nowMs: number): ShardPosition {
  const token = text.length > 2 && text.startsWith('"') && text.endsWith('"') ? text.slice(1, -1) : text;
  const opened = openToken(streams, KIND, token);
  if (opened === undefined) throw new WireError('InvalidArgumentException', 'Invalid ShardIterator.');
  const { stream, content } = opened;
  const [, index, offset, createdMs] = content;
  const shard = stream.document.shards.find((one) => one.index === index);
  if (shard === undefined || !isCount(offset) || !isCount(createdMs) || createdMs > nowMs + LIMITS.shardIteratorMs) {
    throw new WireError('InvalidArgumentException', 'Invalid ShardIterator.');
  }
  if (nowMs - createdMs > LIMITS.shardIteratorMs) {
    throw new WireError(
      'ExpiredIteratorException',
      `Iterator expired. The iterator was created at time ${isoTime(createdMs)} while right now it is ${isoTime(nowMs)} which is further in the future than the tolerated delay of ${LIMITS.shardIteratorMs} milliseconds.`,
    );
  }
  return { stream, shard, offset: asOffset(offset) };
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

export function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}
