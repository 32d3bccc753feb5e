/** The broker on a real Kafka: what every broker does, and what other Kafka programs see of it. */
import { Kafka, logLevel } from 'kafkajs';
import { describe, expect, test, vi } from 'vitest';
import { kafkaBroker } from '../../src/broker/kafka/kafka-broker.ts';
import { systemClock } from '../../src/clock/system-clock.ts';
import { asOffset, asShard, asStreamId } from '../../src/model/stream.ts';
import { silentTelemetry } from '../../src/telemetry/silent.ts';
import { brokerSuite } from '../conformance/broker.suite.ts';
import { readAll, startOf } from './read-all.ts';
import { describeOnKafka, type TestKafka } from './test-kafka.ts';
import { textBatch } from './text-batch.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let topics = 0;

await describeOnKafka('Kafka', (kafka) => {
  brokerSuite({
    name: 'kafka',
    capabilities: { durable: true, pendingExact: false },
    // Kafka refuses times far from its own.
    startMs: Date.now(),
    storage: async () => {
      const topicPrefix = `t${topics++}-`;
      const bootstrap = [kafka().bootstrap];
      const telemetry = silentTelemetry();
      return {
        open: async (clock) => kafkaBroker({ clock, pace: systemClock(), telemetry, topicPrefix, bootstrap }),
        cleanUp: async () => {},
      };
    },
  });

  describe('a topic', () => {
    const id = asStreamId('s');
    const storage = { id, shardCount: 2, retentionMs: 3_600_000 };
    const connected = (topicPrefix: string) =>
      kafkaBroker({
        clock: systemClock(),
        telemetry: silentTelemetry(),
        bootstrap: [kafka().bootstrap],
        topicPrefix,
      });
    const opened = async (topicPrefix: string) => {
      const broker = connected(topicPrefix);
      await broker.open(storage);
      return broker;
    };

    test('is read and written by other Kafka programs', async () => {
      const prefix = `t${topics++}-`;
      const broker = await opened(prefix);
      const arrivalMs = Date.now() - 1000;
      await broker.append(id, textBatch([{ shard: 1, key: 'ours', data: 'ünï' }], arrivalMs));
      const other = otherProgram(kafka());
      await other.write(`${prefix}s`, { partition: 0, key: 'theirs', value: 'x', timestamp: String(arrivalMs + 1) });
      const { records } = await readAll(broker, id, startOf(2));
      expect(records.toSorted((a, b) => a.shard - b.shard)).toEqual([
        { shard: 0, offset: 0, key: 'theirs', data: 'x', arrivalMs: arrivalMs + 1 },
        { shard: 1, offset: 0, key: 'ours', data: 'ünï', arrivalMs },
      ]);
      expect(await other.readTwo(`${prefix}s`)).toEqual([
        { partition: 0, offset: '0', key: 'theirs', value: 'x', timestamp: String(arrivalMs + 1) },
        { partition: 1, offset: '0', key: 'ours', value: 'ünï', timestamp: String(arrivalMs) },
      ]);
      await broker.close();
    });

    test('is not taken for one that lost records by who wrote to it last long ago', async () => {
      const prefix = `t${topics++}-`;
      const [ours, others] = [await opened(prefix), await opened(prefix)];
      await ours.append(id, textBatch([{ shard: 0, key: 'k', data: 'x' }], Date.now()));
      const more = Array.from({ length: 9 }, () => ({ shard: 0, key: 'k', data: 'y' }));
      await others.append(id, textBatch(more, Date.now()));
      const landed = new Map([[asShard(0), asOffset(10)]]);
      for (let waitMs = 1; waitMs < 30; waitMs++) {
        const { ends } = await ours.pending(id, landed, { minBytes: 1, minRecords: 1, waitMs });
        expect(ends).toEqual(landed);
      }
      await Promise.all([ours.close(), others.close()]);
    });

    test('keeps its shards, and its retention from who only looks, when a process asks that knows less', async () => {
      const broker = await opened(`t${topics++}-`);
      const looked = { ...storage, asFound: true } as const;
      await broker.open({ ...storage, shardCount: 3, retentionMs: 7_200_000 });
      // Kafka answers a change of settings before it tells it.
      await vi.waitFor(
        async () => expect((await broker.open(looked)).topic).toMatchObject({ partitions: 3, retentionMs: 7_200_000 }),
        { timeout: 60_000, interval: 50 },
      );
      for (const late of [looked, storage]) {
        await broker.open(late);
        const batch = textBatch([{ shard: 2, key: 'k', data: 'x' }], Date.now());
        expect(await broker.append(id, batch)).toMatchObject({ failures: [] });
      }
      await broker.close();
    });

    test('that is gone, or not the one it was, is refused', async () => {
      const prefix = `t${topics++}-`;
      const broker = connected(prefix);
      const { topic } = await broker.open(storage);
      const known = { ...storage, ...(topic !== undefined && { topic: topic.identity }) };
      expect(topic?.identity.name).toBe(`${prefix}s`);
      expect(await broker.open(known)).toMatchObject({ topic });
      // Removed and made anew by somebody else.
      const stranger = await opened(prefix);
      await stranger.remove(id);
      await expect(broker.open(known)).rejects.toMatchObject({ code: 'broker-changed' });
      await stranger.open(storage);
      await expect(broker.open(known)).rejects.toMatchObject({ code: 'broker-changed' });
      await broker.close();
      // A delivery that landed more than there is says so.
      const landed = new Map([...startOf(2).keys()].map((shard) => [shard, asOffset(1)]));
      await expect(stranger.pending(id, landed, { minBytes: 0, minRecords: 0, waitMs: 0 })).rejects.toMatchObject({
        code: 'broker-changed',
      });
      await stranger.close();
    });
  });
});

interface PlainRecord {
  readonly partition: number;
  readonly key: string;
  readonly value: string;
  readonly timestamp: string;
}

/** Another client, by other people. */
function otherProgram(kafka: TestKafka) {
  const client = new Kafka({ clientId: 'other', brokers: [kafka.bootstrap], logLevel: logLevel.NOTHING });
  return {
    async write(topic: string, record: PlainRecord): Promise<void> {
      const producer = client.producer();
      await producer.connect();
      await producer.send({ topic, acks: -1, messages: [record] });
      await producer.disconnect();
    },
    async readTwo(topic: string): Promise<object[]> {
      const consumer = client.consumer({ groupId: `of-${topic}` });
      await consumer.connect();
      await consumer.subscribe({ topic, fromBeginning: true });
      const seen: (PlainRecord & { readonly offset: string })[] = [];
      const { promise, resolve } = Promise.withResolvers<void>();
      await consumer.run({
        eachMessage: async ({ partition, message: { key, value, offset, timestamp } }) => {
          seen.push({ partition, offset, key: String(key), value: String(value), timestamp });
          if (seen.length === 2) resolve();
        },
      });
      await promise;
      await consumer.disconnect();
      return seen.toSorted((a, b) => a.partition - b.partition);
    },
  };
}
