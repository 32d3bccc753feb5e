/** A topic that others made and go on writing to, landed as a stream by a whole server. */
import {
  type Admin,
  CompressionTypes,
  ConfigResourceTypes,
  Kafka,
  logLevel,
  type Message,
  type Producer,
} from 'kafkajs';
import { expect, test, vi } from 'vitest';
import { landedIds } from '../hostile/lake-reader.ts';
import { api, aPlace, flush as flushOnce, must, put, startIn } from '../hostile/running-server.ts';
import { describeOnKafka } from '../broker/test-kafka.ts';

vi.setConfig({ testTimeout: 180_000 });

const HOUR_MS = 3_600_000;
/** An engine or a Kafka that is busy may fail a landing, which is tried again. */
const flush = (url: string) => vi.waitFor(() => flushOnce(url), { timeout: 60_000, interval: 200 });
const event = (id: number): Message => ({ key: `k${id}`, value: JSON.stringify({ id }) });
const events = (from: number, to: number): Message[] => Array.from({ length: to - from }, (_, i) => event(from + i));

await describeOnKafka('an adopted topic', (kafka) => {
  async function others<T>(
    work: (room: { admin: Admin; producer: Producer; client: Kafka }) => Promise<T>,
  ): Promise<T> {
    const client = new Kafka({ brokers: [kafka().bootstrap], logLevel: logLevel.NOTHING });
    const admin = client.admin();
    // Else what a partition without a leader yet refuses is sent again with what the others have stored.
    const producer = client.producer({ idempotent: true, maxInFlightRequests: 1 });
    await Promise.all([admin.connect(), producer.connect()]);
    try {
      return await work({ admin, producer, client });
    } finally {
      await Promise.all([admin.disconnect(), producer.disconnect()]);
    }
  }
  const place = () => aPlace({ broker: { kafka: { bootstrap: [kafka().bootstrap] } } });
  const quiet = { format: 'ndjson', layout: '', flush: { age: '1h' }, start: 'earliest' };

  test('lands what others write, once, whatever form it has, and is theirs when the stream is deleted', () =>
    others(async ({ admin, producer, client }) => {
      const retention = String(7 * HOUR_MS);
      const configEntries = [
        { name: 'retention.ms', value: retention },
        { name: 'max.message.bytes', value: '100000' },
      ];
      await admin.createTopics({
        waitForLeaders: true,
        topics: [{ topic: 'orders', numPartitions: 3, configEntries }],
      });
      await producer.send({ topic: 'orders', messages: events(0, 100) });

      const held = await admin.fetchTopicOffsets('orders');
      expect(held.reduce((sum, { high }) => sum + Number(high), 0)).toBe(100);

      const at = await place();
      let server = await startIn(at);
      try {
        let { url } = server.address;
        const stream = await must<{ shards: object[] }>(`${url}/v1/streams`, 'POST', { name: 's', topic: 'orders' });
        expect(stream).toMatchObject({ topic: 'orders', retentionHours: 7 });
        expect(stream.shards.length).toBe(3);
        await must(`${url}/v1/deliveries`, 'POST', { name: 'd', stream: 's', ...quiet });
        expect(await flush(url)).toMatchObject({ rows: 100 });

        // Compressed, without a key, with headers, in transactions that end well and badly.
        const topic = 'orders';
        await producer.send({ topic, compression: CompressionTypes.GZIP, messages: events(100, 200) });
        await producer.send({
          topic,
          messages: [{ ...event(200), key: null, headers: { trace: 'a', more: ['b', 'c'] } }],
        });
        const transactional = client.producer({ transactionalId: 'tx', maxInFlightRequests: 1, idempotent: true });
        await transactional.connect();
        const bad = await transactional.transaction();
        await bad.send({ topic, messages: events(1000, 1010) });
        await bad.abort();
        const good = await transactional.transaction();
        await good.send({ topic, messages: events(201, 300) });
        await good.commit();
        await transactional.disconnect();
        // Ours among theirs; more bytes than the topic takes in one batch.
        const ours = Array.from({ length: 200 }, (_, i) => ({ id: 300 + i, pad: '.'.repeat(1000) }));
        expect((await put(url, ours)).json).toMatchObject({ accepted: 200 });
        await flush(url);

        // More partitions than before are seen, at the latest by the next start.
        await server.close('restart');
        await admin.createPartitions({ topicPartitions: [{ topic, count: 5 }] });
        await vi.waitFor(async () =>
          expect((await admin.fetchTopicMetadata({ topics: [topic] })).topics[0]?.partitions.length).toBe(5),
        );
        // One that has known the topic for long drops what is for a partition it does not know.
        await others((fresh) =>
          fresh.producer.send({ topic, messages: events(500, 510).map((one) => ({ ...one, partition: 4 })) }),
        );
        server = await startIn(at);
        ({ url } = server.address);
        expect((await put(url, [{ id: 510 }])).json).toMatchObject({ accepted: 1 });
        expect(await flush(url)).toMatchObject({ state: 'running', lostOffsets: 0, rejectedRows: 0 });
        const landed = (await landedIds(at.lake, 'd')).map(Number).toSorted((a, b) => a - b);
        expect(landed).toEqual(Array.from({ length: 511 }, (_, id) => id));

        await must(`${url}/v1/streams/s?force=true`, 'DELETE');
        expect(await admin.listTopics()).toContain(topic);
        const settings = await admin.describeConfigs({
          includeSynonyms: false,
          resources: [{ type: ConfigResourceTypes.TOPIC, name: topic, configNames: ['retention.ms'] }],
        });
        expect(settings.resources[0]?.configEntries[0]?.configValue).toBe(retention);
      } finally {
        await server.close('test over');
        await at.dispose();
      }
    }));

  // Kafka packs what comes anew as the topic asks for, by the code that Java producers pack with.
  test.each(['snappy', 'lz4', 'zstd'])('lands what is compressed with %s', (codec) =>
    others(async ({ admin, producer }) => {
      const topic = `packed-${codec}`;
      const configEntries = [{ name: 'compression.type', value: codec }];
      await admin.createTopics({ waitForLeaders: true, topics: [{ topic, configEntries }] });
      // Several blocks of every codec in one batch, of bytes that repeat and bytes that hardly do.
      const pads = [
        '.'.repeat(3000),
        Array.from({ length: 1000 }, (_, i) => ((i * 7919) ^ (i << 3)).toString(36)).join(''),
      ];
      const wide = Array.from({ length: 100 }, (_, id) => ({
        key: `k${id}`,
        value: JSON.stringify({ id, pad: `${id}${pads[id % 2]}` }),
      }));
      await producer.send({ topic, messages: wide });
      await producer.send({ topic, messages: events(100, 101) });
      const at = await place();
      const server = await startIn(at);
      const { url } = server.address;
      try {
        await must(`${url}/v1/streams`, 'POST', { name: 's', topic });
        await must(`${url}/v1/deliveries`, 'POST', { name: 'd', stream: 's', ...quiet });
        expect(await flush(url)).toMatchObject({ rows: 101, rejectedRows: 0, lostOffsets: 0, state: 'running' });
        const landed = (await landedIds(at.lake, 'd')).map(Number).toSorted((a, b) => a - b);
        expect(landed).toEqual(Array.from({ length: 101 }, (_, id) => id));
      } finally {
        await server.close('test over');
        await at.dispose();
      }
    }),
  );

  test('is refused when it is not there, or when it is told what is for the topic to say', async () => {
    const at = await place();
    const server = await startIn(at);
    const { url } = server.address;
    try {
      expect(await api(`${url}/v1/streams`, 'POST', { name: 's', topic: 'nowhere' })).toMatchObject({
        status: 400,
        json: { error: { code: 'argument-invalid', message: "there is no topic 'nowhere' in the cluster" } },
      });
      const shards = await api(`${url}/v1/streams`, 'POST', { name: 's', topic: 'nowhere', shards: 3 });
      expect(shards.json.error.code).toBe('argument-invalid');
      expect((await api(`${url}/v1/streams/s`, 'GET')).status).toBe(404);
    } finally {
      await server.close('test over');
      await at.dispose();
    }
  });

  test('gives deletions and emptied places of a compacted topic no row, and counts them', () =>
    others(async ({ admin, producer }) => {
      await admin.createTopics({
        waitForLeaders: true,
        topics: [{ topic: 'states', configEntries: [{ name: 'cleanup.policy', value: 'compact' }] }],
      });
      await producer.send({ topic: 'states', messages: [event(1), { key: 'k1', value: null }, event(2)] });
      const at = await place();
      const server = await startIn(at);
      const { url } = server.address;
      try {
        await must(`${url}/v1/streams`, 'POST', { name: 's', topic: 'states' });
        await must(`${url}/v1/deliveries`, 'POST', { name: 'd', stream: 's', ...quiet });
        expect(await flush(url)).toMatchObject({ rows: 2, rejectedRows: 1, lostOffsets: 0, state: 'running' });
      } finally {
        await server.close('test over');
        await at.dispose();
      }
    }));
});
