/**
 * One fetch of one node, without a fetch session, so that any number may be under way. Records stay the bytes that Kafka sent: they are
 * taken apart where they are used, once. Owns no decision.
 */
import type { Broker as KafkaNode, Reader, Writer } from '@platformatic/kafka';
import { fetchV13 } from '@platformatic/kafka';
import type { KafkaClient } from './kafka-client.ts';
import { kafkaReason } from './kafka-errors.ts';

const FETCH = 1;
const FETCH_VERSION = 13;
const NO_SESSION = { id: 0, epoch: -1 };
/** Committed transactions alone: what an adopted topic's other writers took back is not there. */
const READ_COMMITTED = 1;
/** Kafka answers at once: waiting is done elsewhere. */
const WAIT_MS = 0;

export interface FetchPlan {
  readonly topicId: string;
  readonly maxBytes: number;
  readonly partitions: readonly { readonly partition: number; readonly offset: number; readonly maxBytes: number }[];
}

/** What Kafka answers of one partition. */
export interface FetchedPartition {
  readonly partition: number;
  readonly errorCode: number;
  readonly abortedTransactions: readonly { readonly producerId: bigint; readonly firstOffset: bigint }[];
  /** Whole record batches, one after the other. */
  readonly records: Buffer;
}

export async function fetchFrom(client: KafkaClient, node: KafkaNode, plan: FetchPlan): Promise<FetchedPartition[]> {
  const connection = await client.reader.connections.get(node);
  const { promise, resolve, reject } = Promise.withResolvers<FetchedPartition[]>();
  const body = (): Writer => requestOf(plan);
  connection.send<FetchedPartition[]>(FETCH, FETCH_VERSION, body, parseAnswer, true, true, (error, answer) => {
    if (error !== null && error !== undefined) reject(error);
    else resolve(answer as FetchedPartition[]);
  });
  return promise;
}

function requestOf({ topicId, maxBytes, partitions }: FetchPlan): Writer {
  const wanted = partitions.map(({ partition, offset, maxBytes: partitionMaxBytes }) => ({
    partition,
    currentLeaderEpoch: -1,
    fetchOffset: BigInt(offset),
    lastFetchedEpoch: -1,
    partitionMaxBytes,
  }));
  const { id, epoch } = NO_SESSION;
  const topics = [{ topicId, partitions: wanted }];
  return fetchV13.createRequest(WAIT_MS, 0, maxBytes, READ_COMMITTED, id, epoch, topics, [], '');
}

function parseAnswer(_correlationId: number, _key: number, _version: number, reader: Reader): FetchedPartition[] {
  reader.skip(4);
  const errorCode = reader.readInt16();
  if (errorCode !== 0) throw new Error(kafkaReason(errorCode));
  reader.skip(4);
  const topics = reader.readArray((topic) => {
    topic.readUUID();
    return topic.readArray((one) => partitionOf(one), true, false);
  });
  return topics.flat();
}

function partitionOf(reader: Reader): FetchedPartition {
  const partition = reader.readInt32();
  const errorCode = reader.readInt16();
  // High watermark, last stable offset, log start.
  reader.skip(24);
  const aborted = reader.readNullableArray((one) => ({ producerId: one.readInt64(), firstOffset: one.readInt64() }));
  // Preferred replica.
  reader.skip(4);
  const records = reader.readBytes();
  reader.readTaggedFields();
  return { partition, errorCode, abortedTransactions: aborted ?? [], records };
}
