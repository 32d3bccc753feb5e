/** Two processes that take records and two that land them, as operators run them: one Kafka, one bucket, any of them killed. */
import { once } from 'node:events';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { missing } from '../../infra/dev/s3-install.ts';
import type { DeliveryStatus, KnownProcess, ServerStatus } from '../../src/app/control-answers.ts';
import { describeOnKafka } from '../broker/test-kafka.ts';
import { flush, must, put, type ServerProcess, spawnIn, statusOf } from '../hostile/running-server.ts';
import { strangersView } from '../s3/lake.ts';
import { startTestS3, type TestS3 } from '../s3/servers.ts';
import { aCluster, type Cluster } from './cluster.ts';

vi.setConfig({ testTimeout: 180_000, hookTimeout: 60_000 });

const SEEN = { timeout: 20_000, interval: 100 };
const DECLARED = {
  streams: [{ name: 's', shards: 4 }],
  deliveries: [{ name: 'd', stream: 's', format: 'ndjson', layout: '', flush: { age: '1h' }, start: 'earliest' }],
};

/** Every id in the bucket's data files, sorted. */
async function landed(s3: TestS3, bucket: string): Promise<number[]> {
  const view = strangersView(s3, bucket, '');
  const { files } = await view.list('d/');
  expect(files.length).toBeLessThan(1_000);
  const texts = await Promise.all(files.map(async ({ path }) => new TextDecoder().decode(await view.read(path))));
  const lines = texts.flatMap((text) => text.split('\n').filter(Boolean));
  return lines.map((line) => Number((JSON.parse(line) as { id: unknown }).id)).toSorted((a, b) => a - b);
}

const upTo = (end: number): number[] => Array.from({ length: end }, (_, i) => i);
const processesOf = async (url: string): Promise<readonly KnownProcess[]> =>
  (await must<ServerStatus>(`${url}/v1/status`, 'GET')).processes ?? [];

/** Lands what is there, whoever is in the midst of taking over. */
function flushed(url: string): Promise<DeliveryStatus> {
  return vi.waitFor(() => flush(url), { timeout: 60_000, interval: 200 });
}

const lack = process.env['CI'] === 'true' ? undefined : await missing('versitygw');

await describeOnKafka('four processes on one Kafka and one bucket', (kafka) => {
  let s3: TestS3;
  let cluster: Cluster;
  const running: ServerProcess[] = [];
  beforeAll(async () => {
    if (lack !== undefined) return;
    s3 = await startTestS3('versitygw');
    for (const [name, value] of Object.entries(s3.env)) vi.stubEnv(name, value);
  });
  afterAll(async () => {
    for (const { child, exit } of running) {
      child.kill('SIGKILL');
      await exit;
    }
    if (lack !== undefined) return;
    await cluster.dispose();
    vi.unstubAllEnvs();
    await s3.stop();
  });

  async function spawned(...roles: string[]): Promise<ServerProcess> {
    const server = await spawnIn(await cluster.place(roles, DECLARED));
    running.push(server);
    return server;
  }

  const name = 'every record lands once, whoever took it, is asked, is killed or stops';
  test.skipIf(lack !== undefined)(lack === undefined ? name : `${name} (skipped: ${lack})`, async () => {
    const bucket = await s3.bucket();
    const { endpoint, region } = s3;
    const lake = { s3: { bucket, region, endpoint, pathStyle: true } };
    cluster = await aCluster({ bootstrap: kafka().bootstrap, lake });
    const all = await Promise.all([
      spawned('ingest'),
      spawned('ingest', 'compact'),
      spawned('deliver'),
      spawned('deliver', 'compact'),
    ]);
    const [one, two, first, second] = all;

    let next = 0;
    async function send(count: number, ...to: readonly ServerProcess[]): Promise<void> {
      for (let sent = 0; sent < count; sent += 50) {
        const records = Array.from({ length: 50 }, () => ({ id: next++ }));
        const { url } = to[(sent / 50) % to.length] ?? one;
        await vi.waitFor(
          async () => expect((await put(url, records)).json).toMatchObject({ accepted: 50, failed: 0 }),
          SEEN,
        );
      }
    }

    await send(500, one, two);
    await flushed(one.url);
    expect(await landed(s3, bucket)).toEqual(upTo(500));
    for (const { url } of all) {
      await vi.waitFor(async () => {
        const known = await processesOf(url);
        expect(known.map(({ roles }) => roles.join()).toSorted()).toEqual([
          'deliver',
          'deliver,compact',
          'ingest',
          'ingest,compact',
        ]);
        expect(known.filter(({ silent }) => silent)).toEqual([]);
      }, SEEN);
    }

    // The shards are dealt between those that land.
    await vi.waitFor(async () => {
      const shares = (await processesOf(one.url)).flatMap(({ deliveries }) => deliveries.map(({ shards }) => shards));
      expect(shares.map(({ length }) => length)).toEqual([2, 2]);
      expect(shares.flat().toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3]);
    }, SEEN);

    // What is told to one, all do.
    await must(`${two.url}/v1/deliveries/d/pause`, 'POST', {});
    for (const { url } of all) await vi.waitFor(async () => expect((await statusOf(url)).state).toBe('paused'), SEEN);
    await send(200, two, one);
    await must(`${second.url}/v1/deliveries/d/resume`, 'POST', {});
    for (const { url } of all) await vi.waitFor(async () => expect((await statusOf(url)).state).toBe('running'), SEEN);
    await flushed(two.url);
    expect(await landed(s3, bucket)).toEqual(upTo(700));

    // One that lands is killed while both do; what it had begun is nobody's.
    await send(300, one, two);
    const dying = flush(first.url).catch(() => undefined);
    first.child.kill('SIGKILL');
    await Promise.all([dying, once(first.child, 'exit')]);
    await send(200, one);
    await flushed(second.url);
    expect(await landed(s3, bucket)).toEqual(upTo(1_200));

    // One that stops in order is gone from the list, the killed one is not; the other takes all records.
    two.child.kill('SIGTERM');
    expect(await two.exit).toEqual([0, null]);
    await send(100, one);
    await flushed(second.url);
    expect(await landed(s3, bucket)).toEqual(upTo(1_300));
    await vi.waitFor(async () => expect(await processesOf(one.url)).toHaveLength(3), SEEN);
    for (const { url } of [one, second])
      expect(await statusOf(url)).toMatchObject({
        state: 'running',
        rows: 1_300,
        lostOffsets: 0,
        pending: { records: 0 },
      });

    // Without the bucket, for longer than what is known of the shards may be relied on, records are taken all the same.
    await s3.kill();
    const backAtMs = performance.now() + 5_000;
    await vi.waitFor(
      async () => {
        await send(50, one);
        expect(performance.now()).toBeGreaterThan(backAtMs);
      },
      { timeout: 30_000, interval: 500 },
    );
    await s3.restart();
    await flushed(second.url);
    expect(await landed(s3, bucket)).toEqual(upTo(next));
  });
});
