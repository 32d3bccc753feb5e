/**
 * Appends to Kafka. Appends that come while a send is under way share the next one, so that many small requests cost few produce
 * requests; one send a stream at a time keeps the order. A record is told as failed when Kafka did not say that all in-sync replicas have
 * it; it may be there nonetheless.
 */
import type { ErrorCode } from '../../model/errors.ts';
import { LakewardError } from '../../model/errors.ts';
import { MIB } from '../../model/limits.ts';
import type { AppendBatch } from '../../model/record-batch.ts';
import { batchBytes } from '../../model/record-batch.ts';
import type { AppendResult } from '../../ports/broker.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/telemetry.ts';
import type { KafkaMetrics } from './kafka-metrics.ts';
import type { RecordSet } from './record-sets.ts';
import { recordSets } from './record-sets.ts';
import type { TopicWriter } from './topic-writer.ts';

/** Bytes of all streams that may wait or be under way; more is refused as `broker-overloaded`. */
export const PRODUCE_BYTES_MAX = 64 * MIB;
/** Bytes of one send. */
const SEND_BYTES_MAX = 8 * MIB;

interface WaitingAppend {
  readonly batch: AppendBatch;
  readonly bytes: number;
  readonly settled: PromiseWithResolvers<AppendResult>;
}

/** A topic that is written to. */
export interface OpenTopic {
  readonly name: string;
  readonly writer: TopicWriter;
  /** The largest record batch it takes. */
  readonly setBytesMax: number;
  /** Called with the end of a shard that is known from an answer. */
  readonly ended: (shard: number, end: number) => void;
}

export interface Producing {
  append(topic: OpenTopic, batch: AppendBatch): Promise<AppendResult>;
  /** Resolves when nothing is under way. */
  drained(): Promise<void>;
}

export interface ProducingOptions {
  readonly pace: Clock;
  readonly log: Log;
  readonly metrics: KafkaMetrics;
}

export function producing({ pace, log, metrics }: ProducingOptions): Producing {
  const queues = new Map<TopicWriter, WaitingAppend[]>();
  const running = new Map<TopicWriter, Promise<void>>();
  let bytesHeld = 0;

  async function sendAll(topic: OpenTopic, queue: WaitingAppend[]): Promise<void> {
    while (queue.length > 0) {
      const group: WaitingAppend[] = [];
      for (
        let bytes = 0;
        queue[0] !== undefined && (group.length === 0 || bytes + queue[0].bytes <= SEND_BYTES_MAX);
      ) {
        const next = queue.shift() as WaitingAppend;
        bytes += next.bytes;
        group.push(next);
      }
      await sendGroup(topic, group);
      for (const { bytes } of group) bytesHeld -= bytes;
    }
    queues.delete(topic.writer);
    running.delete(topic.writer);
  }

  async function sendGroup(to: OpenTopic, group: readonly WaitingAppend[]): Promise<void> {
    const { sets, setOf } = recordSets(
      group.map(({ batch }) => batch),
      to.setBytesMax,
    );
    const fromMs = pace.monotonicMs();
    const { bases, reason } = await to.writer.write(sets.filter(({ tooLarge }) => !tooLarge));
    metrics.appended(sets, bases, (pace.monotonicMs() - fromMs) / 1000);
    if (reason !== undefined) log.warn('records were not acknowledged by Kafka', { topic: to.name, reason });
    for (const [{ partition, count }, base] of bases) to.ended(partition, base + count);
    settleAll(group, { sets, setOf, bases });
  }

  return {
    append(topic, batch) {
      const bytes = batchBytes(batch);
      if (bytesHeld > 0 && bytesHeld + bytes > PRODUCE_BYTES_MAX) {
        throw new LakewardError('broker-overloaded', `${bytesHeld} bytes wait for Kafka`);
      }
      bytesHeld += bytes;
      const settled = Promise.withResolvers<AppendResult>();
      const queue = queues.get(topic.writer) ?? [];
      queues.set(topic.writer, queue);
      queue.push({ batch, bytes, settled });
      if (!running.has(topic.writer)) running.set(topic.writer, sendAll(topic, queue));
      return settled.promise;
    },
    async drained() {
      while (running.size > 0) await Promise.all(running.values());
    },
  };
}

interface Sent {
  readonly sets: readonly RecordSet[];
  readonly setOf: Uint32Array;
  readonly bases: ReadonlyMap<RecordSet, number>;
}

function settleAll(group: readonly WaitingAppend[], { sets, setOf, bases }: Sent): void {
  const next = Float64Array.from(sets, (set) => bases.get(set) ?? -1);
  let record = 0;
  for (const { batch, settled } of group) {
    const offsets = new Float64Array(batch.count);
    const failures: { index: number; code: ErrorCode }[] = [];
    for (let i = 0; i < batch.count; i++, record++) {
      const nth = setOf[record] as number;
      const offset = next[nth] as number;
      offsets[i] = offset;
      if (offset >= 0) next[nth] = offset + 1;
      else failures.push({ index: i, code: sets[nth]?.tooLarge === true ? 'record-too-large' : 'broker-unavailable' });
    }
    settled.resolve({ offsets, failures });
  }
}
