/** How shards are shared: alone, and through Kafka's consumer group protocol, with the group away for a while too. */
import { expect, test, vi } from 'vitest';
import { kafkaBroker } from '../../src/broker/kafka/kafka-broker.ts';
import { kafkaShardGroups } from '../../src/broker/kafka/shard-group.ts';
import { manualClock } from '../../src/clock/manual-clock.ts';
import { systemClock } from '../../src/clock/system-clock.ts';
import { alone } from '../../src/delivery/work-share.ts';
import { asStreamId } from '../../src/model/stream.ts';
import { silentTelemetry } from '../../src/telemetry/silent.ts';
import { shardGroupsSuite } from '../conformance/shard-groups.suite.ts';
import { describeOnKafka, type TestKafka } from './test-kafka.ts';

vi.setConfig({ testTimeout: 90_000, hookTimeout: 60_000 });

const clock = systemClock();
const telemetry = silentTelemetry();
let streams = 0;

shardGroupsSuite('alone', { shards: 4, shared: false }, async () => ({
  stream: { id: asStreamId('s') },
  process: () => alone,
  close: async () => undefined,
}));

async function streamOn({ bootstrap }: TestKafka, shardCount: number) {
  const id = asStreamId(`s${streams++}`);
  const broker = kafkaBroker({ clock, telemetry, bootstrap: [bootstrap], topicPrefix: 'g-' });
  const { topic } = await broker.open({ id, shardCount, retentionMs: 3_600_000 });
  return {
    stream: { id, ...(topic !== undefined && { topic: topic.identity }) },
    process: () => kafkaShardGroups({ clock, telemetry, bootstrap: [bootstrap] }),
    grow: async (shards: number) => void (await broker.open({ id, shardCount: shards, retentionMs: 3_600_000 })),
    close: () => broker.close(),
  };
}

await describeOnKafka('shard groups', (kafka) => {
  shardGroupsSuite('kafka', { shards: 5, shared: true }, () => streamOn(kafka(), 5));

  test('keep the share while Kafka is away, and deal again when it is back', async () => {
    const { stream, process, close } = await streamOn(kafka(), 3);
    const first = process().join('d', stream);
    await vi.waitFor(() => expect(first.share()).toEqual(new Set([0, 1, 2])), { timeout: 30_000 });
    await kafka().kill();
    const held = new Promise((resolve) => setTimeout(resolve, 1_500, 'kept'));
    const lost = new Promise((resolve) => first.watch(() => resolve('changed')));
    expect(await Promise.race([held, lost])).toBe('kept');
    await kafka().restart();
    const second = process().join('d', stream);
    await vi.waitFor(() => expect([first, second].map(sizeOf).toSorted((a, b) => a - b)).toEqual([1, 2]), {
      timeout: 60_000,
    });
    await Promise.all([first.leave(), second.leave()]);
    await close();
  });
});

test('a member that cannot reach its group works on all shards after a while, and leaves without it', async () => {
  const manual = manualClock();
  const groups = kafkaShardGroups({ clock: manual, telemetry, bootstrap: ['127.0.0.1:1'] });
  const member = groups.join('d', { id: asStreamId('s'), topic: { name: 't', id: 'i' } });
  await manual.advance(29_000);
  expect(member.share()).toEqual(new Set());
  await manual.advance(2_000);
  expect(member.share()).toBe('all');
  const left = member.leave();
  await manual.advance(10_000);
  await left;
  expect(member.share()).toEqual(new Set());
});

function sizeOf(member: { share(): 'all' | ReadonlySet<number> }): number {
  const share = member.share();
  return share === 'all' ? -1 : share.size;
}
