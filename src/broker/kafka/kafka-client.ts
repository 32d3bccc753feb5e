/**
 * The connections of one process to a Kafka cluster, made from one set of options: an administrator, a producer and readers. A reader
 * is a consumer that never joins a group: positions come from the landing log. Owns no decision.
 */
import type { BaseOptions, ClusterMetadata, ClusterTopicMetadata } from '@platformatic/kafka';
import { Admin, Consumer, Producer } from '@platformatic/kafka';
import type { Clock } from '../../ports/clock.ts';
import { atMost } from '../../model/waiting.ts';
import { everyConnection } from './every-connection.ts';
import { isUnknownTopic, unreachable } from './kafka-errors.ts';

export interface KafkaOptions {
  /** `host:port` of some brokers of the cluster. */
  readonly bootstrap: readonly string[];
  readonly clientId?: string;
  readonly tls?: BaseOptions['tls'];
  readonly sasl?: BaseOptions['sasl'];
  /** Copies of every partition of a topic made here; the cluster's default without. */
  readonly replicas?: number;
}

export interface KafkaClient {
  readonly admin: Admin;
  /** For produce requests made elsewhere. */
  readonly writer: Producer;
  readonly reader: Consumer;
  /** Asks for a producer id that nobody has. */
  newProducer(): Promise<{ readonly producerId: bigint; readonly producerEpoch: number }>;
  /** What the cluster says of a topic now; undefined when it has none of the name. */
  topic(name: string): Promise<{ cluster: ClusterMetadata; topic: ClusterTopicMetadata } | undefined>;
  /** Also when the cluster does not answer, soon. */
  close(): Promise<void>;
}

const CLIENT_ID = 'lakeward';
/** More than Kafka itself may take for an answer. */
const REQUEST_MS = 12_000;
const RETRIES = 5;
const RETRY_MS = 200;
const CLOSE_MS = 500;
/** Committed transactions alone: what an adopted topic's other writers took back is not there. */
const READ_COMMITTED = 1;

/** What every connection to the cluster is made with. */
export function connectionOptions({ bootstrap, clientId = CLIENT_ID, tls, sasl }: KafkaOptions): BaseOptions {
  return {
    clientId,
    bootstrapBrokers: [...bootstrap],
    timeout: REQUEST_MS,
    requestTimeout: REQUEST_MS,
    retries: RETRIES,
    retryDelay: RETRY_MS,
    ...(tls !== undefined && { tls }),
    ...(sasl !== undefined && { sasl }),
  };
}

export function connectKafka(options: KafkaOptions, pace: Clock): KafkaClient {
  const shared = connectionOptions(options);
  const admin = new Admin(shared);
  const writer = new Producer(shared);
  // The group is never joined; the client wants a name.
  const reader = new Consumer({ ...shared, groupId: `${shared.clientId}-reads`, isolationLevel: READ_COMMITTED });
  const made = [admin, writer, reader].map(everyConnection);

  return {
    admin,
    writer,
    newProducer: () => writer.initIdempotentProducer({}),
    reader,
    async topic(name) {
      try {
        const cluster = await reader.metadata({ topics: [name], forceUpdate: true });
        const topic = cluster.topics.get(name);
        return topic === undefined ? undefined : { cluster, topic };
      } catch (error) {
        if (isUnknownTopic(error)) return undefined;
        throw unreachable('the Kafka cluster does not answer', error);
      }
    },
    async close() {
      await atMost(pace, CLOSE_MS, Promise.allSettled([writer.close(), reader.close(true), admin.close()]));
      for (const one of made) one.end();
    },
  };
}
