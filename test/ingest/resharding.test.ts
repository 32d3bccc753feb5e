import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { openEmbeddedBroker } from '../../src/broker/embedded/embedded-broker.ts';
import { createCatalog } from '../../src/catalog/catalog.ts';
import { systemClock } from '../../src/clock/system-clock.ts';
import { mergeTarget, scaleTarget, splitTarget } from '../../src/ingest/shard-targets.ts';
import { createStreams } from '../../src/ingest/streams.ts';
import { memoryStore } from '../../src/lake/memory/memory-store.ts';
import { LakewardError } from '../../src/model/errors.ts';
import { openShards } from '../../src/model/reshard.ts';
import { formatShardId } from '../../src/model/stream.ts';
import { silentTelemetry } from '../../src/telemetry/silent.ts';
import type { WireAnswer } from './open-door.ts';
import { DAY_MS, ask, call, openDoor } from './open-door.ts';
import { followedNumbers, keyedLoad, putInto, shardData } from './keyed-load.ts';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});
const signal = new AbortController().signal;

async function embedded() {
  const clock = systemClock();
  const folder = await mkdtemp(join(tmpdir(), 'lakeward-shards-'));
  cleanups.push(() => rm(folder, { recursive: true, force: true }));
  const options = { reserveBytes: 0 };
  const broker = await openEmbeddedBroker({ folder, clock, telemetry: silentTelemetry(), options });
  cleanups.push(() => broker.close());
  const catalog = createCatalog({ store: memoryStore({ clock }), clock });
  await catalog.open();
  cleanups.push(() => catalog.close());
  const streams = createStreams({ broker, catalog, clock });
  return { broker, catalog, clock, streams };
}

describe('while records come in', () => {
  test('splits, merges and scalings lose nothing, refuse nothing and keep the order of every key', async () => {
    const { broker, streams } = await embedded();
    streams.start();
    cleanups.push(() => streams.close());
    await streams.create({ name: 's', shards: 2, retentionMs: DAY_MS });
    const load = keyedLoad([putInto(streams, 's')], 24);
    const id = (index: number): string => formatShardId(index);
    for (const target of [
      splitTarget(id(0)),
      mergeTarget(id(3), id(1)),
      splitTarget(id(2), '1000'),
      scaleTarget(7),
      scaleTarget(4),
      scaleTarget(1),
    ]) {
      await load.more(5);
      await streams.shards.begin('s', target);
      await streams.shards.done('s', signal);
    }
    await load.more(5);
    await load.stop();
    const { document } = streams.get('s');
    expect(openShards(document)).toHaveLength(1);
    expect(load.refusals).toEqual([]);
    const numbers = await followedNumbers(document.shards, (shard) => shardData(broker, document, shard));
    for (const [key, count] of load.acknowledged) expect(numbers.get(key)).toEqual([...Array(count).keys()]);
    // Nothing came behind the end that a parent was closed with.
    for (const { index, closedEnd } of document.shards) {
      if (closedEnd !== undefined) expect(await broker.locate(document.id, index as never, 'latest')).toBe(closedEnd);
    }
  }, 60_000);

  test('a change that was cut short is finished by whoever comes next, and a second is refused meanwhile', async () => {
    const { broker, catalog, clock, streams } = await embedded();
    await streams.create({ name: 's', shards: 1, retentionMs: DAY_MS });
    await streams.shards.begin('s', scaleTarget(2));
    await expect(streams.shards.begin('s', scaleTarget(3))).rejects.toMatchObject({ code: 'stream-updating' });
    expect(streams.get('s').document.reshard).toMatchObject({ parents: [0] });
    const next = createStreams({ broker, catalog, clock });
    next.start();
    cleanups.push(() => next.close());
    const document = await next.shards.done('s', signal);
    expect(openShards(document).map(({ index }) => index)).toEqual([1, 2]);
  });
});

