/** Three Kafka nodes, three copies of every record, two before it is acknowledged: leaders die under load and come back. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type KafkaCluster, startKafkaCluster } from '../../infra/dev/kafka-cluster.ts';
import { missingKafka } from '../../infra/dev/kafka-install.ts';
import { kafkaBroker } from '../../src/broker/kafka/kafka-broker.ts';
import { systemClock } from '../../src/clock/system-clock.ts';
import { asStreamId } from '../../src/model/stream.ts';
import { silentTelemetry } from '../../src/telemetry/silent.ts';
import { expectKept, startLoad } from './kafka-load.ts';

vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

const lack = await missingKafka();
const isSkipped = lack !== undefined && process.env['CI'] !== 'true';

describe.skipIf(isSkipped)(isSkipped ? `a Kafka cluster (skipped: ${lack})` : 'a Kafka cluster', () => {
  let folder = '';
  let cluster: KafkaCluster | undefined;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'lakeward-kafka-cluster-'));
    cluster = await startKafkaCluster(folder);
  });
  afterAll(async () => {
    await cluster?.end();
    await rm(folder, { recursive: true, force: true });
  });

  test('keeps every acknowledged record once while its nodes are killed one after the other', async () => {
    const running = cluster as KafkaCluster;
    const { nodes, bootstrap } = running;
    const shardCount = 6;
    const id = asStreamId('leaders');
    const clock = systemClock();
    const broker = kafkaBroker({ clock, telemetry: silentTelemetry(), bootstrap, replicas: 3 });
    await broker.open({ id, shardCount, retentionMs: 3_600_000 });
    const load = startLoad(broker, id, { shardCount });
    await load.more(600);
    // Every node leads some of the shards.
    for (const node of nodes.keys()) {
      await nodes.get(node)?.end('SIGKILL');
      await load.more(600);
      await running.restart(node);
      await load.more(600);
    }
    await load.stop();
    expect(load.acknowledged()).toBeGreaterThan(4000);
    await expectKept(load, { broker, id, shardCount, bootstrap, topic: 'leaders' });
    await broker.close();
  });
});
