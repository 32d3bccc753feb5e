/**
 * The broker on Apache Kafka: a stream is a topic, a shard a partition, an offset Kafka's, the partition key the message's key, arrival
 * the message's time. Positions come from the caller, never from a consumer group. Waiting is this module's; the rest is Kafka's.
 */
import { LakewardError } from '../../model/errors.ts';
import type { Offset, Positions, ShardIndex, StreamId, TopicIdentity } from '../../model/stream.ts';
import { asOffset, asShard } from '../../model/stream.ts';
import { batchBytes } from '../../model/record-batch.ts';
import type { Broker, OffsetGap, Pending, ReadResult, StreamStorage } from '../../ports/broker.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Telemetry } from '../../ports/telemetry.ts';
import { atMost, unlessAborted } from '../../model/waiting.ts';
import { fetchedShard } from './fetched-batches.ts';
import { connectKafka, type KafkaOptions } from './kafka-client.ts';
import { unreachable } from './kafka-errors.ts';
import { kafkaMetrics } from './kafka-metrics.ts';
import { type OpenTopic, producing } from './producing.ts';
import { shardEnds, type ShardEnds } from './shard-ends.ts';
import { topicReader, type TopicReader } from './topic-reader.ts';
import { topicStorage } from './topic-storage.ts';
import { topicWriter } from './topic-writer.ts';

export interface KafkaBrokerOptions extends KafkaOptions {
  readonly clock: Clock;
  /** The cluster's time; `clock` unless a test drives that one by hand. */
  readonly pace?: Clock;
  readonly telemetry: Telemetry;
  /** Begins the name of every topic made here. */
  readonly topicPrefix?: string;
}

interface OpenStream {
  storage: StreamStorage;
  /** Name of its topic. */
  readonly topic: string;
  readonly isAdopted: boolean;
  target: OpenTopic;
  readonly ends: ShardEnds;
  readonly reader: TopicReader;
  /** Bytes and records seen lately, for estimates. */
  seenBytes: number;
  seenRecords: number;
  /** By shard: arrival of the first record at a position, remembered while the position stands. */
  readonly firsts: Map<ShardIndex, { readonly at: Offset; readonly arrivalMs: number }>;
}

/** What a look at the first record of a shard may cost. */
const SAMPLE_BYTES = 1;
const GONE =
  'it is not in this cluster, or another one took its name; let broker.kafka point to the cluster that has it, or delete the stream';
/** Who asked for an append that has no answer by then is gone, or told that it failed. */
const DRAINED_MS = 250;

