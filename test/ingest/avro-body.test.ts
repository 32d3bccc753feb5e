import { deflateRawSync } from 'node:zlib';
import avsc from 'avsc';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { LIMITS } from '../../src/model/limits.ts';
import { confluentHead } from '../../src/schema/record-frame.ts';
import type { OpenDoor, WireAnswer } from './open-door.ts';
import { ask, openDoor } from './open-door.ts';

const CLICK = {
  type: 'record',
  name: 'Click',
  fields: [
    { name: 'id', type: 'long' },
    { name: 'user', type: ['null', 'string'], default: null },
  ],
} as const satisfies avsc.Schema;
const type = avsc.Type.forSchema(CLICK, { wrapUnions: false });
const MARK = Buffer.alloc(16, 7);

let door: OpenDoor;
beforeEach(async () => {
  door = await openDoor();
  await ask(`${door.url}/v1/streams`, 'POST', { name: 'clicks' });
});
afterEach(() => door.close());

const post = (body: Uint8Array, headers: Record<string, string> = {}, query = ''): Promise<WireAnswer> =>
  ask(`${door.url}/v1/streams/clicks/records${query}`, 'POST', body, {
    'content-type': 'application/avro',
    ...headers,
  });
const register = (schema: unknown): Promise<WireAnswer> =>
  ask(`${door.url}/v1/schemas/clicks-value`, 'POST', { schema });
interface Stored {
  readonly partitionKey: string;
  readonly dataBase64: string;
  readonly schemaId?: number;
  readonly json?: string;
}
const stored = async (): Promise<Stored[]> =>
  (await ask(`${door.url}/v1/streams/clicks/records?from=earliest`, 'GET')).json['records'] as Stored[];
const codeOf = ({ status, json }: WireAnswer): unknown[] => [
  status,
  (json['error'] as { code?: string } | undefined)?.code,
];

/** A container as another writer would make it. */
function container(
  blocks: readonly (readonly Buffer[])[],
  { codec = 'null', schema = CLICK, mark = MARK }: { codec?: string; schema?: unknown; mark?: Buffer } = {},
): Buffer {
  const meta = avsc.Type.forSchema({ type: 'map', values: 'bytes' });
  const long = (value: number): Buffer => avsc.Type.forSchema('long').toBuffer(value);
  const head = [
    Buffer.from('Obj\u0001'),
    meta.toBuffer({ 'avro.schema': Buffer.from(JSON.stringify(schema)), 'avro.codec': Buffer.from(codec) }),
    MARK,
  ];
  const body = blocks.flatMap((records) => {
    const bytes = Buffer.concat(records);
    const packed = codec === 'deflate' ? deflateRawSync(bytes) : bytes;
    return [long(records.length), long(packed.length), packed, mark];
  });
  return Buffer.concat([...head, ...body]);
}
const click = (id: number, user: string | null = null): Buffer => type.toBuffer({ id, user });

test('a bare record is stored with the frame of the schema that the header names', async () => {
  await register(CLICK);
  const answer = await post(click(7, 'ann'), { 'lakeward-schema-id': '1' }, '?partitionKeyField=user');
  expect(answer).toMatchObject({ status: 200, json: { accepted: 1 } });
  expect(await stored()).toMatchObject([
    {
      partitionKey: 'ann',
      dataBase64: Buffer.concat([confluentHead(1), click(7, 'ann')]).toString('base64'),
      schemaId: 1,
      json: '{"id":7,"user":"ann"}',
    },
  ]);
});

test('a framed record is stored as it is', async () => {
  await register(CLICK);
  const record = Buffer.concat([confluentHead(1), click(1)]);
  expect((await post(record)).status).toBe(200);
  expect((await stored())[0]?.dataBase64).toBe(record.toString('base64'));
});

test.each(['null', 'deflate'])(
  'a container with codec %s registers its schema and stores its records one by one',
  async (codec) => {
    const body = container([[click(1, 'a'), click(2)], [click(3)]], { codec });
    const answer = await post(body, { 'content-type': 'application/vnd.apache.avro' });
    expect(answer).toMatchObject({ status: 200, json: { accepted: 3, failed: 0 } });
    expect((await stored()).map(({ json }) => `${json}`).toSorted((a, b) => (a < b ? -1 : 1))).toEqual([
      '{"id":1,"user":"a"}',
      '{"id":2,"user":null}',
      '{"id":3,"user":null}',
    ]);
    expect((await ask(`${door.url}/subjects`, 'GET')).json).toEqual(['clicks-value']);
    await post(body);
    expect((await ask(`${door.url}/subjects/clicks-value/versions`, 'GET')).json).toEqual([1]);
  },
);

test('a record without the field of its key is refused alone', async () => {
  const answer = await post(container([[click(1, 'a'), click(2)]]), {}, '?partitionKeyField=user');
  expect(answer).toMatchObject({ status: 207, json: { accepted: 1, failed: 1 } });
});

test('a container whose schema does not fit the subject is refused whole', async () => {
  await register(CLICK);
  const other = { type: 'record', name: 'Click', fields: [{ name: 'id', type: 'string' }] };
  const record = avsc.Type.forSchema(other as avsc.Schema).toBuffer({ id: 'x' });
  expect(codeOf(await post(container([[record]], { schema: other })))).toEqual([409, 'schema-incompatible']);
  expect(await stored()).toEqual([]);
});

test('what is no Avro is refused whole, with nothing stored and nothing registered', async () => {
  const good = container([[click(1)], [click(2)]]);
  const cases: (readonly [Uint8Array, Record<string, string>, number, string])[] = [
    [Buffer.from('{}'), {}, 400, 'body-invalid'],
    [click(1), {}, 400, 'body-invalid'],
    [click(1), { 'lakeward-schema-id': '5' }, 404, 'schema-not-found'],
    [click(1), { 'lakeward-schema-id': 'x' }, 404, 'schema-not-found'],
    [Buffer.concat([confluentHead(5), click(1)]), {}, 404, 'schema-not-found'],
    [good.subarray(0, -1), {}, 400, 'body-invalid'],
    [good.subarray(0, 30), {}, 400, 'body-invalid'],
    [container([[click(1)]], { mark: Buffer.alloc(16, 8) }), {}, 400, 'body-invalid'],
    [container([[click(1)]], { codec: 'snappy' }), {}, 400, 'body-invalid'],
    [container([[Buffer.from([1, 4])]]), {}, 400, 'body-invalid'],
    [container([[Buffer.concat([click(1), click(2)])]]), {}, 400, 'body-invalid'],
    [container([[]], { schema: 'int' }), {}, 400, 'schema-invalid'],
    [
      container([Array<Buffer>(LIMITS.httpRecordsMax + 1).fill(Buffer.alloc(0))], {
        schema: { type: 'record', name: 'E', fields: [] },
      }),
      {},
      413,
      'body-too-large',
    ],
    [container([[Buffer.alloc(100 << 20)]], { codec: 'deflate' }), {}, 413, 'body-too-large'],
  ];
  for (const [body, headers, status, code] of cases) expect(codeOf(await post(body, headers))).toEqual([status, code]);
  expect(await stored()).toEqual([]);
  expect((await ask(`${door.url}/subjects`, 'GET')).json).toEqual([]);
});