describe('on the wire', () => {
  test('a split is UPDATING until the children are open; the parent then ends with them', async () => {
    await using door = await openDoor();
    await call(door.url, 'CreateStream', { StreamName: 's', ShardCount: 1 });
    const put = (PartitionKey: string) => call(door.url, 'PutRecord', { StreamName: 's', PartitionKey, Data: 'AA==' });
    await put('before');
    const split = { StreamName: 's', ShardToSplit: 'shardId-000000000000', NewStartingHashKey: '100' };
    expect(await call(door.url, 'SplitShard', split)).toMatchObject({ status: 200, text: '' });
    await door.streams.shards.done('s', signal);
    const summary = await call(door.url, 'DescribeStreamSummary', { StreamName: 's' });
    expect(summary.json).toMatchObject({ StreamDescriptionSummary: { StreamStatus: 'ACTIVE', OpenShardCount: 2 } });
    expect((await put('after')).json).toMatchObject({ ShardId: 'shardId-000000000002' });
    const listed = await call(door.url, 'ListShards', { StreamName: 's', ShardFilter: { Type: 'AT_LATEST' } });
    expect(listed.json).toMatchObject({
      Shards: [
        { ShardId: 'shardId-000000000001', ParentShardId: 'shardId-000000000000' },
        { ShardId: 'shardId-000000000002', ParentShardId: 'shardId-000000000000' },
      ],
    });
    const { json } = await call(door.url, 'GetShardIterator', {
      StreamName: 's',
      ShardId: 'shardId-000000000000',
      ShardIteratorType: 'TRIM_HORIZON',
    });
    const end = await call(door.url, 'GetRecords', { ShardIterator: json['ShardIterator'] });
    expect(end.json).toMatchObject({
      Records: [{ PartitionKey: 'before' }],
      ChildShards: [{ ShardId: 'shardId-000000000001' }, { ShardId: 'shardId-000000000002' }],
    });
    expect(end.json['NextShardIterator']).toBeUndefined();

    const merge = {
      StreamName: 's',
      ShardToMerge: 'shardId-000000000002',
      AdjacentShardToMerge: 'shardId-000000000001',
    };
    expect((await call(door.url, 'MergeShards', merge)).status).toBe(200);
    const merged = await door.streams.shards.done('s', signal);
    expect(merged.shards.at(-1)).toMatchObject({ index: 3, parents: [1, 2], startingHashKey: '0' });
    const again = await call(door.url, 'MergeShards', merge);
    expect(again.json).toMatchObject({ __type: 'InvalidArgumentException' });
    expect(again.json['message']).toContain('shardId-000000000003');
  });

  test('UpdateShardCount makes even shards, at most twice and at least half as many', async () => {
    await using door = await openDoor();
    await call(door.url, 'CreateStream', { StreamName: 's', ShardCount: 2 });
    const scale = (TargetShardCount: number) =>
      call(door.url, 'UpdateShardCount', { StreamName: 's', TargetShardCount, ScalingType: 'UNIFORM_SCALING' });
    expect((await scale(5)).json).toMatchObject({ __type: 'InvalidArgumentException' });
    expect((await scale(257)).json).toMatchObject({ __type: 'LimitExceededException' });
    expect((await scale(4)).json).toMatchObject({ StreamName: 's', CurrentShardCount: 2, TargetShardCount: 4 });
    await door.streams.shards.done('s', signal);
    expect((await scale(1)).json).toMatchObject({ __type: 'InvalidArgumentException' });
    const described = await call(door.url, 'ListShards', { StreamName: 's', ShardFilter: { Type: 'AT_LATEST' } });
    const ranges = (described.json['Shards'] as { HashKeyRange: { StartingHashKey: string } }[]).map(
      ({ HashKeyRange }) => BigInt(HashKeyRange.StartingHashKey),
    );
    expect(ranges).toEqual([0n, 1n, 2n, 3n].map((i) => i << 126n));
  });

  test('retention goes up by one action and down by the other', async () => {
    await using door = await openDoor();
    await call(door.url, 'CreateStream', { StreamName: 's', ShardCount: 1 });
    const change = (action: string, RetentionPeriodHours: number) =>
      call(door.url, action, { StreamName: 's', RetentionPeriodHours });
    expect((await change('DecreaseStreamRetentionPeriod', 48)).json).toMatchObject({
      __type: 'InvalidArgumentException',
    });
    expect((await change('IncreaseStreamRetentionPeriod', 48)).status).toBe(200);
    expect(door.streams.get('s').document.retentionMs).toBe(2 * DAY_MS);
    expect((await change('IncreaseStreamRetentionPeriod', 9000)).status).toBe(400);
    expect((await change('DecreaseStreamRetentionPeriod', 24)).status).toBe(200);
    expect((await ask(`${door.url}/v1/streams/s`, 'PUT', { retentionHours: 5 })).json).toMatchObject({
      retentionHours: 5,
    });
  });

  test('records for shards that are not opened in time fail, as retryable, while those of other shards are stored', async () => {
    const away = () => Promise.reject(new LakewardError('broker-unavailable', 'away for the test'));
    await using door = await openDoor({ around: () => ({ locate: away }) });
    await door.streams.create({ name: 's', shards: 2, retentionMs: DAY_MS });
    const split = { StreamName: 's', ShardToSplit: 'shardId-000000000000', NewStartingHashKey: '100' };
    expect((await call(door.url, 'SplitShard', split)).status).toBe(200);
    const summary = await call(door.url, 'DescribeStreamSummary', { StreamName: 's' });
    expect(summary.json).toMatchObject({ StreamDescriptionSummary: { StreamStatus: 'UPDATING', OpenShardCount: 2 } });
    expect((await call(door.url, 'SplitShard', split)).json).toMatchObject({ __type: 'ResourceInUseException' });

    const put = (ExplicitHashKey: bigint) =>
      call(door.url, 'PutRecord', {
        StreamName: 's',
        PartitionKey: 'k',
        Data: 'AA==',
        ExplicitHashKey: String(ExplicitHashKey),
      });
    expect((await put(1n << 127n)).json).toMatchObject({ ShardId: 'shardId-000000000001' });
    const held: WireAnswer[] = [];
    const holding = put(1n).then((answer) => held.push(answer));
    // Time passes only where somebody waits for it.
    while (held.length === 0) {
      await door.clock.advance(500);
      await new Promise(setImmediate);
    }
    await holding;
    expect(held[0]).toMatchObject({ status: 400, json: { __type: 'ProvisionedThroughputExceededException' } });
  });
});

test('the control API changes shards and answers when that is done', async () => {
  await using door = await openDoor();
  await ask(`${door.url}/v1/streams`, 'POST', { name: 's', shards: 1 });
  const shards = (body: object) => ask(`${door.url}/v1/streams/s/shards`, 'POST', body);
  expect((await shards({ count: 3 })).json).toMatchObject({
    updating: false,
    shards: [{ closed: true }, { closed: false }, { closed: false }, { closed: false }],
  });
  expect((await shards({ split: 'shardId-000000000001' })).json['shards']).toHaveLength(6);
  const merged = await shards({ merge: ['shardId-000000000002', 'shardId-000000000003'] });
  expect((merged.json['shards'] as { parents: string[] }[]).at(-1)?.parents).toEqual([
    'shardId-000000000002',
    'shardId-000000000003',
  ]);
  expect((await shards({ split: 'shardId-000000000099' })).status).toBe(404);
  expect((await shards({ merge: ['shardId-000000000004', 'shardId-000000000006'] })).status).toBe(400);
  expect((await shards({ count: 3, split: 'x' })).status).toBe(400);
});
