/** Shards that change while two processes take records for them: the order of every key, and that nothing acknowledged is lost. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { describeOnKafka } from '../broker/test-kafka.ts';
import { landedIds } from '../hostile/lake-reader.ts';
import { aFlow, api, flush, kinesis, must, spawnIn } from '../hostile/running-server.ts';
import type { Put } from '../ingest/keyed-load.ts';
import { followedNumbers, keyedLoad } from '../ingest/keyed-load.ts';
import { aCluster, type Cluster } from './cluster.ts';

vi.setConfig({ testTimeout: 120_000 });

/** One record by its key; `id` is its data. */
function putAt(url: string): Put {
  return async (key, id) => {
    const { json } = await api<{ records: { code?: string }[] }>(
      `${url}/v1/streams/s/records?partitionKey=${key}`,
      'POST',
      { id },
    );
    return { code: json.records[0]?.code };
  };
}

interface ShardOnWire {
  readonly ShardId: string;
  readonly ParentShardId?: string;
  readonly AdjacentParentShardId?: string;
}

async function readToEnd(url: string, shard: string): Promise<string[]> {
  const place = { StreamName: 's', ShardId: shard, ShardIteratorType: 'TRIM_HORIZON' };
  let iterator = (await kinesis<{ ShardIterator?: string }>(url, 'GetShardIterator', place)).json.ShardIterator;
  const ids: string[] = [];
  while (iterator !== undefined) {
    const { json } = await kinesis<{
      Records: { Data: string }[];
      NextShardIterator?: string;
      MillisBehindLatest: number;
    }>(url, 'GetRecords', { ShardIterator: iterator });
    for (const { Data } of json.Records) {
      ids.push((JSON.parse(Buffer.from(Data, 'base64').toString()) as { id: string }).id);
    }
    if (json.Records.length === 0 && json.MillisBehindLatest === 0) break;
    iterator = json.NextShardIterator;
  }
  return ids;
}

const indexOf = (id: string): number => Number(id.slice('shardId-'.length));

async function readFollowing(url: string): Promise<Map<string, number[]>> {
  const { json } = await kinesis<{ Shards: ShardOnWire[] }>(url, 'ListShards', { StreamName: 's' });
  const shards = json.Shards.map(({ ShardId, ParentShardId, AdjacentParentShardId }) => ({
    index: indexOf(ShardId),
    parents: [ParentShardId, AdjacentParentShardId].flatMap((parent) => (parent === undefined ? [] : indexOf(parent))),
  }));
  return followedNumbers(shards, (shard) => readToEnd(url, `shardId-${String(shard).padStart(12, '0')}`));
}

await describeOnKafka('shards that several processes write to', (kafka) => {
  let cluster: Cluster;
  beforeEach(async () => {
    cluster = await aCluster({ bootstrap: kafka().bootstrap });
  });
  afterEach(() => cluster.dispose());

  test('split, merge and scale: no record is lost or out of the order of its key', async () => {
    const [one, two] = [await cluster.start(['ingest']), await cluster.start(['ingest'])];
    await must(`${one.url}/v1/streams`, 'POST', { name: 's', shards: 2 });
    await vi.waitFor(() => must(`${two.url}/v1/streams/s`, 'GET'), { timeout: 10_000 });
    const load = keyedLoad([putAt(one.url), putAt(two.url)], 16);
    const change = (url: string, order: object) => must(`${url}/v1/streams/s/shards`, 'POST', order);
    await load.more(3);
    await change(one.url, { split: 'shardId-000000000000' });
    await load.more(3);
    await change(two.url, { merge: ['shardId-000000000003', 'shardId-000000000001'] });
    await load.more(3);
    await change(one.url, { count: 3 });
    await load.more(3);
    await load.stop();
    // A machine that is slow enough makes records wait for too long; nothing else may be said.
    expect(load.refusals.filter((code) => code !== 'shards-moving')).toEqual([]);
    await vi.waitFor(
      async () => {
        const numbers = await readFollowing(two.url);
        for (const [key, count] of load.acknowledged) expect(numbers.get(key)).toEqual([...Array(count).keys()]);
      },
      { timeout: 10_000 },
    );
  });

  test('with a process frozen across the change everything acknowledged lands', async () => {
    const one = await cluster.start(['ingest', 'deliver']);
    const frozen = await spawnIn(await cluster.place(['ingest']));
    try {
      await aFlow(one.url, {}, { shards: 1 });
      await vi.waitFor(() => must(`${frozen.url}/v1/streams/s`, 'GET'), { timeout: 10_000 });
      const here = keyedLoad([putAt(one.url)], 8, 'here');
      const there = keyedLoad([putAt(frozen.url)], 8, 'there');
      await Promise.all([here.more(3), there.more(3)]);
      frozen.child.kill('SIGSTOP');
      await must(`${one.url}/v1/streams/s/shards`, 'POST', { split: 'shardId-000000000000' });
      await here.more(3);
      frozen.child.kill('SIGCONT');
      await there.more(3);
      await Promise.all([here.stop(), there.stop()]);
      expect(here.refusals.filter((code) => code !== 'shards-moving')).toEqual([]);
      const acknowledged = [...here.acknowledged, ...there.acknowledged].flatMap(([key, count]) =>
        Array.from({ length: count }, (_, i) => `${key} ${i}`),
      );
      await vi.waitFor(
        async () => {
          await flush(one.url);
          expect(await landedIds(cluster.lake, 'd')).toEqual(expect.arrayContaining(acknowledged));
        },
        { timeout: 30_000 },
      );
    } finally {
      frozen.child.kill('SIGKILL');
      await frozen.exit;
    }
  });
});
