/**
 * Writes sets of records to one topic, exactly once for those it says are stored. Kafka stores a set once however often it comes with
 * the same producer and sequence, so a set whose fate is unknown (no answer, no leader, too few replicas) is sent again as it is until an
 * answer or the deadline comes. A set that was refused or is late leaves a hole in the sequence: then this producer is given up and the
 * next set comes from a new one. What a given-up producer had under way may still be stored: those records were told as failed.
 *
 *   stamped ──► sent ──ok──► stored
 *                │ ▲ unknown, not now
 *                │ └────────┘
 *                └──refused, deadline──► failed (producer given up)
 */
import { produceV9, ResponseError, Writer } from '@platformatic/kafka';
import { LakewardError } from '../../model/errors.ts';
import type { TopicIdentity } from '../../model/stream.ts';
import type { Clock } from '../../ports/clock.ts';
import type { KafkaClient } from './kafka-client.ts';
import { kafkaReason, reasonOf, RETRIABLE } from './kafka-errors.ts';
import type { RecordSet } from './record-sets.ts';
import { stamp } from './record-sets.ts';

const SEND_DEADLINE_MS = 30_000;
/** How long Kafka may wait for its replicas. */
const REPLICAS_MS = 10_000;
const AGAIN_MS = 100;
const PRODUCE = 0;
const PRODUCE_VERSION = 9;
const ALL_REPLICAS = -1;

type ProduceResponse = produceV9.ProduceResponse;

export interface Written {
  /** Offset of the first record of each set that is stored. */
  readonly bases: ReadonlyMap<RecordSet, number>;
  /** Why the others are not known to be; undefined when there are none. */
  readonly reason: string | undefined;
}

export interface TopicWriter {
  /** One call at a time. */
  write(sets: readonly RecordSet[]): Promise<Written>;
}

interface Producer {
  readonly producerId: bigint;
  readonly producerEpoch: number;
  /** By partition: of the next record. */
  readonly sequences: Map<number, number>;
}

/** What one call has to show for it. */
interface Call {
  readonly bases: Map<RecordSet, number>;
  isLate: boolean;
  reason: string | undefined;
}

