import { constants, gzipSync, zstdCompressSync } from 'node:zlib';
import { readdir } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import type { PutAnswer } from '../../src/app/control-answers.ts';
import type { RunningServer } from '../../src/app/compose.ts';
import { LIMITS, MIB } from '../../src/model/limits.ts';
import { everyFile, landedIds, landedRows, rejectedLines } from './lake-reader.ts';
import {
  type ApiAnswer,
  type ErrorAnswer,
  type Place,
  aFlow,
  aPlace,
  alive,
  answerOf,
  flush,
  kinesis,
  must,
  startIn,
} from './running-server.ts';

vi.setConfig({ testTimeout: 60_000 });

const AVRO = {
  type: 'record',
  name: 'Event',
  fields: ['id', 'product'].map((name) => ({ name, type: ['null', 'string'], default: null })),
};

let place: Place;
let server: RunningServer;
let url: string;
beforeAll(async () => {
  place = await aPlace();
  server = await startIn(place);
  url = server.address.url;
});
afterAll(async () => {
  await server.close('test over');
  await place.dispose();
});
/** Whatever was sent: the process answers and nothing lies outside the lake. */
afterEach(async () => {
  expect((await fetch(`${url}/healthz`)).status).toBe(200);
  expect((await readdir(place.folder)).toSorted()).toEqual(['data', 'lake', 'lakeward.yaml']);
});

