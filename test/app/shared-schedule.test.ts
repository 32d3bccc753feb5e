/** Servers that take turns at background jobs through Redis, and land whether it is there or not. */
import { expect, test, vi } from 'vitest';
import { describeOnKafka } from '../broker/test-kafka.ts';
import { landedIds } from '../hostile/lake-reader.ts';
import { aFlow, aPlace, flush, must, put, spawnIn, startIn } from '../hostile/running-server.ts';
import { startTestRedis } from '../schedule/test-redis.ts';
import { missingRedis } from '../../infra/dev/redis-server.ts';
import { aCluster } from './cluster.ts';

vi.setConfig({ testTimeout: 120_000 });
const SEEN = { timeout: 20_000, interval: 50 };

const NAME =
  'have one turn for the upkeep of a delivery, land while Redis is away, and put the turn back when it was emptied';
const FROZEN = 'end in time when they are told to and neither Kafka nor Redis answers';
const lack = await missingRedis();
const isSkipped = lack !== undefined && process.env['CI'] !== 'true';

await describeOnKafka('servers that share a schedule', (kafka) => {
  test.skipIf(isSkipped)(isSkipped ? `${NAME} (skipped: ${lack})` : NAME, async () => {
    const redis = await startTestRedis();
    const cluster = await aCluster({ bootstrap: kafka().bootstrap });
    const settings = { schedule: { redis: redis.url, prefix: 'lw' } };
    const upkeep = (): Promise<string[]> => redis.client.zrange('lw:deliver:delayed', '0', '-1');
    const connected = async (url: string): Promise<string | undefined> =>
      /^lakeward_schedule_connected (\d)$/m.exec(await (await fetch(`${url}/metrics`)).text())?.[1];
    try {
      const [one, two] = [
        await cluster.start(['ingest', 'deliver'], settings),
        await cluster.start(['deliver'], settings),
      ];
      await aFlow(one.url);
      await vi.waitFor(() => flush(two.url), SEEN);
      await vi.waitFor(async () => expect(await upkeep()).toEqual(['job-delivery%20maintenance%20d']), SEEN);
      expect([await connected(one.url), await connected(two.url)]).toEqual(['1', '1']);

      await redis.kill();
      await vi.waitFor(async () => expect(await connected(two.url)).toBe('0'), SEEN);
      expect((await put(one.url, [{ id: 1 }, { id: 2 }])).json).toMatchObject({ accepted: 2 });
      await flush(one.url);
      expect((await landedIds(cluster.lake, 'd')).toSorted()).toEqual(['1', '2']);
      expect(await must(`${one.url}/readyz`, 'GET')).toMatchObject({});

      await redis.restart({ empty: true });
      await vi.waitFor(async () => expect(await upkeep()).toHaveLength(1), SEEN);
    } finally {
      await cluster.dispose();
      await redis.stop();
    }
  });

  test.skipIf(isSkipped)(isSkipped ? `${FROZEN} (skipped: ${lack})` : FROZEN, async () => {
    const redis = await startTestRedis();
    const cluster = await aCluster({ bootstrap: kafka().bootstrap });
    const settings = { schedule: { redis: redis.url, prefix: 'lw' } };
    const roles = ['ingest', 'deliver', 'compact'];
    const server = await spawnIn(await cluster.place(roles, { ...settings, server: { drain: '5s' } }));
    const frozen = [kafka().pid(), redis.pid()];
    try {
      await aFlow(server.url);
      await vi.waitFor(() => flush(server.url), SEEN);
      expect((await put(server.url, [{ id: 1 }])).json).toMatchObject({ accepted: 1 });
      for (const pid of frozen) process.kill(pid, 'SIGSTOP');
      // One that Kafka would have to answer.
      const waiting = put(server.url, [{ id: 2 }]).catch(() => 'cut off');
      await vi.waitFor(async () => {
        const metrics = await (await fetch(`${server.url}/metrics`)).text();
        expect(Number(/^lakeward_ingest_in_flight_bytes (\d+)$/m.exec(metrics)?.[1])).toBeGreaterThan(0);
      }, SEEN);
      server.child.kill('SIGTERM');
      expect(await server.exit).toEqual([0, null]);
      expect(await waiting).toBe('cut off');
    } finally {
      for (const pid of frozen) process.kill(pid, 'SIGCONT');
      server.child.kill('SIGKILL');
      await server.exit;
      await cluster.dispose();
      await redis.stop();
    }
  });
});

test('a server alone is told that it has nobody to share a schedule with', async () => {
  const place = await aPlace({ schedule: { redis: 'redis://127.0.0.1:1' } });
  await expect(startIn(place)).rejects.toMatchObject({ code: 'config-invalid' });
  await place.dispose();
});
