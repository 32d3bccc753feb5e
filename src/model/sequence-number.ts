/**
 * Sequence numbers: what Kinesis clients see of an offset. Decimal digits, no leading zero:
 * `49` | shard creation, epoch ms, 15 digits | offset, 17 digits | shard index, 6 digits. They are unique in a stream, grow
 * within a shard, exceed every number of a shard's parents (its creation is later), and name their shard, so that a number
 * of another shard is recognised. No big integers are needed to make one: the parts are digits side by side.
 */
import type { Offset, ShardDocument, ShardIndex } from './stream.ts';
import { asOffset, asShard } from './stream.ts';

const CREATED_DIGITS = 15;
/** Where the offset stands in a sequence number, and how long it is. */
export const OFFSET_DIGITS_AT = 2 + CREATED_DIGITS;
export const OFFSET_DIGITS = 17;
const SHARD_DIGITS = 6;

export interface SequenceParts {
  readonly shardCreatedMs: number;
  readonly offset: Offset;
  readonly shard: ShardIndex;
}

/** Makes the sequence numbers of one shard. */
export function sequenceNumbersOf(shard: Pick<ShardDocument, 'index' | 'createdMs'>): (offset: number) => string {
  const head = `49${String(shard.createdMs).padStart(CREATED_DIGITS, '0')}`;
  const tail = String(shard.index).padStart(SHARD_DIGITS, '0');
  return (offset) => head + String(offset).padStart(OFFSET_DIGITS, '0') + tail;
}

/** The parts of a sequence number of ours, or undefined for any other text. */
export function parseSequenceNumber(text: string): SequenceParts | undefined {
  if (!/^49\d{38}$/.test(text)) return undefined;
  const offset = Number(text.slice(2 + CREATED_DIGITS, 2 + CREATED_DIGITS + OFFSET_DIGITS));
  if (!Number.isSafeInteger(offset)) return undefined;
  return {
    shardCreatedMs: Number(text.slice(2, 2 + CREATED_DIGITS)),
    offset: asOffset(offset),
    shard: asShard(Number(text.slice(2 + CREATED_DIGITS + OFFSET_DIGITS))),
  };
}
