/**
 * Streams and shards as the catalog keeps them, and the small branded types for their names. A stream has a name and an
 * incarnation id: a stream deleted and created again under its old name is another stream, and nothing that remembers
 * positions of the first may apply them to the second.
 */
import { LIMITS } from './limits.ts';

declare const brand: unique symbol;
/** Incarnation id of a stream, unique for ever; names its storage. */
export type StreamId = string & { readonly [brand]: 'StreamId' };
/** Number of a shard within its stream: 0, 1, … in creation order, never reused. */
export type ShardIndex = number & { readonly [brand]: 'ShardIndex' };
/** Position of a record within its shard: 0, 1, …; a number is never used twice, some are never used. */
export type Offset = number & { readonly [brand]: 'Offset' };

export const asStreamId = (id: string): StreamId => id as StreamId;
export const asShard = (index: number): ShardIndex => index as ShardIndex;
export const asOffset = (offset: number): Offset => offset as Offset;

/** For each shard the next offset to read. JSON form: an object of shard index to offset. */
export type Positions = ReadonlyMap<ShardIndex, Offset>;

export interface ShardDocument {
  readonly index: number;
  /** Inclusive range of 128-bit hash keys, decimal. */
  readonly startingHashKey: string;
  readonly endingHashKey: string;
  /** Epoch ms; later than that of every parent. Part of the shard's sequence numbers. */
  readonly createdMs: number;
  readonly parents: readonly number[];
  /** Set when the shard takes no more records. */
  readonly closedMs?: number;
  /** Of a closed shard: the end of its records when it was closed. What a frozen writer stores there later is a straggler. */
  readonly closedEnd?: number;
}

/** A child of the shards that a change closes. */
export interface ChildDocument {
  readonly startingHashKey: string;
  readonly endingHashKey: string;
  /** One, or two that are neighbours. */
  readonly parents: readonly number[];
}

/** A change of the shards under way: one round of it. */
export interface ReshardDocument {
  /** The first hash keys of the open shards there shall be in the end, decimal, ascending. */
  readonly target: readonly string[];
  /** Open shards to which no append is begun any more. */
  readonly parents: readonly number[];
  /** Shards from the moment their parents are closed, numbered on from the last; until then only storage for them is there. */
  readonly children: readonly ChildDocument[];
  /** No parent ever took a record: the round before made them all. */
  readonly unused?: boolean;
}

/** The topic of a Kafka cluster that keeps a stream. A topic deleted and made again under its name has another id. */
export interface TopicIdentity {
  readonly name: string;
  /** As Kafka gave it. */
  readonly id: string;
  /** It was there before the stream, belongs to others, and outlives it: no record of it is dropped and its retention is not set. */
  readonly adopted?: true;
}

export interface StreamDocument {
  readonly name: string;
  readonly id: StreamId;
  /** Absent: kept in a data folder. */
  readonly topic?: TopicIdentity;
  readonly createdMs: number;
  readonly retentionMs: number;
  readonly shards: readonly ShardDocument[];
  readonly reshard?: ReshardDocument;
}

/**
 * A stream that was deleted and whose storage may still be there. Storage goes because this says so, never because a stream is missing:
 * a catalog that was emptied or put back misses streams that somebody wants.
 */
export interface DeletionDocument {
  readonly id: StreamId;
  /** It had then; another stream may have it by now. */
  readonly name: string;
  readonly deletedMs: number;
}

/** `shardId-` and 12 digits, as Kinesis clients parse it. */
export function formatShardId(index: number): string {
  return `shardId-${String(index).padStart(12, '0')}`;
}

/** The index of a shard id, or undefined when the text is none. */
export function parseShardId(text: string): ShardIndex | undefined {
  const match = /^shardId-(\d{12})$/.exec(text);
  return match?.[1] === undefined ? undefined : asShard(Number(match[1]));
}

const NAME = new RegExp(`^[A-Za-z0-9_.-]{1,${LIMITS.nameCharsMax}}$`);

/** True for a stream or delivery name. `.` and `..` are no names: names become folders. */
export function isName(text: string): boolean {
  return NAME.test(text) && text !== '.' && text !== '..';
}
