import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { DeliverySpec } from '../../src/model/delivery.ts';
import { LakewardError } from '../../src/model/errors.ts';
import { asStreamId } from '../../src/model/stream.ts';
import type { DeliveryStatus } from '../../src/ports/deliveries.ts';
import type { OpenDoor } from './open-door.ts';
import { DAY_MS, ask, openDoor } from './open-door.ts';

let door: OpenDoor;
const asked: [string, ...unknown[]][] = [];
beforeAll(async () => {
  const status = { rows: 7 } as DeliveryStatus;
  const note =
    <T>(name: string, answer: T) =>
    (...given: readonly unknown[]): Promise<T> => {
      // The options, with their signal, are the same everywhere.
      asked.push([
        name,
        ...given.filter((one) => typeof one !== 'object' || one === null || !('signal' in one) || 'limit' in one),
      ]);
      return Promise.resolve(answer);
    };
  door = await openDoor({
    deliveries: {
      parse: (input) => {
        asked.push(['parse', input]);
        return { name: 'parsed' } as never;
      },
      create: note('create', status),
      update: note('update', status),
      remove: note('remove', undefined),
      status: (name) =>
        name === 'none'
          ? Promise.reject(new LakewardError('delivery-not-found', 'there is none'))
          : Promise.resolve([status]),
      flush: note('flush', status),
      setPaused: note('setPaused', status),
      files: note('files', { items: [], next: 'n' }),
      replay: note('replay', { dryRun: true, replayedRows: 0, replayed: [], failedRows: 0, failed: [] }),
      rejected: note('rejected', { items: [] }),
    },
  });
});
afterAll(() => door.close());

const codeOf = (json: Record<string, unknown>): unknown => (json['error'] as { code?: unknown } | undefined)?.code;

describe('streams', () => {
  test('are created, listed, described and deleted', async () => {
    const made = await ask(`${door.url}/v1/streams`, 'POST', { name: 'life', shards: 2, retentionHours: 48 });
    expect(made).toMatchObject({ status: 201, json: { name: 'life', retentionHours: 48, records: 0, bytes: 0 } });
    expect(made.json['shards']).toEqual([
      {
        id: 'shardId-000000000000',
        startingHashKey: '0',
        endingHashKey: String((1n << 127n) - 1n),
        parents: [],
        closed: false,
      },
      expect.objectContaining({ id: 'shardId-000000000001', endingHashKey: String((1n << 128n) - 1n) }),
    ]);
    await ask(`${door.url}/v1/streams/life/records?partitionKey=kk`, 'POST', [{ a: 1 }, { a: 2 }]);
    const seen = await ask(`${door.url}/v1/streams/life`, 'GET');
    expect(seen.json).toMatchObject({ records: 2, bytes: 2 * ('{"a":1}'.length + 2) });
    expect((await ask(`${door.url}/v1/streams`, 'GET')).json['streams']).toEqual([seen.json]);
    expect((await ask(`${door.url}/v1/streams/life`, 'DELETE')).status).toBe(200);
    expect(codeOf((await ask(`${door.url}/v1/streams/life`, 'GET')).json)).toBe('stream-not-found');
  });

  test.each([
    [{ name: '../x' }, 'argument-invalid'],
    [{ name: '..' }, 'argument-invalid'],
    [{ name: 'x', shards: 257 }, 'argument-invalid'],
    [{ name: 'x', shards: 0 }, 'argument-invalid'],
    [{ name: 'x', retentionHours: 9000 }, 'argument-invalid'],
    [{ name: 'x', shard: 1 }, 'argument-invalid'],
    [{ name: 7 }, 'argument-invalid'],
    [undefined, 'argument-invalid'],
    ['{"name":', 'body-invalid'],
    [`{"name":${'['.repeat(1000)}${']'.repeat(1000)}}`, 'body-invalid'],
    ['{"__proto__":{"name":"x"}}', 'body-invalid'],
    [`{"name":"${'x'.repeat(1 << 20)}"}`, 'body-too-large'],
  ])('are not created from %j', async (body, code) => {
    const { status, json } = await ask(`${door.url}/v1/streams`, 'POST', body);
    expect(codeOf(json)).toBe(code);
    expect(status).toBeGreaterThanOrEqual(400);
  });

  test('that a delivery reads are deleted only by force', async () => {
    await door.streams.create({ name: 'read', shards: 1, retentionMs: DAY_MS });
    const spec: DeliverySpec = {
      name: 'reader',
      stream: 'read',
      prefix: 'reader',
      layout: '',
      eventTime: { from: 'arrival' },
      eventFutureMs: DAY_MS,
      allowedLatenessMs: 0,
      format: 'ndjson',
      compression: 'none',
      schema: 'auto',
      flush: { bytes: 1, ageMs: 1000, records: 1 },
      start: 'earliest',
    };
    const streamId = asStreamId('read');
    const document = { spec, streamId, owner: 'api', createdMs: 0, paused: false } as const;
    await door.catalog.change(door.catalog.read().version, [{ kind: 'delivery', key: 'reader', document }]);
    const refused = await ask(`${door.url}/v1/streams/read`, 'DELETE');
    expect([refused.status, codeOf(refused.json)]).toEqual([409, 'stream-in-use']);
    expect((await ask(`${door.url}/v1/streams/read?force=true`, 'DELETE')).status).toBe(200);
  });
});

