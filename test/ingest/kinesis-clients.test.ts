import {
  CreateStreamCommand,
  DeleteStreamCommand,
  DescribeStreamCommand,
  DescribeStreamSummaryCommand,
  GetRecordsCommand,
  GetShardIteratorCommand,
  IncreaseStreamRetentionPeriodCommand,
  KinesisClient,
  ListShardsCommand,
  ListStreamsCommand,
  MergeShardsCommand,
  PutRecordCommand,
  PutRecordsCommand,
  SplitShardCommand,
  UpdateShardCountCommand,
  waitUntilStreamExists,
} from '@aws-sdk/client-kinesis';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { OpenDoor } from './open-door.ts';
import { openDoor } from './open-door.ts';

const KEY = { id: 'AKIDEXAMPLE', secret: 'a-secret-of-the-test' };
const text = (value: string): Uint8Array => new TextEncoder().encode(value);

describe.each([
  ['h2, its default', {}],
  ['HTTP/1.1', { requestHandler: new NodeHttpHandler() }],
])('the AWS SDK over %s, signing with a configured key', (_, transport) => {
  let door: OpenDoor;
  let client: KinesisClient;
  beforeAll(async () => {
    door = await openDoor({ keys: [KEY] });
    client = new KinesisClient({
      endpoint: door.url,
      region: 'eu-central-1',
      credentials: { accessKeyId: KEY.id, secretAccessKey: KEY.secret },
      maxAttempts: 1,
      ...transport,
    });
  });
  afterAll(async () => {
    client.destroy();
    await door.close();
  });

  test('creates, describes, lists and deletes streams', async () => {
    await client.send(new CreateStreamCommand({ StreamName: 'life', ShardCount: 3 }));
    const waited = await waitUntilStreamExists({ client, maxWaitTime: 60 }, { StreamName: 'life' });
    expect(waited.state).toBe('SUCCESS');
    const { StreamDescription } = await client.send(new DescribeStreamCommand({ StreamName: 'life', Limit: 2 }));
    expect(StreamDescription).toMatchObject({ StreamName: 'life', StreamStatus: 'ACTIVE', HasMoreShards: true });
    expect(StreamDescription?.Shards?.map(({ ShardId }) => ShardId)).toEqual([
      'shardId-000000000000',
      'shardId-000000000001',
    ]);
    const summary = await client.send(new DescribeStreamSummaryCommand({ StreamARN: StreamDescription?.StreamARN }));
    expect(summary.StreamDescriptionSummary).toMatchObject({ OpenShardCount: 3, RetentionPeriodHours: 24 });
    expect(summary.StreamDescriptionSummary?.StreamCreationTimestamp?.getTime()).toBe(door.clock.nowMs());
    expect((await client.send(new ListStreamsCommand({}))).StreamNames).toContain('life');
    await client.send(new DeleteStreamCommand({ StreamName: 'life' }));
    await expect(client.send(new DescribeStreamCommand({ StreamName: 'life' }))).rejects.toMatchObject({
      name: 'ResourceNotFoundException',
    });
  });

  test('reads back byte for byte what it put, in order, from every kind of iterator', async () => {
    await client.send(new CreateStreamCommand({ StreamName: 'round', ShardCount: 1 }));
    const data = [text('one'), new Uint8Array(0), Uint8Array.from({ length: 256 }, (_, i) => i)];
    const put = await client.send(
      new PutRecordsCommand({
        StreamName: 'round',
        Records: data.map((Data, i) => ({ Data, PartitionKey: `schlüssel-${i}` })),
      }),
    );
    expect(put.FailedRecordCount).toBe(0);
    const last = await client.send(
      new PutRecordCommand({ StreamName: 'round', Data: text('last'), PartitionKey: 'k' }),
    );
    const numbers = [...(put.Records ?? []), last].map(({ SequenceNumber }) => BigInt(SequenceNumber ?? 0));
    expect(numbers).toEqual(numbers.toSorted((a, b) => (a < b ? -1 : 1)));

    const read = async (start: object): Promise<string[]> => {
      const { ShardIterator } = await client.send(
        new GetShardIteratorCommand({ StreamName: 'round', ShardId: last.ShardId, ...start } as never),
      );
      const { Records, NextShardIterator, MillisBehindLatest } = await client.send(
        new GetRecordsCommand({ ShardIterator }),
      );
      expect(NextShardIterator).toBeTypeOf('string');
      expect(MillisBehindLatest).toBe(0);
      return (Records ?? []).map(({ SequenceNumber }) => SequenceNumber ?? '');
    };
    const all = numbers.map(String);
    expect(await read({ ShardIteratorType: 'TRIM_HORIZON' })).toEqual(all);
    expect(await read({ ShardIteratorType: 'AT_SEQUENCE_NUMBER', StartingSequenceNumber: all[1] })).toEqual(
      all.slice(1),
    );
    expect(await read({ ShardIteratorType: 'AFTER_SEQUENCE_NUMBER', StartingSequenceNumber: all[1] })).toEqual(
      all.slice(2),
    );
    expect(await read({ ShardIteratorType: 'AT_TIMESTAMP', Timestamp: new Date(door.clock.nowMs()) })).toEqual(all);
    expect(await read({ ShardIteratorType: 'LATEST' })).toEqual([]);

    const { ShardIterator } = await client.send(
      new GetShardIteratorCommand({ StreamName: 'round', ShardId: last.ShardId, ShardIteratorType: 'TRIM_HORIZON' }),
    );
    const { Records = [] } = await client.send(new GetRecordsCommand({ ShardIterator }));
    expect(Records.map(({ Data }) => Data)).toEqual([...data, text('last')]);
    expect(Records[0]?.PartitionKey).toBe('schlüssel-0');
    expect(Records[0]?.ApproximateArrivalTimestamp?.getTime()).toBe(door.clock.nowMs());
  });

  test('sees 10 MiB bodies and 500 records pass', async () => {
    await client.send(new CreateStreamCommand({ StreamName: 'big', ShardCount: 4 }));
    const Data = new Uint8Array(20_000).fill(7);
    const Records = Array.from({ length: 500 }, (_, i) => ({ Data, PartitionKey: String(i) }));
    const { FailedRecordCount, Records: results } = await client.send(
      new PutRecordsCommand({ StreamName: 'big', Records }),
    );
    expect(FailedRecordCount).toBe(0);
    expect(new Set(results?.map(({ ShardId }) => ShardId)).size).toBe(4);
  });

  test('pages through shards with a token alone', async () => {
    await client.send(new CreateStreamCommand({ StreamName: 'many', ShardCount: 5 }));
    const ids: (string | undefined)[] = [];
    let page = await client.send(new ListShardsCommand({ StreamName: 'many', MaxResults: 2 }));
    for (;;) {
      ids.push(...(page.Shards ?? []).map(({ ShardId }) => ShardId));
      if (page.NextToken === undefined) break;
      page = await client.send(new ListShardsCommand({ NextToken: page.NextToken }));
    }
    expect(ids).toEqual([0, 1, 2, 3, 4].map((i) => `shardId-00000000000${i}`));
  });

  test('splits, merges and scales, and follows a shard to its children', async () => {
    const StreamName = 'scaled';
    const settled = () => waitUntilStreamExists({ client, maxWaitTime: 60, minDelay: 1 }, { StreamName });
    const [zero, one, two] = [0, 1, 2].map((index) => `shardId-00000000000${index}`);
    await client.send(new CreateStreamCommand({ StreamName, ShardCount: 1 }));
    await client.send(new PutRecordCommand({ StreamName, PartitionKey: 'k', Data: text('before') }));
    await client.send(
      new SplitShardCommand({ StreamName, ShardToSplit: zero, NewStartingHashKey: String(1n << 127n) }),
    );
    await settled();
    const place = { StreamName, ShardId: zero, ShardIteratorType: 'TRIM_HORIZON' } as const;
    const { ShardIterator } = await client.send(new GetShardIteratorCommand(place));
    const end = await client.send(new GetRecordsCommand({ ShardIterator }));
    expect(end).toMatchObject({ Records: [{ PartitionKey: 'k' }], MillisBehindLatest: 0 });
    expect(end.NextShardIterator).toBeUndefined();
    expect(end.ChildShards?.map(({ ShardId, ParentShards }) => [ShardId, ParentShards])).toEqual([
      [one, [zero]],
      [two, [zero]],
    ]);
    await client.send(new MergeShardsCommand({ StreamName, ShardToMerge: one, AdjacentShardToMerge: two }));
    await settled();
    const scaled = await client.send(
      new UpdateShardCountCommand({ StreamName, TargetShardCount: 2, ScalingType: 'UNIFORM_SCALING' }),
    );
    expect(scaled).toMatchObject({ StreamName, CurrentShardCount: 1, TargetShardCount: 2 });
    await settled();
    await client.send(new IncreaseStreamRetentionPeriodCommand({ StreamName, RetentionPeriodHours: 48 }));
    const summary = await client.send(new DescribeStreamSummaryCommand({ StreamName }));
    expect(summary.StreamDescriptionSummary).toMatchObject({ OpenShardCount: 2, RetentionPeriodHours: 48 });
  });

  test('gets the error types it knows', async () => {
    const missing = client.send(new PutRecordCommand({ StreamName: 'none', Data: text('x'), PartitionKey: 'k' }));
    await expect(missing).rejects.toMatchObject({
      name: 'ResourceNotFoundException',
      $metadata: { requestId: expect.any(String) },
    });
    const iterator = client.send(new GetRecordsCommand({ ShardIterator: 'forged' }));
    await expect(iterator).rejects.toMatchObject({ name: 'InvalidArgumentException' });
  });

  test('is refused with a wrong secret and with an unknown key id', async () => {
    const stranger = (accessKeyId: string): KinesisClient =>
      new KinesisClient({
        endpoint: door.url,
        region: 'eu-central-1',
        credentials: { accessKeyId, secretAccessKey: 'guess' },
        maxAttempts: 1,
        ...transport,
      });
    const [guessing, unknown] = [stranger(KEY.id), stranger('nobody')];
    await expect(guessing.send(new ListStreamsCommand({}))).rejects.toMatchObject({
      name: 'InvalidSignatureException',
    });
    await expect(unknown.send(new ListStreamsCommand({}))).rejects.toMatchObject({
      name: 'UnrecognizedClientException',
    });
    guessing.destroy();
    if (!('requestHandler' in transport)) unknown.destroy();
  });
});
