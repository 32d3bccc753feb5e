/** Servers with different roles on one Kafka and one lake: what each does, and how soon it knows what the others were told. */
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Kafka, logLevel } from 'kafkajs';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { ServerStatus } from '../../src/app/control-answers.ts';
import { describeOnKafka } from '../broker/test-kafka.ts';
import { lakeward } from '../cli/captured-run.ts';
import { landedIds } from '../hostile/lake-reader.ts';
import { aFlow, api, flush, kinesis, must, put, startIn } from '../hostile/running-server.ts';
import { aCluster, type Cluster } from './cluster.ts';

vi.setConfig({ testTimeout: 120_000 });

/** Changes of one process are used by another within this, as promised; the rest is for a busy machine. */
const SEEN = { timeout: 10_000, interval: 50 };
const names = async (url: string, what: 'streams' | 'deliveries'): Promise<string[]> => {
  const found = await must<
    { name?: string; spec?: { name: string } }[] | Record<string, { name?: string; spec?: { name: string } }[]>
  >(`${url}/v1/${what}`, 'GET');
  const items = Array.isArray(found) ? found : (Object.values(found)[0] ?? []);
  return items.map(({ name, spec }) => name ?? spec?.name ?? '');
};

await describeOnKafka('several processes', (kafka) => {
  let cluster: Cluster;
  beforeEach(async () => {
    cluster = await aCluster({ bootstrap: kafka().bootstrap });
  });
  afterEach(() => cluster.dispose());

  test('take records in one and land them in another, which knows the stream and the delivery soon after', async () => {
    const ingest = await cluster.start(['ingest']);
    const deliver = await cluster.start(['deliver', 'compact']);
    await aFlow(ingest.url, {}, { shards: 2 });
    expect((await put(ingest.url, [{ id: 1 }, { id: 2 }])).json).toMatchObject({ accepted: 2 });
    await vi.waitFor(async () => expect(await names(deliver.url, 'deliveries')).toEqual(['d']), SEEN);
    await vi.waitFor(() => flush(deliver.url), SEEN);
    expect(await landedIds(cluster.lake, 'd')).toEqual(['1', '2']);
    expect(await must(`${deliver.url}/v1/status`, 'GET')).toMatchObject({ roles: ['deliver', 'compact'] });
  });

  test('refuse records without the role, by a code that says so, and serve everything else', async () => {
    const deliver = await cluster.start(['deliver']);
    await must(`${deliver.url}/v1/streams`, 'POST', { name: 's' });
    expect(await put(deliver.url, [{ id: 1 }])).toMatchObject({
      status: 421,
      json: { error: { code: 'role-missing' } },
    });
    const record = { StreamName: 's', PartitionKey: 'k', Data: 'e30=' };
    expect(await kinesis(deliver.url, 'PutRecord', record)).toMatchObject({
      status: 400,
      json: { __type: 'InvalidArgumentException', message: expect.stringContaining('takes no records') as string },
    });
    expect((await kinesis(deliver.url, 'ListStreams', {})).json).toMatchObject({ StreamNames: ['s'] });
    expect(await names(deliver.url, 'streams')).toEqual(['s']);
    for (const path of ['healthz', 'readyz', 'metrics'])
      expect((await fetch(`${deliver.url}/${path}`)).status).toBe(200);
  });

  test('use a stream that another made, and give up one that another deleted', async () => {
    const [one, two] = [await cluster.start(['ingest']), await cluster.start(['ingest', 'deliver'])];
    await must(`${one.url}/v1/streams`, 'POST', { name: 's' });
    await vi.waitFor(async () => expect((await put(two.url, [{ id: 1 }])).status).toBe(200), SEEN);
    await must(`${two.url}/v1/streams/s`, 'DELETE');
    await vi.waitFor(async () => expect((await put(one.url, [{ id: 2 }])).status).toBe(404), SEEN);
    await must(`${one.url}/v1/streams`, 'POST', { name: 's', shards: 3 });
    await vi.waitFor(async () => {
      const { status, json } = await put(two.url, [{ id: 3 }]);
      expect([status, json.records?.[0]?.shard]).toEqual([200, expect.stringContaining('shardId-')]);
    }, SEEN);
  });

  test('start and serve the rest when somebody deleted the topic of one stream, which can then be deleted, too', async () => {
    const one = await cluster.start(['ingest']);
    const made = await must<{ id: string }>(`${one.url}/v1/streams`, 'POST', { name: 'gone' });
    await must(`${one.url}/v1/streams`, 'POST', { name: 'kept' });
    const admin = new Kafka({ brokers: [kafka().bootstrap], logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
    const topics = (await admin.listTopics()).filter((topic) => topic.endsWith(made.id));
    await admin.deleteTopics({ topics });
    await admin.disconnect();
    expect(topics).toHaveLength(1);

    const two = await cluster.start(['ingest', 'deliver']);
    const putTo = (stream: string) =>
      api<{ accepted?: number }>(`${two.url}/v1/streams/${stream}/records`, 'POST', [{ id: 1 }]);
    expect(await putTo('kept')).toMatchObject({ status: 200, json: { accepted: 1 } });
    expect((await putTo('gone')).json).toMatchObject({ error: { code: 'broker-changed' } });
    await must(`${two.url}/v1/streams/gone`, 'DELETE');
    expect((await putTo('gone')).status).toBe(404);
  });

  test('declare the same streams and deliveries in all their files, at the same time, without a quarrel', async () => {
    const declared = {
      streams: [{ name: 's', shards: 2 }],
      deliveries: [{ name: 'd', stream: 's', format: 'ndjson', layout: '', flush: { age: '1h' } }],
    };
    const [one, two, three] = await Promise.all([
      cluster.start(['ingest'], declared),
      cluster.start(['deliver'], declared),
      cluster.start(['ingest', 'deliver'], declared),
    ]);
    await Promise.all(
      [one, two, three].map(({ url }) =>
        vi.waitFor(async () => expect(await names(url, 'deliveries')).toEqual(['d']), SEEN),
      ),
    );
    // It belongs to all of them: whoever is asked may change it, and a start of another does not change it back.
    expect(await api(`${one.url}/v1/deliveries/d/pause`, 'POST', {})).toMatchObject({ status: 200 });
    const again = await cluster.start(['ingest'], { ...declared, deliveries: [] });
    expect(await names(again.url, 'deliveries')).toEqual(['d']);
    expect(await must(`${again.url}/v1/deliveries/d`, 'GET')).toMatchObject({ state: 'paused', owner: 'api' });
  });

  test('know at once a schema that another registered, in its registry, at its door and where records land', async () => {
    const [one, two] = [await cluster.start(['ingest']), await cluster.start(['ingest', 'deliver'])];
    await aFlow(two.url);
    await vi.waitFor(async () => expect((await put(one.url, [{ id: 0 }])).status).toBe(200), SEEN);
    const schema = JSON.stringify({ type: 'record', name: 'R', fields: [{ name: 'id', type: 'long' }] });
    const { id } = await must<{ id: number }>(`${one.url}/subjects/s-value/versions`, 'POST', { schema });
    expect(await must(`${two.url}/schemas/ids/${id}`, 'GET')).toMatchObject({ schema: expect.any(String) as string });

    const next = JSON.stringify({ type: 'record', name: 'Q', fields: [{ name: 'id', type: 'long' }] });
    const other = await must<{ id: number }>(`${one.url}/subjects/q/versions`, 'POST', { schema: next });
    const headers = { 'content-type': 'application/avro', 'lakeward-schema-id': String(other.id) };
    const sent = await fetch(`${two.url}/v1/streams/s/records`, { method: 'POST', headers, body: Buffer.from([14]) });
    expect(sent.status).toBe(200);

    const last = JSON.stringify({ type: 'record', name: 'P', fields: [{ name: 'id', type: 'long' }] });
    const newest = await must<{ id: number }>(`${one.url}/subjects/p/versions`, 'POST', { schema: last });
    const frame = Buffer.from([0, 0, 0, 0, newest.id, 16]).toString('base64');
    await kinesis(one.url, 'PutRecord', { StreamName: 's', PartitionKey: 'k', Data: frame });
    expect(await flush(two.url)).toMatchObject({ rows: 3, rejectedRows: 0 });
    expect(await landedIds(cluster.lake, 'd')).toEqual(['0', '7', '8']);
  });

  test('tell of each other wherever one asks: roles, shards, what waits, and what is wrong', async () => {
    const [ingest, deliver] = [await cluster.start(['ingest']), await cluster.start(['deliver'])];
    await aFlow(ingest.url, {}, { shards: 2 });
    await put(ingest.url, [{ id: 1 }, { id: 2 }, { id: 3 }]);
    const own = async () => (await must<ServerStatus>(`${deliver.url}/v1/status`, 'GET')).processes?.[0];
    await vi.waitFor(
      async () => expect(await own()).toMatchObject({ deliveries: [{ delivery: 'd', shards: [0, 1], records: 3 }] }),
      SEEN,
    );
    const status = await vi.waitFor(async () => {
      const seen = await must<ServerStatus>(`${ingest.url}/v1/status`, 'GET');
      expect(seen.processes?.map(({ roles, silent }) => [roles, silent])).toEqual([
        [['ingest'], false],
        [['deliver'], false],
      ]);
      return seen;
    }, SEEN);
    expect(status.processes?.[0]).toMatchObject({ url: ingest.url, deliveries: [], heardAgoMs: 0 });
    expect(status.processes?.[1]).toMatchObject({ url: deliver.url, pid: process.pid });
    const text = (await lakeward(['status'], ingest)).stdout;
    expect(text).toMatch(/process +address +roles +up +memory +catalog +heard/);
    await deliver.close();
    await vi.waitFor(async () => expect((await lakeward(['status'], ingest)).stdout).toContain('nobody lands d'), SEEN);
  });

  test('do not start on a lake that was emptied: streams would seem never to have been', async () => {
    const first = await cluster.start(['ingest', 'deliver']);
    await must(`${first.url}/v1/streams`, 'POST', { name: 's' });
    await first.close();
    for (const name of await readdir(cluster.lake)) await rm(join(cluster.lake, name), { recursive: true });
    await expect(startIn(first.place)).rejects.toMatchObject({ code: 'incarnation-mismatch' });
  });
});