export function topicWriter(client: KafkaClient, topic: TopicIdentity, pace: Clock): TopicWriter {
  let producer: Producer | undefined;

  /** No two sets of a round have the same partition: a request holds one of each. */
  async function writeRound(round: readonly RecordSet[], call: Call): Promise<void> {
    const mine = producer ?? { ...(await client.newProducer()), sequences: new Map<number, number>() };
    // By now another call may write with a producer of its own.
    if (call.isLate) return;
    producer = mine;
    const { sequences } = mine;
    for (const set of round) {
      const sequence = sequences.get(set.partition) ?? 0;
      stamp(set, mine, sequence);
      sequences.set(set.partition, (sequence + set.count) % 2 ** 31);
    }
    const waiting = new Set(round);
    for (let isFirst = true; waiting.size > 0 && !call.isLate; isFirst = false) {
      if (!isFirst) await pace.sleep(AGAIN_MS);
      try {
        await writeOnce(waiting, isFirst, call);
      } catch (error) {
        if (error instanceof LakewardError) throw error;
        call.reason = reasonOf(error);
      }
    }
  }

  /** Takes out of `waiting` what was answered for good. */
  async function writeOnce(waiting: Set<RecordSet>, mayBeStale: boolean, call: Call): Promise<void> {
    const cluster = await client.writer.metadata({ topics: [topic.name], forceUpdate: !mayBeStale });
    const found = cluster.topics.get(topic.name);
    if (found !== undefined && found.id !== topic.id) {
      if (mayBeStale) return;
      throw new LakewardError('broker-changed', `topic '${topic.name}': another one took its name`);
    }
    const byLeader = Map.groupBy(waiting, ({ partition }) => found?.partitions[partition]?.leader ?? -1);
    await Promise.all(
      [...byLeader].map(async ([leader, sets]) => {
        const node = cluster.brokers.get(leader);
        if (node === undefined) {
          call.reason = `no leader of partition ${sets[0]?.partition}`;
          return;
        }
        if (call.isLate) return;
        try {
          note(await produced(client, node, { topic: topic.name, sets }), sets);
        } catch (error) {
          call.reason = reasonOf(error);
        }
      }),
    );

    function note({ responses }: ProduceResponse, sets: readonly RecordSet[]): void {
      for (const { index, errorCode, baseOffset } of responses.flatMap((one) => one.partitionResponses)) {
        const set = sets.find(({ partition }) => partition === index);
        if (set === undefined) continue;
        if (errorCode !== 0) call.reason = `${kafkaReason(errorCode)}, partition ${index}`;
        if (RETRIABLE.has(errorCode)) continue;
        waiting.delete(set);
        if (errorCode === 0 && baseOffset >= 0n) call.bases.set(set, Number(baseOffset));
      }
    }
  }

  async function writeAll(sets: readonly RecordSet[], call: Call): Promise<void> {
    /** Later records of a shard do not overtake one that failed. */
    const stopped = new Set<number>();
    for (const round of rounds(sets)) {
      const open = round.filter(({ partition }) => !stopped.has(partition));
      if (open.length === 0 || call.isLate) continue;
      await writeRound(open, call);
      if (call.isLate) return;
      const failed = open.filter((set) => !call.bases.has(set));
      for (const { partition } of failed) stopped.add(partition);
      if (failed.length > 0) producer = undefined;
    }
  }

  return {
    async write(sets) {
      const call: Call = { bases: new Map(), isLate: false, reason: undefined };
      const done = new AbortController();
      const late = pace.sleep(SEND_DEADLINE_MS, done.signal).then(
        () => {
          call.reason ??= `no answer within ${SEND_DEADLINE_MS / 1000} s`;
        },
        () => undefined,
      );
      const writing = writeAll(sets, call).catch((error: Error) => {
        call.reason = error.message;
      });
      await Promise.race([writing, late]);
      done.abort();
      call.isLate = true;
      const bases = new Map(call.bases);
      if (bases.size < sets.length) producer = undefined;
      return { bases, reason: bases.size < sets.length ? call.reason : undefined };
    },
  };
}

/** The n-th sets of all partitions together. */
function rounds(sets: readonly RecordSet[]): RecordSet[][] {
  const seen = new Map<number, number>();
  const all: RecordSet[][] = [];
  for (const set of sets) {
    const nth = seen.get(set.partition) ?? 0;
    seen.set(set.partition, nth + 1);
    (all[nth] ??= []).push(set);
  }
  return all;
}

interface ProduceRequest {
  readonly topic: string;
  readonly sets: readonly RecordSet[];
}

async function produced(
  client: KafkaClient,
  node: { readonly host: string; readonly port: number },
  { topic, sets }: ProduceRequest,
): Promise<ProduceResponse> {
  const connection = await client.writer.connections.get(node);
  const { promise, resolve, reject } = Promise.withResolvers<ProduceResponse>();
  const body = (): Writer =>
    Writer.create()
      .appendString(null)
      .appendInt16(ALL_REPLICAS)
      .appendInt32(REPLICAS_MS)
      .appendArray([topic], (one, name) => {
        one.appendString(name).appendArray([...sets], (each, { partition, bytes }) => {
          each.appendInt32(partition).appendUnsignedVarInt(bytes.length + 1);
          each.append(bytes);
        });
      })
      .appendTaggedFields();
  connection.send<ProduceResponse>(
    PRODUCE,
    PRODUCE_VERSION,
    body,
    produceV9.parseResponse,
    true,
    true,
    (error, answer) => {
      // The client throws when one partition of many has an error; the answer is in what it throws.
      if (error instanceof ResponseError) resolve(error['response'] as ProduceResponse);
      else if (error !== null && error !== undefined) reject(error);
      else resolve(answer as ProduceResponse);
    },
  );
  return promise;
}