export function kafkaBroker(given: KafkaBrokerOptions): Broker {
  const { clock, pace = clock, telemetry, topicPrefix = '', ...options } = given;
  const client = connectKafka(options, pace);
  const topics = topicStorage(client, pace, options.replicas);
  const streams = new Map<StreamId, OpenStream>();
  const metrics = kafkaMetrics(telemetry);
  const producer = producing({ pace, log: telemetry.log, metrics });
  let closed = false;

  function streamOf(id: StreamId, shards: Iterable<number> = []): OpenStream {
    if (closed) throw new LakewardError('broker-closed', 'the broker is closed');
    const stream = streams.get(id);
    if (stream === undefined) throw new LakewardError('stream-not-found', `no storage of stream ${id} is open`);
    for (const shard of shards) {
      if (shard >= stream.storage.shardCount)
        throw new LakewardError('shard-not-found', `stream ${id} has no shard ${shard}`);
    }
    return stream;
  }

  function forget(id: StreamId): OpenStream | undefined {
    const stream = streams.get(id);
    streams.delete(id);
    stream?.ends.fail(new LakewardError('stream-not-found', `stream ${id} was deleted`));
    return stream;
  }

  async function readOnce(stream: OpenStream, positions: Positions, maxBytes: number): Promise<ReadResult> {
    const next = new Map(positions);
    const batches: ReadResult['batches'][number][] = [];
    const gaps: OffsetGap[] = [];
    const answers = await stream.reader.fetch(positions, maxBytes);
    const outside = [...answers].filter(([, { answer }]) => answer === undefined).map(([shard]) => shard);
    const starts = await stream.ends.ask(outside, 'earliest');
    for (const [shard, { from, answer }] of answers) {
      if (answer === undefined) {
        const start = starts.get(shard) ?? from;
        if (start <= from) continue;
        gaps.push({ shard, from, to: start, cause: 'expired' });
        next.set(shard, start);
        continue;
      }
      const got = fetchedShard(shard, from, answer);
      batches.push(...got.batches);
      gaps.push(...got.gaps);
      next.set(shard, got.next);
    }
    for (const batch of batches) {
      metrics.fetched(batch.count, batchBytes(batch));
      stream.seenBytes += batchBytes(batch);
      stream.seenRecords += batch.count;
    }
    return { batches, gaps, next };
  }

  /** Asks again whenever a shard has grown, until `answer` is content or time is up. */
  async function waitFor<T>(id: StreamId, wait: WaitFor<T>): Promise<T> {
    const deadlineMs = clock.monotonicMs() + wait.waitMs;
    for (let isFirst = true; ; isFirst = false) {
      wait.signal?.throwIfAborted();
      const stream = streamOf(id, wait.positions.keys());
      const { answer, content, ends } = await unlessAborted(wait.ask(stream, isFirst), wait.signal).catch(
        (error: unknown) => {
          // What fails because the stream or the broker went away is told as that.
          streamOf(id);
          throw error;
        },
      );
      streamOf(id);
      const leftMs = deadlineMs - clock.monotonicMs();
      if (content || leftMs <= 0) return answer;
      await stream.ends.grown(ends, { waitMs: leftMs, signal: wait.signal });
    }
  }

  /** `isFirst`: nothing was asked of Kafka yet for this call. Others may hold back records of their topic in transactions. */
  async function pendingNow(stream: OpenStream, positions: Positions, isFirst: boolean): Promise<Pending> {
    const lately = isFirst || stream.isAdopted ? undefined : stream.ends.known(positions.keys());
    const [latest, earliest] = await Promise.all([
      lately ?? stream.ends.ask(positions.keys(), 'latest'),
      stream.ends.starts([...positions.keys()]),
    ]);
    const ends = new Map<ShardIndex, Offset>();
    const waiting = new Map<ShardIndex, Offset>();
    let records = 0;
    for (const [shard, position] of positions) {
      const end = latest.get(shard) ?? asOffset(0);
      const from = asOffset(Math.max(position, earliest.get(shard) ?? 0));
      ends.set(shard, end);
      // Kafka gives offsets of lost records again: what comes there now would pass for read.
      if (end < position) throw lost(stream.topic, `shard ${shard} ends at ${end}, and was read up to ${position}`);
      if (end <= from) continue;
      records += end - from;
      waiting.set(shard, from);
    }
    const oldestArrivalMs = await oldestOf(stream, waiting);
    const bytes = Math.round((records * stream.seenBytes) / Math.max(1, stream.seenRecords));
    return { records, bytes, exact: false, oldestArrivalMs, ends };
  }

  /** Arrival of the first record at each position; also what the size of records is guessed from. */
  async function oldestOf(stream: OpenStream, waiting: Positions): Promise<number | undefined> {
    const unknown = new Map([...waiting].filter(([shard, at]) => stream.firsts.get(shard)?.at !== at));
    if (unknown.size > 0) {
      const { batches } = await readOnce(stream, unknown, SAMPLE_BYTES);
      for (const { shard, arrivals } of batches.toReversed()) {
        const at = waiting.get(shard);
        if (at !== undefined) stream.firsts.set(shard, { at, arrivalMs: arrivals[0] ?? clock.nowMs() });
      }
    }
    const known = [...waiting.keys()].flatMap((shard) => stream.firsts.get(shard)?.arrivalMs ?? []);
    return known.length === 0 ? undefined : Math.min(...known);
  }

  async function retainNow(id: StreamId, nowMs: number): Promise<number> {
    const stream = streamOf(id);
    if (stream.isAdopted) return 0;
    const shards = Array.from({ length: stream.storage.shardCount }, (_, index) => asShard(index));
    const [starts, kept, ends] = [
      await stream.ends.ask(shards, 'earliest'),
      await stream.ends.ask(shards, { atMs: nowMs - stream.storage.retentionMs }),
      await stream.ends.ask(shards, 'latest'),
    ];
    const cuts = shards.flatMap((shard) => {
      const to = kept.get(shard) ?? ends.get(shard) ?? asOffset(0);
      return to > (starts.get(shard) ?? 0) ? [{ shard, to, records: to - (starts.get(shard) ?? 0) }] : [];
    });
    if (cuts.length === 0) return 0;
    const partitions = cuts.map(({ shard, to }) => ({ partition: shard as number, offset: BigInt(to) }));
    try {
      await client.admin.deleteRecords({ topics: [{ name: stream.topic, partitions }] });
    } catch (error) {
      throw unreachable(`records of topic '${stream.topic}' cannot be dropped`, error);
    }
    stream.ends.forgetStarts();
    const records = cuts.reduce((sum, cut) => sum + cut.records, 0);
    return Math.max(1, Math.round((records * stream.seenBytes) / Math.max(1, stream.seenRecords)));
  }

  return {
    async open(storage, call) {
      call?.signal?.throwIfAborted();
      if (closed) throw new LakewardError('broker-closed', 'the broker is closed');
      const known = storage.topic;
      const topic = known?.name ?? storage.adopt ?? `${topicPrefix}${storage.id}`;
      const isAdopted = storage.adopt !== undefined || known?.adopted === true;
      const found = (await client.topic(topic))?.topic;
      if (known !== undefined && found?.id !== known.id) {
        throw lost(topic, GONE);
      }
      if (isAdopted && found === undefined) {
        throw new LakewardError('argument-invalid', `there is no topic '${topic}' in the cluster`);
      }
      const { shardCount, retentionMs, asFound = false } = storage;
      const facts = await topics.ensure({ name: topic, shardCount, retentionMs, isAdopted, asFound });
      const identity: TopicIdentity = { name: topic, id: facts.id, ...(isAdopted && { adopted: true }) };
      const opened = { identity, partitions: facts.partitions, retentionMs: facts.retentionMs };
      const report = { stream: storage.id, topic: opened, gaps: [], tornBytes: 0 };
      if (asFound) return report;
      const before = streams.get(storage.id);
      const ends = before?.ends ?? shardEnds(client, topic, { clock, pace });
      const writer = before?.target.writer ?? topicWriter(client, identity, pace);
      const target = {
        name: topic,
        writer,
        setBytesMax: facts.setBytesMax,
        ended: (shard: number, end: number) => ends.noteEnd(shard, end),
      };
      // One that was asked for earlier may come later: a stream never has fewer shards.
      const grown = Math.max(shardCount, before?.storage.shardCount ?? 0);
      if (before !== undefined) Object.assign(before, { storage: { ...storage, shardCount: grown }, target });
      else {
        const reader = topicReader(client, identity, pace);
        const seen = { seenBytes: 0, seenRecords: 0, firsts: new Map() };
        streams.set(storage.id, { storage, topic, isAdopted, target, ends, reader, ...seen });
      }
      return report;
    },
    release: async (id) => void forget(id),
    async remove(id) {
      const stream = forget(id);
      if (stream?.isAdopted !== true) await topics.remove(`${topicPrefix}${id}`);
    },
    async append(id, batch, call) {
      call?.signal?.throwIfAborted();
      const stream = streamOf(id, batch.shards.subarray(0, batch.count));
      if (batch.count === 0) return { offsets: new Float64Array(), failures: [] };
      const result = await producer.append(stream.target, batch);
      stream.seenBytes += batchBytes(batch);
      stream.seenRecords += batch.count;
      return result;
    },
    read: (id, positions, { maxBytes, waitMs, signal }) =>
      waitFor(id, {
        positions,
        waitMs,
        signal,
        ask: async (stream) => {
          const answer = await readOnce(stream, positions, maxBytes);
          return { answer, content: answer.batches.length > 0 || answer.gaps.length > 0, ends: positions };
        },
      }),
    async locate(id, shard, at, call) {
      const { ends } = streamOf(id, [shard]);
      const asked = async (when: typeof at | 'latest') =>
        (await unlessAborted(ends.ask([shard], when), call?.signal)).get(shard);
      return (await asked(at)) ?? (await asked('latest')) ?? asOffset(0);
    },
    pending: (id, positions, { minBytes, minRecords, waitMs, signal }) =>
      waitFor(id, {
        positions,
        waitMs,
        signal,
        ask: async (stream, isFirst) => {
          const answer = await pendingNow(stream, positions, isFirst);
          return { answer, content: answer.bytes >= minBytes || answer.records >= minRecords, ends: answer.ends };
        },
      }),
    retain: (id, nowMs, call) => unlessAborted(retainNow(id, nowMs), call?.signal),
    async close() {
      if (closed) return;
      closed = true;
      const closing = new LakewardError('broker-closed', 'the broker is closed');
      for (const stream of streams.values()) stream.ends.fail(closing);
      await atMost(pace, DRAINED_MS, producer.drained());
      await client.close();
    },
  };
}

function lost(topic: string, what: string): LakewardError {
  return new LakewardError('broker-changed', `topic '${topic}': ${what}`);
}

interface WaitFor<T> {
  readonly positions: Positions;
  readonly waitMs: number;
  readonly signal: AbortSignal | undefined;
  /** `ends`: an answer may change once a shard is longer than this. */
  ask(stream: OpenStream, isFirst: boolean): Promise<{ answer: T; content: boolean; ends: Positions }>;
}