const nest = (depth: number): string => `${'['.repeat(depth)}${']'.repeat(depth)}`;
const deepObject = (depth: number): string => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`;

describe('records as any bytes, through the Kinesis wire', () => {
  const row = (fields: object): Buffer => Buffer.from(JSON.stringify(fields));
  const exact = (bytes: number): Buffer => {
    const record = Buffer.alloc(bytes, 'x');
    record.write('{"id":"exact","text":"');
    record.write('"}', bytes - 2);
    return record;
  };
  /** Where each must end: landed under an id, or rejected with a code. The second list is that of a partitioned delivery. */
  const given: readonly (readonly [Buffer, { id: string } | string, ({ id: string } | string)?])[] = [
    [Buffer.from(`{"id":"deep","x":${nest(100_000)}}`), 'too-deep'],
    [Buffer.from(deepObject(100_000)), 'too-deep'],
    [Buffer.from(nest(100_000)), 'too-deep'],
    [Buffer.from(`{"id":"at-limit","x":${nest(LIMITS.jsonDepthMax - 1)}}`), { id: 'at-limit' }],
    [Buffer.from(`{"id":"over-limit","x":${nest(LIMITS.jsonDepthMax)}}`), 'too-deep'],
    [Buffer.from('{"id":"two"}\x1e{"id":"rows"}'), 'not-json'],
    [Buffer.from('{"id":"two"}\n{"id":"lines"}'), 'not-json'],
    [Buffer.from('{"id":"raw\x1f"}'), 'not-json'],
    [Buffer.from('{"id":"raw\n"}'), 'not-json'],
    [Buffer.from('\x1e\x1f\n\x00'), 'not-json'],
    [Buffer.from('\r\n{ "id"\n:\r\n"spread" }\t\n'), { id: 'spread' }],
    [row({ id: 'escaped \u001e \u001f \n', text: '\u001e' }), { id: 'escaped \u001e \u001f \n' }],
    [Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d]), 'not-utf8'],
    [Buffer.from([0xc0, 0x80]), 'not-utf8'],
    [Buffer.concat([Buffer.from('{"id":"'), Buffer.from([0xed, 0xa0, 0x80]), Buffer.from('"}')]), 'not-utf8'],
    [Buffer.from(''), 'not-json'],
    [Buffer.from(' \t\r\n'), 'not-json'],
    [Buffer.from('\ufeff{"id":"bom"}'), 'not-json'],
    [Buffer.from('7'), 'not-an-object'],
    [Buffer.from('null'), 'not-an-object'],
    [Buffer.from('[{"id":"array"}]'), 'not-an-object'],
    [Buffer.from('{"id":"nan","n":NaN}'), 'not-json'],
    [Buffer.from('{"id":"infinity","n":-Infinity}'), 'not-json'],
    [Buffer.from('{"id":"cut","n":'), 'not-json'],
    [Buffer.from('{"id":"1e400","n":1e400}'), { id: '1e400' }],
    [Buffer.from('{"id":"-0","n":-0}'), { id: '-0' }],
    [Buffer.from('{"id":"huge","n":123456789012345678901234567890123456789012345678901234567890}'), { id: 'huge' }],
    [Buffer.from(`{"id":"digits","n":${'9'.repeat(100_000)}}`), { id: 'digits' }],
    [Buffer.from('{"id":"u64","n":18446744073709551615}'), { id: 'u64' }],
    [Buffer.from('{"id":"surrogate","text":"\\ud800"}'), 'not-json'],
    [Buffer.from('{"id":"nul","text":"\\u0000"}'), { id: 'nul' }],
    [Buffer.from('{"id":"proto","__proto__":{"polluted":1},"constructor":{"prototype":1}}'), { id: 'proto' }],
    [Buffer.from('{"id":"twice","k":1,"k":2}'), { id: 'twice' }],
    [Buffer.from(`{"id":"key","${'k'.repeat(100_000)}":1,"":2}`), { id: 'key' }],
    [exact(LIMITS.recordBytesMax - 1), { id: 'exact' }],
    ...[
      '../../escape',
      '..',
      '.',
      '/etc/cron.d/x',
      '_hidden',
      '.hidden',
      'a=b',
      'nul\0',
      '',
      'ü😀',
      'a\\b',
      '%2e%2e',
    ].map((product) => [row({ id: `p ${product}`, product }), { id: `p ${product}` }] as const),
    [row({ id: 'p long', product: 'x'.repeat(100_000) }), { id: 'p long' }, 'partition-value-invalid'],
    [row({ id: 'p null', product: null }), { id: 'p null' }],
    [Buffer.from('{"id":"p surrogate","product":"\\udfff"}'), 'not-json'],
  ];

  test('land or are rejected with the code that fits, each once', async () => {
    await aFlow(url, { name: 'flat' });
    const parted = { stream: 's', format: 'parquet', layout: '{product}/', flush: { age: '1h' }, start: 'earliest' };
    await must(`${url}/v1/deliveries`, 'POST', { ...parted, name: 'parted', schema: { avro: AVRO } });
    const records = given.map(([data]) => ({ Data: data.toString('base64'), PartitionKey: 'k' }));
    for (const record of records) {
      const answer = await kinesis<{ SequenceNumber: string }>(url, 'PutRecord', { StreamName: 's', ...record });
      expect([answer.status, answer.json]).toEqual([
        200,
        expect.objectContaining({ SequenceNumber: expect.any(String) as string }),
      ]);
    }
    const after = await alive(url);
    for (const [at, delivery] of ['flat', 'parted'].entries()) {
      const ends = given.map(([data, flat, parted]) => ({ data, end: at === 0 ? flat : (parted ?? flat) }));
      await flush(url, delivery);
      const ids = ends.flatMap(({ end }) => (typeof end === 'string' ? [] : [end.id]));
      expect(await landedIds(place.lake, delivery)).toEqual([...ids, after].toSorted());
      const rejected = await rejectedLines(place.lake, delivery);
      const shown = (code: string, data: Buffer): string => `${code} ${data.length} ${data.toString('latin1', 0, 80)}`;
      expect(rejected.map(({ code, data }) => shown(code, data)).toSorted()).toEqual(
        ends.flatMap(({ data, end }) => (typeof end === 'string' ? [shown(end, data)] : [])).toSorted(),
      );
    }
  });

  test('keep what they hold: what fits no column is in `_extra`', async () => {
    const rows = new Map((await landedRows(place.lake, 'flat')).map((row) => [row['id'], JSON.stringify(row)]));
    expect(rows.get('1e400')).toContain('"n":null');
    expect(rows.get('1e400')).not.toContain('"_extra":null');
    expect(rows.get('proto')).toContain('"__proto__":{"polluted":1}');
    expect(rows.get('twice')).toContain('"k":2');
    expect(rows.get('p ../../escape')).toContain('"_extra":{"product":"../../escape"}');
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });

  test('leave files nowhere but below the prefixes of the deliveries', async () => {
    const tops = new Set((await everyFile(place.lake)).map((path) => path.split('/')[0]));
    expect([...tops].map(String).toSorted()).toEqual(['_lakeward', '_rejected', 'flat', 'parted']);
    const partitions = await readdir(`${place.lake}/parted`);
    for (const name of partitions) expect(name).toMatch(/^[A-Za-z0-9%][A-Za-z0-9%_.-]*$/);
  });

  test.each([
    [LIMITS.recordBytesMax, 400, 'InvalidArgumentException'],
    [LIMITS.recordBytesMax + 1, 400, 'InvalidArgumentException'],
  ])('of %i bytes and a key are refused at the door', async (bytes, status, type) => {
    const record = { Data: exact(bytes).toString('base64'), PartitionKey: 'k' };
    const answer = await kinesis<{ __type: string }>(url, 'PutRecord', { StreamName: 's', ...record });
    expect([answer.status, answer.json.__type]).toEqual([status, type]);
  });
});

describe('bodies of the plain form', () => {
  const MIB_OF_BLANKS = Buffer.alloc(MIB, ' ');
  const send = async (
    body: string | Uint8Array,
    headers: Record<string, string> = {},
  ): Promise<ApiAnswer<PutAnswer & ErrorAnswer>> => {
    const all = { 'content-type': 'application/json', ...headers };
    return answerOf(await fetch(`${url}/v1/streams/s/records`, { method: 'POST', headers: all, body: body as string }));
  };
  const lines = { 'content-type': 'application/x-ndjson' };
  const taken: string[] = [];
  beforeAll(async () => {
    await must(`${url}/v1/deliveries/flat`, 'DELETE');
    await must(`${url}/v1/deliveries/parted`, 'DELETE');
    const spec = { name: 'plain', stream: 's', format: 'ndjson', layout: '', flush: { age: '1h' }, start: 'latest' };
    await must(`${url}/v1/deliveries`, 'POST', spec);
  });

  test.each<readonly [string, () => Uint8Array | string, Record<string, string>, string]>([
    ['a gzip bomb', () => gzipSync(Buffer.alloc(100 * MIB)), { 'content-encoding': 'gzip' }, '413 body-too-large'],
    [
      'a zstd bomb',
      () => zstdCompressSync(Buffer.alloc(100 * MIB), { params: { [constants.ZSTD_c_windowLog]: 20 } }),
      { 'content-encoding': 'zstd' },
      '413 body-too-large',
    ],
    [
      'a bomb in a bomb',
      () => gzipSync(gzipSync(MIB_OF_BLANKS)),
      { 'content-encoding': 'gzip, gzip' },
      '400 body-invalid',
    ],
    [
      'half a gzip',
      () => gzipSync('{"id":"half"}').subarray(0, 20),
      { 'content-encoding': 'gzip' },
      '400 body-invalid',
    ],
    ['no gzip', () => '{"id":"none"}', { 'content-encoding': 'gzip' }, '400 body-invalid'],
    ['no zstd', () => '{"id":"none"}', { 'content-encoding': 'zstd' }, '400 body-invalid'],
    ['nothing', () => '', {}, '400 body-invalid'],
    ['blanks', () => MIB_OF_BLANKS, {}, '400 body-invalid'],
    ['an array that does not end', () => '[{"id":"a"}', {}, '400 body-invalid'],
    ['an array of holes', () => '[,]', {}, '400 body-invalid'],
    ['17 MiB', () => Buffer.alloc(17 * MIB, ' '), {}, '413 body-too-large'],
    ['too many lines', () => '1\n'.repeat(LIMITS.httpRecordsMax + 1), lines, '413 body-too-large'],
  ])('%s is refused as a whole', async (_, body, headers, refusal) => {
    const answer = await send(body(), headers);
    expect(`${answer.status} ${answer.json.error.code}`).toBe(refusal);
  });

  test('of one bad record are answered with its code', async () => {
    const text = (bytes: number): string => `{"id":"large","x":"${'x'.repeat(bytes - 21)}"}`;
    expect(text(LIMITS.recordBytesMax)).toHaveLength(LIMITS.recordBytesMax);
    const cases: readonly (readonly [string | Uint8Array, string])[] = [
      [nest(100_000), 'too-deep'],
      [deepObject(100_000), 'too-deep'],
      [text(LIMITS.recordBytesMax + 1), 'record-too-large'],
      ['\ufeff{"id":"bom"}', 'not-json'],
      ['{"id":NaN}', 'not-json'],
      ['{"id":"\x1e\x1f"}', 'not-json'],
      ['7', 'not-an-object'],
      [Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), 'not-utf8'],
    ];
    for (const [body, code] of cases) {
      const answer = await send(body);
      // An array is a list of records to the plain form.
      const [first] = answer.json.records;
      expect([answer.status, answer.json.accepted, first?.code]).toEqual([207, 0, code]);
    }
    // The key counts too.
    const key = { 'x-partition-key': 'k' };
    const over = await send(text(LIMITS.recordBytesMax), key);
    expect([over.status, over.json.records[0]?.code]).toEqual([207, 'record-too-large']);
    const fits = await send(text(LIMITS.recordBytesMax - 1), key);
    expect([fits.status, fits.json.accepted]).toEqual([200, 1]);
    taken.push('large');
  });

  test('of good and bad lines: the good ones are taken, with CRLF, blank lines and without a last line end', async () => {
    const body = '{"id":"l1"}\r\n\r\n  \t\n{"id":"l2",}\r\n{"id":"l3","product":"../x"}\n\u00a0\n{"id":"l4"}';
    const answer = await send(body, lines);
    expect(answer).toMatchObject({ status: 207, json: { accepted: 3, failed: 2 } });
    expect(answer.json.records.map(({ index, code }) => [index, code])).toEqual([
      [0, undefined],
      [1, 'not-json'],
      [2, undefined],
      [3, 'not-json'],
      [4, undefined],
    ]);
    taken.push('l1', 'l3', 'l4');
  });

  test('that were answered as taken have landed, and nothing else', async () => {
    taken.push(await alive(url));
    expect(await flush(url, 'plain')).toMatchObject({ state: 'running', rows: taken.length, rejectedRows: 0 });
    expect(await landedIds(place.lake, 'plain')).toEqual(taken.toSorted());
  });
});
