import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ACTIONS } from '../../src/ingest/kinesis/actions.ts';
import { LIMITS } from '../../src/model/limits.ts';
import type { ShardDocument, StreamDocument } from '../../src/model/stream.ts';
import type { OpenDoor } from './open-door.ts';
import { DAY_MS, call, openDoor, refusingBroker } from './open-door.ts';

let door: OpenDoor;
beforeAll(async () => {
  door = await openDoor();
  await door.streams.create({ name: 's', shards: 2, retentionMs: DAY_MS });
});
afterAll(() => door.close());

const b64 = (text: string): string => Buffer.from(text).toString('base64');
const record = (data: string, key = 'k'): object => ({ Data: b64(data), PartitionKey: key });

describe('the Kinesis wire checks in the order of AWS', () => {
  const everythingWrong = { 'x-amz-target': 'Kinesis_20131202.Nonsense', authorization: undefined };

  test('the method first', async () => {
    const response = await fetch(door.url, { headers: { 'x-amz-target': 'Kinesis_20131202.ListStreams' } });
    expect(response.status).toBe(403);
    expect(await response.text()).toContain('<AccessDeniedException>');
  });

  test('then the content type', async () => {
    expect(await call(door.url, 'ListStreams', '{', { 'content-type': 'text/plain' })).toMatchObject({
      status: 404,
      text: '<UnknownOperationException/>\n',
    });
    const cbor = await call(door.url, 'ListStreams', '{}', { 'content-type': 'application/x-amz-cbor-1.1' });
    expect(cbor.status).toBe(404);
  });

  test.each(['{', '[]', '1', '"x"', 'null', '['.repeat(200_000), Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x7d)])(
    'then that the body is a JSON object',
    async (body) => {
      const answer = await call(door.url, '', body, everythingWrong);
      expect(answer).toMatchObject({ status: 400, json: { __type: 'SerializationException' } });
    },
  );

  test('then the target', async () => {
    const answer = await call(door.url, '', {}, everythingWrong);
    expect(answer).toMatchObject({ status: 400, json: { __type: 'UnknownOperationException' } });
    expect(answer.headers.get('x-amzn-errortype')).toBe('UnknownOperationException');
    const unserved = await call(door.url, 'SubscribeToShard', {});
    expect(unserved.json['__type']).toBe('UnknownOperationException');
    expect(unserved.json['message']).toContain("'Kinesis_20131202.SubscribeToShard' is not served here");
    for (const action of ACTIONS.keys()) expect(unserved.json['message']).toContain(action);
  });

  test('then the form of the authentication', async () => {
    const wrongType = { Limit: 'x' };
    const none = await call(door.url, 'ListStreams', wrongType, { authorization: undefined });
    expect(none.json['__type']).toBe('MissingAuthenticationTokenException');
    const both = await call(`${door.url}/?X-Amz-Algorithm=AWS4-HMAC-SHA256`, 'ListStreams', wrongType);
    expect(both.json['__type']).toBe('InvalidSignatureException');
    const partial = await call(door.url, 'ListStreams', wrongType, {
      authorization: 'AWS4-HMAC-SHA256 Credential=a',
      'x-amz-date': undefined,
    });
    expect(partial.json['__type']).toBe('IncompleteSignatureException');
    for (const part of ["'Signature'", "'SignedHeaders'", "'X-Amz-Date'"]) {
      expect(partial.json['message']).toContain(part);
    }
    expect(partial.json['message']).not.toContain("'Credential'");
    const query = await call(
      `${door.url}/?X-Amz-Algorithm=x&X-Amz-Date=y`,
      'ListStreams',
      {},
      { authorization: undefined },
    );
    expect(query.json['__type']).toBe('IncompleteSignatureException');
  });

  test('then types, each named, before any value', async () => {
    const answer = await call(door.url, 'ListShards', { StreamName: '', MaxResults: 'many' });
    expect(answer.json).toEqual({ __type: 'SerializationException', Message: expect.stringContaining("'MaxResults'") });
    const deep = await call(door.url, 'PutRecords', { StreamName: 's', Records: [{ Data: 1, PartitionKey: '' }] });
    expect(deep.json).toEqual({
      __type: 'SerializationException',
      Message: expect.stringContaining("'Records.1.Data'"),
    });
  });

  test('then values, up to ten problems at once', async () => {
    const one = await call(door.url, 'DescribeStream', { StreamName: 'a b', Limit: 0 });
    expect(one.json).toEqual({
      __type: 'ValidationException',
      message:
        "2 validation errors detected: Value 'a b' at 'streamName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+; " +
        "Value '0' at 'limit' failed to satisfy constraint: Member must have value greater than or equal to 1",
    });
    const Records = Array.from({ length: 20 }, () => ({ Data: '', PartitionKey: '' }));
    const many = await call(door.url, 'PutRecords', { StreamName: 's', Records });
    expect(many.json['message']).toMatch(/^10 validation errors detected: /);
    const absent = await call(door.url, 'PutRecord', { StreamName: 's', Data: null });
    expect(absent.json['message']).toContain(
      "Value null at 'data' failed to satisfy constraint: Member must not be null",
    );
  });

  test('and the action last', async () => {
    const answer = await call(door.url, 'DescribeStream', { StreamName: 'none', StreamId: 'ignored' });
    expect(answer.json).toEqual({
      __type: 'ResourceNotFoundException',
      message: 'Stream none under account 000000000000 not found.',
    });
  });
});

