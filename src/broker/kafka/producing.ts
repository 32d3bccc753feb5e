/**
 * Appends to Kafka. Appends that come while a send is under way share the next one, so that many small requests cost few produce
 * requests; one send a stream at a time keeps the order. Every send has a deadline of ours: the client's own goes on for ever. A
 * record is told as failed when Kafka did not say that all in-sync replicas have it; it may be there nonetheless.
 */
import type { MessageToProduce } from '@platformatic/kafka';
import type { ErrorCode } from '../../model/errors.ts';
import { LakewardError } from '../../model/errors.ts';
import { MIB } from '../../model/limits.ts';
import type { AppendBatch } from '../../model/record-batch.ts';
import { batchBytes } from '../../model/record-batch.ts';
import type { AppendResult } from '../../ports/broker.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/telemetry.ts';
import type { KafkaClient } from './kafka-client.ts';

/** Bytes of all streams that may wait or be under way; more is refused as `broker-overloaded`. */
export const PRODUCE_BYTES_MAX = 64 * MIB;
/** Bytes of one send. */
const SEND_BYTES_MAX = 8 * MIB;
const SEND_DEADLINE_MS = 30_000;
const FAILED: ErrorCode = 'broker-unavailable';

interface WaitingAppend {
  readonly batch: AppendBatch;
  readonly bytes: number;
  readonly settled: PromiseWithResolvers<AppendResult>;
}

export interface Producing {
  append(topic: string, batch: AppendBatch): Promise<AppendResult>;
  /** Resolves when nothing is under way. */
  drained(): Promise<void>;
}

export interface ProducingOptions {
  readonly client: KafkaClient;
  readonly pace: Clock;
  readonly log: Log;
  /** Called with the end of a shard that is known from an answer. */
  readonly ended: (topic: string, shard: number, end: number) => void;
}

export function producing({ client, pace, log, ended }: ProducingOptions): Producing {
  const queues = new Map<string, WaitingAppend[]>();
  const running = new Map<string, Promise<void>>();
  let bytesHeld = 0;

  async function sendAll(topic: string, queue: WaitingAppend[]): Promise<void> {
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
    queues.delete(topic);
    running.delete(topic);
  }

  async function sendGroup(topic: string, group: readonly WaitingAppend[]): Promise<void> {
    const messages = group.flatMap(({ batch }) => messagesOf(topic, batch));
    const bases = await basesOf(topic, messages);
    const taken = new Map<number, number>();
    for (const { batch, settled } of group) {
      const offsets = new Float64Array(batch.count).fill(-1);
      const failures: { index: number; code: ErrorCode }[] = [];
      for (let i = 0; i < batch.count; i++) {
        const shard = batch.shards[i] as number;
        const base = bases.get(shard);
        const nth = taken.get(shard) ?? 0;
        taken.set(shard, nth + 1);
        if (base === undefined) failures.push({ index: i, code: FAILED });
        else offsets[i] = base + nth;
      }
      settled.resolve({ offsets, failures });
    }
    for (const [shard, count] of taken) {
      const base = bases.get(shard);
      if (base !== undefined) ended(topic, shard, base + count);
    }
  }

  /** First offset of each partition that has all its records of the send. */
  async function basesOf(topic: string, messages: MessageToProduce[]): Promise<Map<number, number>> {
    const asked = new Set(messages.map(({ partition }) => partition as number));
    const bases = new Map<number, number>();
    const done = new AbortController();
    try {
      const sending = client.producer.send({ messages });
      // Its fate after the deadline is nobody's business any more.
      sending.catch(() => undefined);
      const late = pace.sleep(SEND_DEADLINE_MS, done.signal).then(() => {
        throw new Error(`no answer within ${SEND_DEADLINE_MS / 1000} s`);
      });
      late.catch(() => undefined);
      note(await Promise.race([sending, late]));
    } catch (error) {
      note((error as { produced?: Produced }).produced);
      const { message } = error as Error;
      log.warn('records were not acknowledged by Kafka', { topic, failed: asked.size - bases.size, reason: message });
    } finally {
      done.abort();
    }
    return bases;

    function note(produced: Produced | undefined): void {
      for (const answer of produced?.offsets ?? []) {
        // An unknown partition would have wrapped into another one.
        if (answer.topic !== topic || !asked.has(answer.partition) || answer.offset < 0n) continue;
        bases.set(answer.partition, Number(answer.offset));
      }
    }
  }

  return {
    append(topic, batch) {
      const bytes = batchBytes(batch);
      if (bytesHeld > 0 && bytesHeld + bytes > PRODUCE_BYTES_MAX) {
        throw new LakewardError('broker-overloaded', `${bytesHeld} bytes wait for Kafka`);
      }
      bytesHeld += bytes;
      const settled = Promise.withResolvers<AppendResult>();
      const queue = queues.get(topic) ?? [];
      queues.set(topic, queue);
      queue.push({ batch, bytes, settled });
      if (!running.has(topic)) running.set(topic, sendAll(topic, queue));
      return settled.promise;
    },
    async drained() {
      while (running.size > 0) await Promise.all(running.values());
    },
  };
}

interface Produced {
  readonly offsets?: readonly { readonly topic: string; readonly partition: number; readonly offset: bigint }[];
}

function messagesOf(topic: string, batch: AppendBatch): MessageToProduce[] {
  const timestamp = BigInt(batch.arrivalMs);
  const keys = Buffer.from(batch.keys.buffer, batch.keys.byteOffset, batch.keys.byteLength);
  const data = Buffer.from(batch.data.buffer, batch.data.byteOffset, batch.data.byteLength);
  return Array.from({ length: batch.count }, (_, i) => ({
    topic,
    partition: batch.shards[i] as number,
    key: keys.subarray(i === 0 ? 0 : batch.keyEnds[i - 1], batch.keyEnds[i]),
    value: data.subarray(i === 0 ? 0 : batch.dataEnds[i - 1], batch.dataEnds[i]),
    timestamp,
  }));
}
