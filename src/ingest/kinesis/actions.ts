/** Every action of the Kinesis wire that is served. A new one is a file of its own and a line here. */
import type { Action } from './action.ts';
import { createStream } from './create-stream.ts';
import { deleteStream } from './delete-stream.ts';
import { describeStreamSummary } from './describe-stream-summary.ts';
import { describeStream } from './describe-stream.ts';
import { getRecords } from './get-records.ts';
import { getShardIterator } from './get-shard-iterator.ts';
import { listShards } from './list-shards.ts';
import { listStreams } from './list-streams.ts';
import { mergeShards } from './merge-shards.ts';
import { putRecord } from './put-record.ts';
import { putRecords } from './put-records.ts';
import { splitShard } from './split-shard.ts';
import { decreaseRetention, increaseRetention } from './stream-retention.ts';
import { updateShardCount } from './update-shard-count.ts';

const SERVED: readonly Action[] = [
  createStream,
  decreaseRetention,
  deleteStream,
  describeStream,
  describeStreamSummary,
  getRecords,
  getShardIterator,
  increaseRetention,
  listShards,
  listStreams,
  mergeShards,
  putRecord,
  putRecords,
  splitShard,
  updateShardCount,
];

export const ACTIONS: ReadonlyMap<string, Action> = new Map(SERVED.map((action) => [action.name, action]));
