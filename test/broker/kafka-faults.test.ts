/** What goes wrong between us and one Kafka node: nothing acknowledged is lost, nothing is stored twice by us. */
import { ConfigResourceTypes, Kafka, logLevel } from 'kafkajs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, expect, test, vi } from 'vitest';
import { kafkaBroker } from '../../src/broker/kafka/kafka-broker.ts';
import { kafkaShardGroups } from '../../src/broker/kafka/shard-group.ts';
import { systemClock } from '../../src/clock/system-clock.ts';
import { asStreamId } from '../../src/model/stream.ts';
import type { Clock } from '../../src/ports/clock.ts';
import type { ShardMembership } from '../../src/ports/shard-groups.ts';
import { silentTelemetry } from '../../src/telemetry/silent.ts';
import { expectKept, startLoad } from './kafka-load.ts';
import { readAll, startOf } from './read-all.ts';
import { tcpProxy } from './tcp-proxy.ts';
import { describeOnKafka } from './test-kafka.ts';
import { textBatch } from './text-batch.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });

const shardCount = 3;
let kafkaPort = 0;
const proxy = await tcpProxy(() => kafkaPort);
const advertised = { 'advertised.listeners': `PLAINTEXT://127.0.0.1:${proxy.port}` };

await describeOnKafka(
  'Kafka behind a bad network',
  (kafka) => {
    afterAll(() => proxy.close());

    async function aStream(name: string, pace: Clock = systemClock()) {
      kafkaPort = Number(kafka().bootstrap.split(':')[1]);
      const bootstrap = [`127.0.0.1:${proxy.port}`];
      const id = asStreamId(name);
      const broker = kafkaBroker({ clock: systemClock(), pace, telemetry: silentTelemetry(), bootstrap });
      await broker.open({ id, shardCount, retentionMs: 3_600_000 });
      return { broker, id, shardCount, bootstrap, topic: name };
    }

    async function setTopic(topic: string, name: string, value: string): Promise<void> {
      const admin = new Kafka({ brokers: [`127.0.0.1:${proxy.port}`], logLevel: logLevel.NOTHING }).admin();
      await admin.connect();
      await admin.alterConfigs({
        validateOnly: false,
        resources: [{ type: ConfigResourceTypes.TOPIC, name: topic, configEntries: [{ name, value }] }],
      });
      await admin.disconnect();
    }

    test('whose answers are lost', async () => {
      const stream = await aStream('answers');
      const load = startLoad(stream.broker, stream.id, { shardCount });
      for (let round = 0; round < 5; round++) {
        await load.more(300);
        proxy.loseAnswers(true);
        // Kafka stores what is under way.
        await sleep(200);
        proxy.cutAll();
        proxy.loseAnswers(false);
      }
      await load.more(300);
      await load.stop();
      expect(load.failed()).toBe(0);
      await expectKept(load, stream);
      await stream.broker.close();
    });

    test('that changes what Kafka answers', async () => {
      const { broker, id } = await aStream('changed');
      await broker.append(id, textBatch([{ shard: 1, key: 'k', data: 'as it was sent' }], Date.now()));
      let changes = 0;
      const change = (chunk: Buffer): Buffer => {
        const at = chunk.indexOf('as it was');
        if (at < 0) return chunk;
        changes++;
        const changed = Buffer.from(chunk);
        changed.writeUInt8(changed.readUInt8(at) ^ 1, at);
        return changed;
      };
      proxy.changeAnswers((chunk) => (changes < 2 ? change(chunk) : chunk));
      const right = [{ shard: 1, offset: 0, key: 'k', data: 'as it was sent' }];
      expect((await readAll(broker, id, startOf(shardCount))).records).toMatchObject(right);
      expect(changes).toBe(2);
      proxy.changeAnswers(change);
      await expect(readAll(broker, id, startOf(shardCount))).rejects.toMatchObject({
        code: 'records-damaged',
        message: expect.stringContaining("topic 'changed', partition 1") as string,
      });
      proxy.changeAnswers();
      expect((await readAll(broker, id, startOf(shardCount))).records).toMatchObject(right);
      await broker.close();
    });

    test('that stands still for some seconds', async () => {
      const stream = await aStream('frozen');
      const load = startLoad(stream.broker, stream.id, { shardCount });
      await load.more(300);
      process.kill(kafka().pid(), 'SIGSTOP');
      await sleep(4000);
      process.kill(kafka().pid(), 'SIGCONT');
      await load.more(300);
      await load.stop();
      expect(load.failed()).toBe(0);
      await expectKept(load, stream);
      await stream.broker.close();
    });

    test('whose connections stay open and say nothing: a member joins anew, with the share it has until then', async () => {
      const { broker, id, topic, bootstrap } = await aStream('silent');
      const stream = { id, topic: { name: topic, id: '' } };
      const join = () => {
        const options = { clock: systemClock(), telemetry: silentTelemetry(), bootstrap, sessionMs: 6_000 };
        return kafkaShardGroups({ ...options, silentMs: 3_000 }).join('d', stream);
      };
      const sizeOf = (member: ShardMembership): number => (member.share() as ReadonlySet<number>).size;
      const first = join();
      await vi.waitFor(() => expect(sizeOf(first)).toBe(3), { timeout: 60_000 });
      const sizes: number[] = [];
      first.watch(() => sizes.push(sizeOf(first)));
      proxy.silenceAll();
      const second = join();
      await vi.waitFor(() => expect([sizeOf(first), sizeOf(second)].toSorted((a, b) => a - b)).toEqual([1, 2]), {
        timeout: 90_000,
      });
      expect(sizes).not.toContain(0);
      await Promise.all([first.leave(), second.leave(), broker.close()]);
    });

    test('that stores records after they were given up', async () => {
      const clock = systemClock();
      // The deadline of a send comes after a second.
      const hasty: Clock = { ...clock, sleep: (ms, signal) => clock.sleep(Math.min(ms, 1000), signal) };
      const stream = await aStream('late', hasty);
      const load = startLoad(stream.broker, stream.id, { shardCount });
      await load.more(300);
      process.kill(kafka().pid(), 'SIGSTOP');
      await vi.waitFor(() => expect(load.failed()).toBeGreaterThan(400), { timeout: 30_000 });
      process.kill(kafka().pid(), 'SIGCONT');
      await load.more(300);
      await load.stop();
      await expectKept(load, stream);
      const { records } = await readAll(stream.broker, stream.id, startOf(shardCount));
      expect(records.length).toBeGreaterThan(load.acknowledged());
      await stream.broker.close();
    });

    test('that refuses a batch before it takes the next', async () => {
      const stream = await aStream('refused');
      await setTopic('refused', 'max.message.bytes', '20000');
      const load = startLoad(stream.broker, stream.id, {
        shardCount,
        padding: (append) => (append % 20 === 0 ? 10_000 : 0),
      });
      await load.more(2000);
      await load.stop();
      expect(load.failed()).toBeGreaterThan(0);
      await expectKept(load, stream);
      await stream.broker.close();
    });

    test('that lacks replicas for a while', async () => {
      const stream = await aStream('replicas');
      const load = startLoad(stream.broker, stream.id, { shardCount });
      await load.more(300);
      await setTopic('replicas', 'min.insync.replicas', '2');
      await sleep(1000);
      await setTopic('replicas', 'min.insync.replicas', '1');
      await load.more(300);
      await load.stop();
      expect(load.failed()).toBe(0);
      await expectKept(load, stream);
      await stream.broker.close();
    });

    test('that takes less in one batch than a request holds, and no record as large as ours', async () => {
      const { broker, id } = await aStream('small');
      await setTopic('small', 'max.message.bytes', '2000');
      // Taken over at the next opening.
      await broker.open({ id, shardCount, retentionMs: 3_600_000 });
      const records = Array.from({ length: 100 }, (_, i) => ({ shard: i % 2, key: 'k', data: `${i}`.padEnd(90, '.') }));
      const large = { shard: 1, key: 'k', data: 'x'.repeat(2000) };
      const { offsets, failures } = await broker.append(id, textBatch([...records, large, ...records], Date.now()));
      expect(failures).toEqual([{ index: 100, code: 'record-too-large' }]);
      const got = await readAll(broker, id, startOf(shardCount));
      const expected = [...records, large, ...records]
        .map((record, i) => ({ ...record, offset: offsets[i] ?? -1 }))
        .filter(({ offset }) => offset >= 0);
      const byPlace = (a: { shard: number; offset: number }, b: { shard: number; offset: number }) =>
        a.shard - b.shard || a.offset - b.offset;
      expect(got.records.toSorted(byPlace)).toMatchObject(expected.toSorted(byPlace));
      await broker.close();
    });
  },
  { properties: advertised },
);
