/**
 * Reads records of a topic from positions: one request to each leader that holds a shard asked for, taken in turns. What retention took
 * is named as a gap and the read goes on behind it in the next call; stale knowledge of the cluster is renewed and the request repeated.
 */
import { MultipleErrors, ResponseError } from '@platformatic/kafka';
import { isLakewardError, LakewardError } from '../../model/errors.ts';
import type { Offset, Positions, ShardIndex, TopicIdentity } from '../../model/stream.ts';
import { asShard } from '../../model/stream.ts';
import type { FetchedPartition, FetchRequest, FetchResponse, KafkaClient, PartitionFetch } from './kafka-client.ts';
import { KAFKA, STALE_METADATA, unreachable } from './kafka-errors.ts';

const ATTEMPTS = 5;
/** Kafka answers at once: waiting is done elsewhere. */
const FETCH_WAIT_MS = 0;
/** A shard's share of an answer when many are asked for. */
const SHARD_BYTES_MIN = 64 * 1024;

export interface ShardAnswer {
  readonly from: Offset;
  /** Undefined when the position is not in the topic (any more). */
  readonly answer: FetchedPartition | undefined;
}

export interface TopicReader {
  fetch(positions: Positions, maxBytes: number): Promise<ReadonlyMap<ShardIndex, ShardAnswer>>;
}

export function topicReader(
  client: KafkaClient,
  { name, id }: TopicIdentity,
  turn: <T>(work: () => Promise<T>) => Promise<T>,
): TopicReader {
  async function attempt(
    positions: Positions,
    { maxBytes, mayBeStale }: { readonly maxBytes: number; readonly mayBeStale: boolean },
  ): Promise<Map<ShardIndex, ShardAnswer> | 'stale'> {
    const cluster = await client.reader.metadata({ topics: [name] });
    const topic = cluster.topics.get(name);
    if (topic === undefined) return 'stale';
    if (topic.id !== id && mayBeStale) return 'stale';
    if (topic.id !== id) throw new LakewardError('broker-changed', `topic '${name}': another one took its name`);
    const partitionMaxBytes = Math.max(SHARD_BYTES_MIN, Math.floor(maxBytes / Math.max(1, positions.size)));
    const byLeader = new Map<number, PartitionFetch[]>();
    for (const [shard, offset] of positions) {
      const leader = topic.partitions[shard]?.leader ?? -1;
      if (leader < 0) return 'stale';
      const partitions = byLeader.get(leader) ?? [];
      byLeader.set(leader, partitions);
      partitions.push({
        partition: shard,
        currentLeaderEpoch: -1,
        fetchOffset: BigInt(offset),
        lastFetchedEpoch: -1,
        partitionMaxBytes,
      });
    }
    const answers = new Map<ShardIndex, ShardAnswer>();
    for (const [node, partitions] of byLeader) {
      const topics = [{ topicId: topic.id, partitions }];
      const response = await fetched(client, { node, topics, maxBytes, minBytes: 0, maxWaitTime: FETCH_WAIT_MS });
      for (const answer of response.responses.flatMap((one) => one.partitions)) {
        const shard = asShard(answer.partitionIndex);
        const from = positions.get(shard);
        if (from === undefined) continue;
        if (STALE_METADATA.has(answer.errorCode)) return 'stale';
        answers.set(shard, { from, answer: answer.errorCode === KAFKA.offsetOutOfRange ? undefined : answer });
      }
    }
    return answers;
  }

  return {
    fetch: (positions, maxBytes) =>
      turn(async () => {
        for (let tries = 1; ; tries++) {
          try {
            const answers = await attempt(positions, { maxBytes, mayBeStale: tries === 1 });
            if (answers !== 'stale') return answers;
            if (tries >= ATTEMPTS) throw new Error('the cluster has no leader for a shard');
          } catch (error) {
            if (isLakewardError(error, 'broker-changed')) throw error;
            if (tries >= ATTEMPTS) throw unreachable(`topic '${name}' cannot be read`, error);
          }
          client.reader.clearMetadata();
        }
      }),
  };
}

/** The client throws when one partition of many has an error; the answer is in what it throws. */
async function fetched(client: KafkaClient, request: FetchRequest): Promise<FetchResponse> {
  try {
    return await client.reader.fetch(request);
  } catch (error) {
    const response = responseIn(error);
    if (response === undefined) throw error;
    return response;
  }
}

function responseIn(error: unknown): FetchResponse | undefined {
  if (error instanceof ResponseError) return error['response'] as FetchResponse;
  return error instanceof MultipleErrors ? responseIn(error.errors.at(-1)) : undefined;
}
