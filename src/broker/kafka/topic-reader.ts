/**
 * Reads records of a topic from positions: one request to each leader that holds a shard asked for, until the bytes asked for are there;
 * one read of a topic at a time, so that what is held in memory is bounded. What retention took is named as a gap and the read goes on
 * behind it in the next call; stale knowledge of the cluster is renewed and the request repeated.
 */
import { isLakewardError, LakewardError } from '../../model/errors.ts';
import type { Offset, Positions, ShardIndex, TopicIdentity } from '../../model/stream.ts';
import { asShard } from '../../model/stream.ts';
import type { Clock } from '../../ports/clock.ts';
import { verifyBatches } from './checksum.ts';
import { type FetchedPartition, fetchFrom, type FetchPlan } from './fetch-request.ts';
import type { KafkaClient } from './kafka-client.ts';
import { KAFKA, kafkaReason, STALE_METADATA, unreachable } from './kafka-errors.ts';

/** Tries that fail. */
const FAILURES_MAX = 10;
/** Tries in all: a node that is busy is late to know of a new topic or a new leader. */
const TRIES_MAX = 50;
const AGAIN_MS = 100;
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

export function topicReader(client: KafkaClient, { name, id }: TopicIdentity, pace: Clock): TopicReader {
  const turn = inTurn();
  let reads = 0;

  async function attempt(
    positions: Positions,
    { maxBytes, mayBeStale }: { readonly maxBytes: number; readonly mayBeStale: boolean },
  ): Promise<Map<ShardIndex, ShardAnswer> | 'stale'> {
    const cluster = await client.reader.metadata({ topics: [name] });
    const topic = cluster.topics.get(name);
    if (topic === undefined) return 'stale';
    if (topic.id !== id && mayBeStale) return 'stale';
    if (topic.id !== id) throw new LakewardError('broker-changed', `topic '${name}': another one took its name`);
    const shardBytes = Math.max(SHARD_BYTES_MIN, Math.floor(maxBytes / Math.max(1, positions.size)));
    const byLeader = new Map<number, FetchPlan['partitions'][number][]>();
    for (const [shard, offset] of positions) {
      const leader = topic.partitions[shard]?.leader ?? -1;
      if (leader < 0) return 'stale';
      const partitions = byLeader.get(leader) ?? [];
      byLeader.set(leader, partitions);
      partitions.push({ partition: shard, offset, maxBytes: shardBytes });
    }
    const answers = new Map<ShardIndex, ShardAnswer>();
    let leftBytes = maxBytes;
    for (const [leader, partitions] of turned(byLeader, reads++)) {
      const node = cluster.brokers.get(leader);
      if (node === undefined) return 'stale';
      for (const answer of await fetchFrom(client, node, { topicId: id, maxBytes: leftBytes, partitions })) {
        const shard = asShard(answer.partition);
        const from = positions.get(shard);
        if (from === undefined) continue;
        if (STALE_METADATA.has(answer.errorCode)) return 'stale';
        if (answer.errorCode !== 0 && answer.errorCode !== KAFKA.offsetOutOfRange) {
          throw new Error(`${kafkaReason(answer.errorCode)}, partition ${shard}`);
        }
        verifyAnswer(name, answer);
        answers.set(shard, { from, answer: answer.errorCode === KAFKA.offsetOutOfRange ? undefined : answer });
        leftBytes -= answer.records.length;
      }
      if (leftBytes <= 0) break;
    }
    return answers;
  }

  return {
    fetch: (positions, maxBytes) =>
      turn(async () => {
        for (let tries = 1, failures = 0; ; tries++) {
          try {
            const answers = await attempt(positions, { maxBytes, mayBeStale: tries === 1 });
            if (answers !== 'stale') return answers;
            if (tries >= TRIES_MAX) throw new Error('the cluster has no leader for a shard');
          } catch (error) {
            if (isLakewardError(error, 'broker-changed')) throw error;
            const isOver = ++failures >= FAILURES_MAX || tries >= TRIES_MAX;
            // It may have happened on the way.
            if (isOver && isLakewardError(error, 'records-damaged')) throw error;
            if (isOver) throw unreachable(`topic '${name}' cannot be read`, error);
          }
          client.reader.clearMetadata();
          await pace.sleep(AGAIN_MS);
        }
      }),
  };
}

function verifyAnswer(topic: string, { partition, records }: FetchedPartition): void {
  try {
    verifyBatches(records);
  } catch (error) {
    if (!isLakewardError(error, 'records-damaged')) throw error;
    throw new LakewardError('records-damaged', `topic '${topic}', partition ${partition}: ${error.message}`);
  }
}

/** Begins with another each time, so that none is always last. */
function turned<K, V>(map: ReadonlyMap<K, V>, by: number): (readonly [K, V])[] {
  const all = [...map];
  const start = all.length === 0 ? 0 : by % all.length;
  return [...all.slice(start), ...all.slice(0, start)];
}

/** Runs one piece of work after the other. */
function inTurn(): <T>(work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const mine = last.then(work, work);
    last = mine.catch(() => undefined);
    return mine;
  };
}