describe('every answer', () => {
  test('carries request ids, also over CORS from a page of this machine', async () => {
    const answer = await call(door.url, 'ListStreams', {}, { origin: 'http://localhost:3000' });
    expect(answer.headers.get('x-amzn-requestid')).toMatch(/^[0-9a-f-]{36}$/);
    expect(answer.headers.get('x-amz-id-2')).not.toBeNull();
    expect(answer.headers.get('access-control-allow-origin')).toBe('http://localhost:3000');
    expect(answer.headers.get('access-control-expose-headers')).toContain('x-amzn-RequestId');
  });

  test('to OPTIONS allows what a page of this machine asks, and nothing to other pages while nobody needs a key', async () => {
    const ask = (origin: string): Promise<Response> =>
      fetch(door.url, {
        method: 'OPTIONS',
        headers: { origin, 'access-control-request-headers': 'x-amz-target', 'access-control-request-method': 'POST' },
      });
    const local = await ask('http://127.0.0.1:8080');
    expect(local.status).toBe(200);
    expect(local.headers.get('access-control-allow-headers')).toBe('x-amz-target');
    const foreign = await ask('https://example.com');
    expect(foreign.headers.get('access-control-allow-origin')).toBeNull();
  });
});

describe('PutRecords', () => {
  test('answers the literal text that producers look for', async () => {
    const answer = await call(door.url, 'PutRecords', { StreamName: 's', Records: [record('x')] });
    expect(answer.text).toMatch(
      /^\{"FailedRecordCount":0,"Records":\[\{"SequenceNumber":"49\d{38}","ShardId":"shardId-\d{12}"\}\]\}$/,
    );
    expect(answer.text).not.toContain('EncryptionType');
  });

  test('follows an explicit hash key, and takes a stream by ARN', async () => {
    const StreamARN = 'arn:aws:kinesis:eu-west-1:123456789012:stream/s';
    const last = { ...record('x'), ExplicitHashKey: String((1n << 128n) - 1n) };
    const answer = await call(door.url, 'PutRecords', {
      StreamARN,
      Records: [last, { ...last, ExplicitHashKey: '0' }],
    });
    const shards = (answer.json['Records'] as { ShardId: string }[]).map(({ ShardId }) => ShardId);
    expect(shards).toEqual(['shardId-000000000001', 'shardId-000000000000']);
    const beyond = { ...last, ExplicitHashKey: String(1n << 128n) };
    const refused = await call(door.url, 'PutRecords', { StreamARN, Records: [beyond] });
    expect(refused.json['__type']).toBe('InvalidArgumentException');
  });

  test.each(['x', '====', 'AA=A', 'AAA', 'A&AA', 'AA==AA=='])('refuses %j as data', async (Data) => {
    const body = { StreamName: 's', Records: [record('good'), { Data, PartitionKey: 'k' }] };
    const answer = await call(door.url, 'PutRecords', body);
    expect(answer.json).toEqual({ __type: 'SerializationException', Message: "'Records.2.Data' is not base64 text" });
  });

  test('takes 500 records and refuses 501, takes keys of 256 characters and refuses 257', async () => {
    const put = async (count: number, key: string): Promise<unknown> =>
      (
        await call(door.url, 'PutRecords', {
          StreamName: 's',
          Records: Array.from({ length: count }, () => record('', key)),
        })
      ).json['__type'];
    expect(await put(500, 'ü'.repeat(256))).toBeUndefined();
    expect(await put(501, 'k')).toBe('ValidationException');
    expect(await put(1, 'k'.repeat(257))).toBe('ValidationException');
    expect(await put(0, 'k')).toBe('ValidationException');
  });

  test('takes a request of 10 MiB with its keys and refuses one byte more', async () => {
    const put = (bytes: number): ReturnType<typeof call> => {
      const Data = Buffer.alloc(bytes - 1).toString('base64');
      return call(door.url, 'PutRecords', { StreamName: 's', Records: [{ Data, PartitionKey: 'k' }] });
    };
    expect((await put(LIMITS.recordBytesMax)).json['FailedRecordCount']).toBe(0);
    expect((await put(LIMITS.recordBytesMax + 1)).json['__type']).toBe('InvalidArgumentException');
  });

  test('checks everything on a dry run and stores nothing', async () => {
    await using other = await openDoor();
    await other.streams.create({ name: 'dry', shards: 1, retentionMs: DAY_MS });
    const body = { StreamName: 'dry', Records: [record('x')], DryRun: true };
    expect((await call(other.url, 'PutRecords', body)).json['__type']).toBe('DryRunOperationException');
    const view = await (await fetch(`${other.url}/v1/streams/dry`)).json();
    expect(view).toMatchObject({ records: 0 });
  });

  test('tells each record that could not be stored, in order, and counts them', async () => {
    await using other = await openDoor({
      around: (broker) => ({
        append: async (stream, batch) => {
          const { offsets } = await broker.append(stream, batch);
          return {
            offsets: offsets.fill(-1, 1, 3),
            failures: [
              { index: 1, code: 'broker-overloaded' },
              { index: 2, code: 'disk-full' },
            ],
          };
        },
      }),
    });
    await other.streams.create({ name: 'p', shards: 1, retentionMs: DAY_MS });
    const Records = ['a', 'b', 'c', 'd'].map((data) => record(data));
    const { status, json } = await call(other.url, 'PutRecords', { StreamName: 'p', Records });
    expect(status).toBe(200);
    expect(json).toEqual({
      FailedRecordCount: 2,
      Records: [
        expect.objectContaining({ ShardId: 'shardId-000000000000' }),
        { ErrorCode: 'ProvisionedThroughputExceededException', ErrorMessage: expect.stringContaining('stream p') },
        { ErrorCode: 'InternalFailure', ErrorMessage: expect.any(String) },
        expect.objectContaining({ SequenceNumber: expect.stringMatching(/^49/) }),
      ],
    });
  });

  test.each([
    ['broker-overloaded', 400, 'ProvisionedThroughputExceededException'],
    ['disk-full', 503, 'ServiceUnavailable'],
    ['broker-closed', 503, 'ServiceUnavailable'],
  ] as const)('answers what SDKs try again when the broker says %s', async (code, status, type) => {
    await using other = await openDoor({ around: refusingBroker(code) });
    await other.streams.create({ name: 'p', shards: 1, retentionMs: DAY_MS });
    const answer = await call(other.url, 'PutRecords', { StreamName: 'p', Records: [record('x')] });
    expect(answer).toMatchObject({ status, json: { __type: type } });
  });
});