describe('reading a stream', () => {
  test('goes through all shards by cursor, waits when asked, and meets what comes meanwhile', async () => {
    await door.streams.create({ name: 'tail', shards: 3, retentionMs: DAY_MS });
    const path = `${door.url}/v1/streams/tail/records`;
    const lines = Array.from({ length: 25 }, (_, n) => `{"n":${n}}`);
    await ask(path, 'POST', lines.join('\n'), { 'content-type': 'application/x-ndjson' });
    const seen: string[] = [];
    let at = 'from=earliest';
    for (;;) {
      const { json } = await ask(`${path}?${at}&limit=4`, 'GET');
      const records = json['records'] as { data: string }[];
      at = `cursor=${json['cursor'] as string}`;
      if (records.length === 0) break;
      seen.push(...records.map(({ data }) => data));
    }
    expect(seen.toSorted()).toEqual(lines.toSorted());
    const before = door.clock.sleepers();
    const waiting = ask(`${path}?${at}&waitMs=10000`, 'GET');
    await expect.poll(() => door.clock.sleepers()).toBe(before + 1);
    await ask(path, 'POST', '{"n":"late"}');
    expect((await waiting).json['records']).toMatchObject([
      { data: '{"n":"late"}', shard: expect.stringMatching(/^shardId-/) },
    ]);
  });

  test('begins at a time, and gives bytes that are no text as base64', async () => {
    const document = await door.streams.create({ name: 'times', shards: 1, retentionMs: DAY_MS });
    const append = (byte: number): Promise<unknown> =>
      door.broker.append(document.id, {
        count: 1,
        keys: Uint8Array.of(0x6b),
        keyEnds: Uint32Array.of(1),
        data: Uint8Array.of(byte),
        dataEnds: Uint32Array.of(1),
        shards: Uint16Array.of(0),
        arrivalMs: door.clock.nowMs(),
      });
    await append(0x61);
    await door.clock.advance(1000);
    const from = new Date(door.clock.nowMs()).toISOString();
    await append(0xff);
    const { json } = await ask(`${door.url}/v1/streams/times/records?from=${from}`, 'GET');
    expect(json['records']).toEqual([
      {
        shard: 'shardId-000000000000',
        sequenceNumber: expect.any(String),
        partitionKey: 'k',
        arrival: from,
        dataBase64: '/w==',
      },
    ]);
  });

  test.each(['from=yesterday', 'from=2999-01-01', 'cursor=x', 'cursor=WyJ4Il0', 'limit=0', 'limit=x', 'waitMs=99999'])(
    'is refused with %s',
    async (query) => {
      await door.streams.ensure({ name: 'refusing', shards: 1, retentionMs: DAY_MS });
      const { status, json } = await ask(`${door.url}/v1/streams/refusing/records?${query}`, 'GET');
      expect([status, codeOf(json)]).toEqual([400, 'argument-invalid']);
    },
  );
});

describe('deliveries', () => {
  test.each([
    [
      'POST',
      '',
      { name: 'd' },
      [
        ['parse', { name: 'd' }],
        ['create', { name: 'parsed' }],
      ],
    ],
    [
      'PUT',
      '/d',
      { format: 'csv' },
      [
        ['parse', { format: 'csv', name: 'd' }],
        ['update', { name: 'parsed' }],
      ],
    ],
    ['DELETE', '/a%2Fb', undefined, [['remove', 'a/b']]],
    ['POST', '/d/flush', undefined, [['flush', 'd']]],
    ['POST', '/d/pause', undefined, [['setPaused', 'd', true]]],
    ['POST', '/d/resume', undefined, [['setPaused', 'd', false]]],
  ])('%s /v1/deliveries%s is passed on', async (method, path, body, expected) => {
    asked.length = 0;
    const { status } = await ask(`${door.url}/v1/deliveries${path}`, method, body);
    expect(status).toBe(path === '' ? 201 : 200);
    expect(asked).toEqual(expected);
  });

  test('are shown with their files and rejected rows, page by page', async () => {
    asked.length = 0;
    expect((await ask(`${door.url}/v1/deliveries`, 'GET')).json).toEqual({ deliveries: [{ rows: 7 }] });
    expect((await ask(`${door.url}/v1/deliveries/d`, 'GET')).json).toEqual({ rows: 7 });
    expect((await ask(`${door.url}/v1/deliveries/d/files?prefix=p&after=a&limit=5`, 'GET')).json).toEqual({
      items: [],
      next: 'n',
    });
    await ask(`${door.url}/v1/deliveries/d/rejected`, 'GET');
    expect(asked).toEqual([
      ['files', 'd', expect.objectContaining({ prefix: 'p', after: 'a', limit: 5 })],
      ['rejected', 'd', expect.objectContaining({ limit: 100 })],
    ]);
  });

  test('tell what is wrong in the words of the stage', async () => {
    expect(codeOf((await ask(`${door.url}/v1/deliveries/none`, 'GET')).json)).toBe('delivery-not-found');
    const renamed = await ask(`${door.url}/v1/deliveries/d`, 'PUT', { name: 'other' });
    expect(codeOf(renamed.json)).toBe('argument-invalid');
  });
});

