import { gzipSync, zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { LIMITS, MIB } from '../../src/model/limits.ts';
import type { OpenDoor, WireAnswer } from './open-door.ts';
import { DAY_MS, ask, openDoor, refusingBroker } from './open-door.ts';

let door: OpenDoor;
beforeAll(async () => {
  door = await openDoor();
  await door.streams.create({ name: 's', shards: 4, retentionMs: DAY_MS });
});
afterAll(() => door.close());

interface Stored {
  readonly data: string;
  readonly partitionKey: string;
  readonly shard: string;
  readonly sequenceNumber: string;
}
interface PutItem {
  readonly index: number;
  readonly shard?: string;
  readonly sequenceNumber?: string;
  readonly code?: string;
}

const NDJSON = { 'content-type': 'application/x-ndjson' };
let made = 0;

/** Puts into a stream of its own and gives the answer with what was stored, in order. */
async function put(
  body: string | Uint8Array,
  headers: Record<string, string> = {},
  query = '',
): Promise<{ answer: WireAnswer; items: PutItem[]; stored: Stored[] }> {
  const name = `one-${made++}`;
  await door.streams.create({ name, shards: 1, retentionMs: DAY_MS });
  const answer = await ask(`${door.url}/v1/streams/${name}/records${query}`, 'POST', body, headers);
  const read = await ask(`${door.url}/v1/streams/${name}/records?from=earliest`, 'GET');
  return { answer, items: (answer.json['records'] ?? []) as PutItem[], stored: read.json['records'] as Stored[] };
}
const codeOf = ({ json }: WireAnswer): unknown => (json['error'] as { code?: unknown } | undefined)?.code;

describe('records are stored as the bytes the client sent', () => {
  test.each([
    ['an object', {}, ' {"a" : 1.50,\n "b":"é\\u0041"} ', ['{"a" : 1.50,\n "b":"é\\u0041"}']],
    ['an array', {}, '[ {"a":1 } ,{"b": [1,{}]}\n]', ['{"a":1 }', '{"b": [1,{}]}']],
    ['an empty array', {}, '[]', []],
    ['NDJSON', NDJSON, '{"a":1e400}\r\n\n  {"b":2}', ['{"a":1e400}', '{"b":2}']],
    ['NDJSON with a charset', { 'content-type': 'application/x-ndjson; charset=utf-8' }, '{"a":1}\n', ['{"a":1}']],
    ['nothing as NDJSON', NDJSON, '', []],
  ])('%s', async (_, headers, body, expected) => {
    const { answer, items, stored } = await put(body, headers);
    expect(answer).toMatchObject({ status: 200, json: { accepted: expected.length, failed: 0 } });
    expect(stored.map(({ data }) => data)).toEqual(expected);
    expect(items).toEqual(stored.map(({ shard, sequenceNumber }, index) => ({ index, shard, sequenceNumber })));
  });

  test.each([
    ['gzip', gzipSync],
    ['zstd', zstdCompressSync],
  ])('compressed with %s', async (encoding, compress) => {
    const lines = Array.from({ length: 5000 }, (_, i) => `{"n":${i}}`);
    const { answer, stored } = await put(compress(Buffer.from(lines.join('\n'))), {
      ...NDJSON,
      'content-encoding': encoding,
    });
    expect(answer).toMatchObject({ status: 200, json: { accepted: 5000 } });
    expect(stored.map(({ data }) => data)).toEqual(lines.slice(0, 1000));
  });
});

describe('a record that cannot be stored is refused alone', () => {
  const deep = (levels: number): string => '{"a":'.repeat(levels) + '1' + '}'.repeat(levels);

  test('with its index and the reason, and the others are stored', async () => {
    const lines = ['{"a":1}', '{"a":', '[1]', '3', deep(LIMITS.jsonDepthMax), deep(LIMITS.jsonDepthMax + 1), '{"z":1}'];
    const { answer, items, stored } = await put(lines.join('\n'), NDJSON);
    expect(answer).toMatchObject({ status: 207, json: { accepted: 3, failed: 4 } });
    expect(items.map(({ index, code }) => [index, code ?? 'stored'])).toEqual([
      [0, 'stored'],
      [1, 'not-json'],
      [2, 'not-an-object'],
      [3, 'not-an-object'],
      [4, 'stored'],
      [5, 'too-deep'],
      [6, 'stored'],
    ]);
    expect(stored.map(({ data }) => data)).toEqual([lines[0], lines[4], lines[6]]);
    expect(items[6]).toMatchObject({ sequenceNumber: stored[2]?.sequenceNumber });
  });

  test('when it is not UTF-8', async () => {
    const body = Buffer.concat([Buffer.from('{"a":"é"}\n{"a":"'), Buffer.of(0xff), Buffer.from('"}\n{"b":1}')]);
    const { items, stored } = await put(body, NDJSON);
    expect(items.map(({ code }) => code)).toEqual([undefined, 'not-utf8', undefined]);
    expect(stored.map(({ data }) => data)).toEqual(['{"a":"é"}', '{"b":1}']);
  });

  test('when it is larger than a record may be', async () => {
    const record = (bytes: number): string => `{"a":"${'x'.repeat(bytes - 8)}"}`;
    const { items } = await put(`${record(LIMITS.recordBytesMax - 1)}\n${record(100)}`, NDJSON, '?partitionKey=k');
    expect(items.map(({ code }) => code)).toEqual([undefined, undefined]);
    const over = await put(`${record(LIMITS.recordBytesMax)}\n${record(100)}`, NDJSON, '?partitionKey=k');
    expect(over.items.map(({ code }) => code)).toEqual(['record-too-large', undefined]);
  });

  test('and on return=minimal only refused ones are told', async () => {
    const { answer, items } = await put('{"a":1}\nx\n{"b":1}', { ...NDJSON, prefer: 'return=minimal' });
    expect(answer.json).toMatchObject({ accepted: 2, failed: 1 });
    expect(items).toEqual([{ index: 1, code: 'not-json', reason: expect.any(String) }]);
  });

  test('when the broker could not store it, beside what was refused before', async () => {
    await using other = await openDoor({
      around: (broker) => ({
        append: async (stream, batch) => {
          const { offsets } = await broker.append(stream, batch);
          return { offsets, failures: [{ index: 1, code: 'disk-full' }] };
        },
      }),
    });
    await other.streams.create({ name: 'p', shards: 1, retentionMs: DAY_MS });
    const answer = await ask(`${other.url}/v1/streams/p/records`, 'POST', 'x\n{"a":1}\n{"b":1}\n{"c":1}', NDJSON);
    const items = answer.json['records'] as PutItem[];
    expect(answer.json).toMatchObject({ accepted: 2, failed: 2 });
    expect(items.map(({ code }) => code)).toEqual(['not-json', undefined, 'disk-full', undefined]);
  });
});

describe('the partition key', () => {
  test('comes from the header, the query or a field of the record, also deep and also a number', async () => {
    const keys = async (body: string, headers: Record<string, string>, query = ''): Promise<string[]> =>
      (await put(body, { ...NDJSON, ...headers }, query)).stored.map(({ partitionKey }) => partitionKey);
    expect(await keys('{}\n{}', { 'x-partition-key': 'k' })).toEqual(['k', 'k']);
    expect(await keys('{}', { 'x-partition-key': Buffer.from('schlüssel').toString('latin1') })).toEqual(['schlüssel']);
    expect(await keys('{}', {}, '?partitionKey=a%20b')).toEqual(['a b']);
    expect(await keys('{"a":{"b":"x"}}\n{"a":{"b":7}}', {}, '?partitionKeyField=a.b')).toEqual(['x', '7']);
  });

  test('that a record lacks refuses that record', async () => {
    const lines = [
      '{"a":"x"}',
      '{}',
      '{"a":null}',
      '{"a":{}}',
      '{"a":""}',
      `{"a":"${'k'.repeat(257)}"}`,
      '{"a":"\\ud800"}',
    ];
    const { items } = await put(lines.join('\n'), NDJSON, '?partitionKeyField=a');
    expect(items.map(({ code }) => code ?? 'stored')).toEqual(['stored', ...Array(6).fill('argument-invalid')]);
    const inherited = await put('{}', {}, '?partitionKeyField=constructor.name');
    expect(inherited.items[0]?.code).toBe('argument-invalid');
  });

  test('is one of its own for every record when none is asked for, so that records spread', async () => {
    const lines = Array.from({ length: 200 }, () => '{}').join('\n');
    const answer = await ask(`${door.url}/v1/streams/s/records`, 'POST', lines, NDJSON);
    const shards = new Set((answer.json['records'] as PutItem[]).map(({ shard }) => shard));
    expect(shards.size).toBe(4);
  });

  test('given twice, or too long, is refused', async () => {
    expect(codeOf((await put('{}', { 'x-partition-key': 'a' }, '?partitionKey=b')).answer)).toBe('argument-invalid');
    expect(codeOf((await put('{}', {}, `?partitionKey=${'k'.repeat(257)}`)).answer)).toBe('argument-invalid');
    expect(codeOf((await put('{}', {}, '?partitionKeyField=a..b')).answer)).toBe('argument-invalid');
  });
});

describe('a request is refused as a whole', () => {
  test.each([
    ['an unknown content type', { 'content-type': 'text/plain' }, '{}'],
    ['an array that does not end', {}, '[{"a":1}'],
    ['an empty body', {}, ' '],
    ['what is not gzip', { 'content-encoding': 'gzip' }, '{}'],
    ['half a gzip', { 'content-encoding': 'gzip' }, gzipSync('{"a":1}').subarray(0, 15)],
    ['half a zstd', { 'content-encoding': 'zstd' }, zstdCompressSync(Buffer.from('{"a":1}')).subarray(0, 12)],
    ['stacked encodings', { 'content-encoding': 'gzip, gzip' }, gzipSync(gzipSync('{}'))],
  ])('for %s', async (_, headers, body) => {
    const { answer, stored } = await put(body, headers);
    expect([answer.status, codeOf(answer)]).toEqual([400, 'body-invalid']);
    expect(stored).toEqual([]);
  });

  test('for a stream that is not there', async () => {
    const answer = await ask(`${door.url}/v1/streams/none/records`, 'POST', '{}');
    expect([answer.status, codeOf(answer)]).toEqual([404, 'stream-not-found']);
    expect(answer.json['error']).toMatchObject({ retryable: false, requestId: answer.headers.get('x-request-id') });
  });

  test.each([
    ['gzip', gzipSync],
    ['zstd', zstdCompressSync],
  ])('for a %s bomb, without inflating it', async (encoding, compress) => {
    const bomb = compress(Buffer.alloc(60 * MIB, ' '));
    const before = process.memoryUsage().arrayBuffers;
    const { answer } = await put(bomb, { ...NDJSON, 'content-encoding': encoding });
    expect([answer.status, codeOf(answer)]).toEqual([413, 'body-too-large']);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(30 * MIB);
  });

  test('for a body above its limit, as sent and inflated', async () => {
    await using small = await openDoor({ bounds: { bodyBytesMax: 1000, inflatedBytesMax: 2000 } });
    await small.streams.create({ name: 's', shards: 1, retentionMs: DAY_MS });
    const post = (body: string | Uint8Array, headers = {}): Promise<WireAnswer> =>
      ask(`${small.url}/v1/streams/s/records`, 'POST', body, { ...NDJSON, ...headers });
    const line = (bytes: number): string => `{"a":"${'x'.repeat(bytes - 8)}"}`;
    expect((await post(line(1000))).status).toBe(200);
    expect(codeOf(await post(line(1001)))).toBe('body-too-large');
    const gzip = { 'content-encoding': 'gzip' };
    expect((await post(gzipSync(line(2000)), gzip)).status).toBe(200);
    expect(codeOf(await post(gzipSync(line(2001)), gzip))).toBe('body-too-large');
  });

  test.each(['?partition-key=a', '?partitionkey=a', '?partitionKey=a&key=b', '?partitionKey=a&partitionKey=b'])(
    'for a query that would be heeded in part only: %s',
    async (query) => {
      const { answer, stored } = await put('{"a":1}', {}, query);
      expect([answer.status, codeOf(answer)]).toEqual([400, 'argument-invalid']);
      expect(JSON.stringify(answer.json)).toContain('partitionKey');
      expect(stored).toEqual([]);
    },
  );

  test.each(['?form=earliest', '?from=earliest&from=latest'])(
    'for a query of the reading route likewise: %s',
    async (query) => {
      const answer = await ask(`${door.url}/v1/streams/s/records${query}`, 'GET');
      expect([answer.status, codeOf(answer)]).toEqual([400, 'argument-invalid']);
      expect(JSON.stringify(answer.json)).toContain('from');
    },
  );

  test.each([
    ['broker-overloaded', 429],
    ['disk-full', 503],
  ] as const)('with Retry-After when the broker says %s', async (code, status) => {
    await using other = await openDoor({ around: refusingBroker(code) });
    await other.streams.create({ name: 'p', shards: 1, retentionMs: DAY_MS });
    const answer = await ask(`${other.url}/v1/streams/p/records`, 'POST', '{}');
    expect([answer.status, codeOf(answer)]).toEqual([status, code]);
    expect(answer.headers.get('retry-after')).toBe('1');
  });

  test('when more bytes wait than the server may hold', async () => {
    await using other = await openDoor({ bounds: { inFlightBytesMax: 100 } });
    await other.streams.create({ name: 'p', shards: 1, retentionMs: DAY_MS });
    const post = (bytes: number): Promise<WireAnswer> =>
      ask(`${other.url}/v1/streams/p/records`, 'POST', `{"a":"${'x'.repeat(bytes)}"}`);
    expect(codeOf(await post(200))).toBe('broker-overloaded');
    expect((await post(50)).status).toBe(200);
    expect((await post(50)).status).toBe(200);
  });
});