describe('reading', () => {
  const put = async (stream: string, data: string[]): Promise<void> => {
    const Records = data.map((text) => record(text));
    await call(door.url, 'PutRecords', { StreamName: stream, Records });
  };
  const iterator = async (stream: string, start: object = { ShardIteratorType: 'TRIM_HORIZON' }): Promise<string> => {
    const body = { StreamName: stream, ShardId: 'shardId-000000000000', ...start };
    return (await call(door.url, 'GetShardIterator', body)).json['ShardIterator'] as string;
  };
  const texts = (json: Record<string, unknown>): string[] =>
    (json['Records'] as { Data: string }[]).map(({ Data }) => Buffer.from(Data, 'base64').toString());

  test('an iterator serves any number of times, also in quotes, until five minutes have passed', async () => {
    await door.streams.create({ name: 'again', shards: 1, retentionMs: DAY_MS });
    await put('again', ['a', 'b']);
    const ShardIterator = await iterator('again');
    for (const form of [ShardIterator, ShardIterator, `"${ShardIterator}"`]) {
      expect(texts((await call(door.url, 'GetRecords', { ShardIterator: form })).json)).toEqual(['a', 'b']);
    }
    await door.clock.advance(300_000);
    expect((await call(door.url, 'GetRecords', { ShardIterator })).status).toBe(200);
    await door.clock.advance(1);
    const late = await call(door.url, 'GetRecords', { ShardIterator });
    expect(late.json).toMatchObject({ __type: 'ExpiredIteratorException', message: expect.stringContaining('300000') });
  });

  test('LATEST stays where it was when it was asked for', async () => {
    await door.streams.create({ name: 'latest', shards: 1, retentionMs: DAY_MS });
    await put('latest', ['before']);
    const ShardIterator = await iterator('latest', { ShardIteratorType: 'LATEST' });
    await put('latest', ['after']);
    expect(texts((await call(door.url, 'GetRecords', { ShardIterator })).json)).toEqual(['after']);
  });

  test('goes on page by page, behind by how old the rest is', async () => {
    await door.streams.create({ name: 'pages', shards: 1, retentionMs: DAY_MS });
    await put('pages', ['a', 'b']);
    await door.clock.advance(1000);
    await put('pages', ['c']);
    await door.clock.advance(500);
    let ShardIterator = await iterator('pages');
    const seen: [string[], unknown][] = [];
    for (let i = 0; i < 4; i++) {
      const { json } = await call(door.url, 'GetRecords', { ShardIterator, Limit: 1 });
      seen.push([texts(json), json['MillisBehindLatest']]);
      ShardIterator = json['NextShardIterator'] as string;
    }
    expect(seen).toEqual([
      [['a'], 1500],
      [['b'], 500],
      [['c'], 0],
      [[], 0],
    ]);
  });

  test.each([
    [{ ShardIteratorType: 'AT_TIMESTAMP' }, 'Timestamp'],
    [{ ShardIteratorType: 'AT_SEQUENCE_NUMBER' }, 'StartingSequenceNumber'],
    [{ ShardIteratorType: 'AT_TIMESTAMP', Timestamp: 9e9 }, 'future'],
    [{ ShardIteratorType: 'AFTER_SEQUENCE_NUMBER', StartingSequenceNumber: '7' }, 'no sequence number'],
  ])('an iterator from %j is refused', async (start, reason) => {
    const answer = await call(door.url, 'GetShardIterator', {
      StreamName: 's',
      ShardId: 'shardId-000000000000',
      ...start,
    });
    expect(answer.json).toMatchObject({ __type: 'InvalidArgumentException', message: expect.stringContaining(reason) });
  });

  test('a sequence number of another shard is recognised', async () => {
    const stored = await call(door.url, 'PutRecord', { StreamName: 's', ...record('x'), ExplicitHashKey: '0' });
    const answer = await call(door.url, 'GetShardIterator', {
      StreamName: 's',
      ShardId: 'shardId-000000000001',
      ShardIteratorType: 'AT_SEQUENCE_NUMBER',
      StartingSequenceNumber: stored.json['SequenceNumber'],
    });
    expect(answer.json['message']).toContain(
      'encodes shardId-000000000000, while it was used in a call to a shard with shardId-000000000001',
    );
  });

  test('ends a closed shard with its children and no iterator, once all of it was read', async () => {
    const document = await door.streams.create({ name: 'split', shards: 1, retentionMs: DAY_MS });
    await put('split', ['a', 'b']);
    await splitInCatalog(document);
    let ShardIterator = await iterator('split');
    const first = await call(door.url, 'GetRecords', { ShardIterator, Limit: 1 });
    expect(first.json).toMatchObject({ NextShardIterator: expect.any(String) });
    expect(first.json).not.toHaveProperty('ChildShards');
    ShardIterator = first.json['NextShardIterator'] as string;
    const { json } = await call(door.url, 'GetRecords', { ShardIterator });
    expect(texts(json)).toEqual(['b']);
    expect(json).not.toHaveProperty('NextShardIterator');
    expect(json['ChildShards']).toMatchObject([
      { ShardId: 'shardId-000000000001', ParentShards: ['shardId-000000000000'] },
      { ShardId: 'shardId-000000000002', ParentShards: ['shardId-000000000000'] },
    ]);
  });

  test('ListShards filters by time and place', async () => {
    const ids = async (filter?: object): Promise<string[]> => {
      const body = { StreamName: 'split', ...(filter && { ShardFilter: filter }) };
      const { json } = await call(door.url, 'ListShards', body);
      return (json['Shards'] as { ShardId: string }[]).map(({ ShardId }) => ShardId.slice(-1));
    };
    const created = door.streams.get('split').document.createdMs / 1000;
    expect(await ids()).toEqual(['0', '1', '2']);
    expect(await ids({ Type: 'AT_LATEST' })).toEqual(['1', '2']);
    expect(await ids({ Type: 'AT_TRIM_HORIZON' })).toEqual(['0']);
    expect(await ids({ Type: 'AT_TIMESTAMP', Timestamp: created })).toEqual(['0']);
    expect(await ids({ Type: 'FROM_TIMESTAMP', Timestamp: created + 1.5 })).toEqual(['1', '2']);
    expect(await ids({ Type: 'AFTER_SHARD_ID', ShardId: 'shardId-000000000001' })).toEqual(['2']);
    await door.clock.advance(DAY_MS + 60_000);
    expect(await ids()).toEqual(['1', '2']);
  });

  /** What a split will do: close the parent, add two children. */
  async function splitInCatalog(document: StreamDocument): Promise<void> {
    await door.clock.advance(1000);
    const [parent] = document.shards as readonly [ShardDocument];
    const half = 1n << 127n;
    const child = { createdMs: door.clock.nowMs(), parents: [0] };
    const shards = [
      { ...parent, closedMs: door.clock.nowMs() },
      { ...child, index: 1, startingHashKey: '0', endingHashKey: String(half - 1n) },
      { ...child, index: 2, startingHashKey: String(half), endingHashKey: parent.endingHashKey },
    ];
    await door.broker.open({ id: document.id, shardCount: 3, retentionMs: DAY_MS });
    await door.catalog.change(door.catalog.read().version, [
      { kind: 'stream', key: document.name, document: { ...document, shards } },
    ]);
    await door.clock.advance(1000);
  }
});

test('a page token of ListShards expires after five minutes', async () => {
  const { json } = await call(door.url, 'ListShards', { StreamName: 's', MaxResults: 1 });
  await door.clock.advance(300_001);
  const late = await call(door.url, 'ListShards', { NextToken: json['NextToken'] });
  expect(late.json['__type']).toBe('ExpiredNextTokenException');
  expect((await call(door.url, 'ListShards', { NextToken: 'forged' })).json['__type']).toBe('InvalidArgumentException');
});

test('a stream is created once, with a number of shards that can be', async () => {
  const create = async (body: object): Promise<unknown> => (await call(door.url, 'CreateStream', body)).json['__type'];
  expect(await create({ StreamName: 'c1' })).toBe('InvalidArgumentException');
  expect(await create({ StreamName: 'c1', ShardCount: 257 })).toBe('LimitExceededException');
  expect(await create({ StreamName: 'c1', ShardCount: 256 })).toBeUndefined();
  expect(await create({ StreamName: 'c1', ShardCount: 1 })).toBe('ResourceInUseException');
  expect(await create({ StreamName: 'c2', StreamModeDetails: { StreamMode: 'ON_DEMAND' } })).toBeUndefined();
});