describe('the process', () => {
  test('tells that it lives, whether it is ready, and what it does', async () => {
    expect((await ask(`${door.url}/healthz`, 'GET')).json).toEqual({ status: 'ok' });
    expect((await ask(`${door.url}/readyz`, 'GET')).json).toEqual({ status: 'ready' });
    door.complaints.push('delivery x: lake-unavailable');
    const unready = await ask(`${door.url}/readyz`, 'GET');
    expect(unready).toMatchObject({ status: 503, json: { reasons: ['delivery x: lake-unavailable'] } });
    const status = await ask(`${door.url}/v1/status`, 'GET');
    expect(status.json).toMatchObject({ version: '1.2.3', streams: expect.any(Array), deliveries: [{ rows: 7 }] });
    expect(status.json).not.toHaveProperty('notReady');
  });

  test('counts records, bytes, requests and time in Prometheus form', async () => {
    await door.streams.create({ name: 'counted', shards: 1, retentionMs: DAY_MS });
    await ask(`${door.url}/v1/streams/counted/records?partitionKey=k`, 'POST', '[{"a":1},{"b":2},3]');
    const { text, headers } = await ask(`${door.url}/metrics`, 'GET');
    expect(headers.get('content-type')).toContain('text/plain');
    expect(text).toContain('lakeward_ingest_records_total{protocol="http",stream="counted"} 2');
    expect(text).toContain('lakeward_ingest_bytes_total{protocol="http",stream="counted"} 16');
    expect(text).toContain('lakeward_ingest_failed_records_total{protocol="http",code="not-an-object"} 1');
    expect(text).toContain('lakeward_ingest_acknowledge_seconds_count{protocol="http"}');
  });

  test('says 404 for no path, and 405 with what is served for a wrong method', async () => {
    expect(codeOf((await ask(`${door.url}/v1/nothing`, 'GET')).json)).toBe('not-found');
    const wrong = await ask(`${door.url}/v1/streams/x/records`, 'DELETE');
    expect([wrong.status, codeOf(wrong.json), wrong.headers.get('allow')]).toEqual([
      405,
      'method-not-allowed',
      'GET, POST',
    ]);
  });

  test('hides what broke inside, and logs it under the request id', async () => {
    await using other = await openDoor({ deliveries: { status: () => Promise.reject(new Error('a secret detail')) } });
    const { status, text, json } = await ask(`${other.url}/v1/deliveries`, 'GET');
    expect([status, codeOf(json)]).toEqual([500, 'internal']);
    expect(text).not.toContain('secret');
    const { requestId } = json['error'] as { requestId: string };
    expect(other.logged.find((line) => line.includes(requestId))).toContain('a secret detail');
  });
});

describe('with keys configured', () => {
  const keys = [
    { id: 'one', secret: 'first' },
    { id: 'two', secret: 'second' },
  ];

  test('the API and the metrics want one of them, health does not', async () => {
    await using locked = await openDoor({ keys });
    const get = async (path: string, authorization?: string): Promise<number> =>
      (await ask(`${locked.url}${path}`, 'GET', undefined, authorization === undefined ? {} : { authorization }))
        .status;
    for (const path of ['/v1/streams', '/v1/status', '/metrics']) {
      expect(await get(path)).toBe(401);
      expect(await get(path, 'Bearer third')).toBe(401);
      expect(await get(path, 'Basic first')).toBe(401);
      expect(await get(path, 'Bearer first')).toBe(200);
      expect(await get(path, 'bearer second')).toBe(200);
    }
    expect(await get('/healthz')).toBe(200);
    expect(await get('/readyz')).toBe(200);
    const put = await ask(`${locked.url}/v1/streams/s/records`, 'POST', '{}');
    expect(put).toMatchObject({ status: 401, json: { error: { code: 'unauthorized' } } });
    expect(locked.logged.join()).not.toContain('first');
  });
});
