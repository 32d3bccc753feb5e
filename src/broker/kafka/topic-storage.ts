/**
 * The topic a stream is kept in: made, grown, given its retention, deleted. Shard n is partition n. Kafka drops whole segments by
 * itself once they are older than the retention; `retain` of the broker drops the rest.
 */
import type { ClusterTopicMetadata } from '@platformatic/kafka';
import { ConfigResourceTypes, IncrementalAlterConfigOperationTypes } from '@platformatic/kafka';
import { LakewardError } from '../../model/errors.ts';
import { LIMITS, MIB } from '../../model/limits.ts';
import type { Clock } from '../../ports/clock.ts';
import type { KafkaClient } from './kafka-client.ts';
import { isUnknownTopic, KAFKA, kafkaCodes, unreachable } from './kafka-errors.ts';

/** Room for the frame around the largest record. */
const MESSAGE_BYTES_MAX = LIMITS.recordBytesMax + MIB;
/** A change of a topic is known to every broker after a while, which is long for one that is busy. */
const SETTLE_MS_MAX = 30_000;
const SETTLE_MS = 50;

export interface TopicFacts {
  readonly id: string;
  readonly partitions: number;
  readonly retentionMs: number;
  /** The largest record batch it takes. */
  readonly setBytesMax: number;
}

export interface TopicStorage {
  /** The topic as it is after making it, growing it to the shards wanted, setting its retention: what of that is allowed. */
  ensure(wanted: WantedTopic): Promise<TopicFacts>;
  remove(name: string): Promise<void>;
}

export interface WantedTopic {
  readonly name: string;
  readonly shardCount: number;
  readonly retentionMs: number;
  /** It belongs to others: its retention stays as it is. */
  readonly isAdopted: boolean;
  /** It is only looked at. */
  readonly asFound: boolean;
}

export function topicStorage(client: KafkaClient, pace: Clock, replicas: number | undefined): TopicStorage {
  /** Asks until every partition wanted has a leader, or none is left. */
  async function settled(name: string, content: (topic: ClusterTopicMetadata | undefined) => boolean) {
    for (const untilMs = pace.monotonicMs() + SETTLE_MS_MAX; pace.monotonicMs() < untilMs; ) {
      const topic = (await client.topic(name))?.topic;
      if (content(topic)) return topic;
      await pace.sleep(SETTLE_MS);
    }
    throw new LakewardError('broker-unavailable', `topic '${name}' is not as it was ordered after many looks`);
  }

  return {
    async ensure({ name, shardCount, retentionMs, isAdopted, asFound }) {
      if (asFound) {
        const topic = (await settled(name, (seen) => isReady(seen, 1))) as ClusterTopicMetadata;
        return { id: topic.id, partitions: topic.partitionsCount, ...(await settingsOf(client, name)) };
      }
      const before = (await client.topic(name))?.topic;
      try {
        if (before === undefined) await create(client, { name, shardCount, retentionMs, replicas });
        else if (before.partitionsCount < shardCount) {
          await client.admin.createPartitions({ topics: [{ name, count: shardCount }] });
        }
        if (before !== undefined && !isAdopted) await setRetention(client, name, retentionMs);
      } catch (error) {
        // Another process did the same first.
        if (!kafkaCodes(error).includes(KAFKA.topicAlreadyExists)) throw unreachable(`topic '${name}'`, error);
      }
      const topic = (await settled(name, (seen) => isReady(seen, shardCount))) as ClusterTopicMetadata;
      return { id: topic.id, partitions: topic.partitionsCount, ...(await settingsOf(client, name)) };
    },
    async remove(name) {
      try {
        await client.admin.deleteTopics({ topics: [name] });
      } catch (error) {
        if (isUnknownTopic(error)) return;
        throw unreachable(`topic '${name}'`, error);
      }
      await settled(name, (seen) => seen === undefined);
    },
  };
}

async function settingsOf(client: KafkaClient, name: string): Promise<Pick<TopicFacts, 'retentionMs' | 'setBytesMax'>> {
  const configurationKeys = ['retention.ms', 'max.message.bytes'];
  try {
    const [answer] = await client.admin.describeConfigs({
      resources: [{ resourceType: ConfigResourceTypes.TOPIC, resourceName: name, configurationKeys }],
    });
    const values = new Map(answer?.configs.map((config) => [config.name, Number(config.value)]));
    return { retentionMs: values.get('retention.ms') ?? -1, setBytesMax: values.get('max.message.bytes') ?? MIB };
  } catch (error) {
    throw unreachable(`settings of topic '${name}'`, error);
  }
}

function isReady(topic: ClusterTopicMetadata | undefined, shardCount: number): boolean {
  return topic !== undefined && topic.partitions.filter(({ leader }) => leader >= 0).length >= shardCount;
}

interface NewTopic {
  readonly name: string;
  readonly shardCount: number;
  readonly retentionMs: number;
  readonly replicas: number | undefined;
}

async function create(client: KafkaClient, { name, shardCount, retentionMs, replicas }: NewTopic): Promise<void> {
  await client.admin.createTopics({
    topics: [{ topic: name, partitions: shardCount, replicas: replicas ?? -1 }],
    configs: [
      { name: 'cleanup.policy', value: 'delete' },
      { name: 'retention.ms', value: String(retentionMs) },
      { name: 'message.timestamp.type', value: 'CreateTime' },
      { name: 'max.message.bytes', value: String(MESSAGE_BYTES_MAX) },
    ],
  });
}

async function setRetention(client: KafkaClient, name: string, retentionMs: number): Promise<void> {
  await client.admin.incrementalAlterConfigs({
    resources: [
      {
        resourceType: ConfigResourceTypes.TOPIC,
        resourceName: name,
        configs: [
          {
            name: 'retention.ms',
            configOperation: IncrementalAlterConfigOperationTypes.SET,
            value: String(retentionMs),
          },
        ],
      },
    ],
  });
}
