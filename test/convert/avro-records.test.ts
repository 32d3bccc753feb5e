/** Records that are Avro, beside JSON ones, through the real engine. */
import avsc from 'avsc';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { SchemaText } from '../../src/model/schema.ts';
import { planFromAvro } from '../../src/schema/avro-plan.ts';
import { fingerprintOf } from '../../src/schema/canonical-form.ts';
import { confluentHead } from '../../src/schema/record-frame.ts';
import type { Bench } from './records.ts';
import { allRows, batchOf, bench, rejectedRows, source } from './records.ts';

const schemaText = (id: number, schema: object): SchemaText => ({
  is: 'schema',
  id,
  text: JSON.stringify(schema),
  fingerprint: fingerprintOf(schema),
  createdMs: 0,
});
const field = (name: string, type: unknown): object => ({ name, type });
const V1 = { type: 'record', name: 'Click', fields: [field('id', 'long'), field('page', ['null', 'string'])] };
const V2 = {
  type: 'record',
  name: 'Click',
  fields: [
    field('id', 'long'),
    field('page', ['null', 'string']),
    field('price', { type: 'bytes', logicalType: 'decimal', precision: 9, scale: 2 }),
    field('at', { type: 'long', logicalType: 'timestamp-millis' }),
  ],
};
const registered = [schemaText(1, V1), schemaText(2, V2)];

function framed(id: number, schema: object, value: object): Buffer {
  return Buffer.concat([confluentHead(id), avsc.Type.forSchema(schema as avsc.Schema).toBuffer(value)]);
}

let made: Bench;
beforeAll(async () => {
  made = await bench({ schemas: () => registered });
});
afterAll(() => made.close());

const MIXED = [
  { id: 1, page: 'json' },
  framed(1, V1, { id: 2, page: 'ü "quoted"' }),
  framed(2, V2, { id: 3, page: null, price: Buffer.from([0x04, 0xd2]), at: 1_700_000_000_123 }),
  Buffer.concat([
    Buffer.from(`c301${fingerprintOf(V1)}`, 'hex'),
    avsc.Type.forSchema(V1 as avsc.Schema).toBuffer({ id: 4, page: null }),
  ]),
];

it('lands JSON and Avro of several schemas in one file, every row typed', async () => {
  const plan = { ...planFromAvro(V2), columns: planFromAvro(V2).columns.map((one) => ({ ...one, nullable: true })) };
  const result = await made.converter.convert(await made.job({ plan }), source(batchOf(MIXED)));
  expect(result).toMatchObject({ rows: 4, rejected: undefined, extraRows: 0 });
  expect(result.files).toHaveLength(1);
  const rows = await allRows(result);
  expect(rows.map((row) => ({ ...row, _extra: undefined }))).toMatchObject([
    { id: 1n, page: 'json', price: null },
    { id: 2n, page: 'ü "quoted"', price: null },
    { id: 3n, page: null, price: 12.34, at: new Date(1_700_000_000_123) },
    { id: 4n, page: null },
  ]);
});

it('rejects what it cannot read with its own code, keeps the bytes, and sees schemas that came later', async () => {
  const plan = planFromAvro(V1);
  const unknown = framed(3, V1, { id: 5, page: 'later' });
  const broken = framed(1, V1, { id: 6, page: 'cut' }).subarray(0, -1);
  const missing = framed(2, { type: 'record', name: 'Click', fields: [] }, {});
  const batch = batchOf([unknown, broken, missing, { id: 7, page: null }]);
  const first = await made.converter.convert(await made.job({ plan }), source(batch));
  expect(first.rows).toBe(1);
  const rows = await rejectedRows(first);
  expect(rows.map(({ code, offset, data }) => [code, offset, data])).toEqual([
    ['schema-unknown', 0, unknown.toString('base64')],
    ['not-avro', 1, broken.toString('base64')],
    ['not-avro', 2, missing.toString('base64')],
  ]);
  expect(rows[0]?.reason).toBe('no schema 3 is registered');
  registered.push(schemaText(3, V1));
  const second = await made.converter.convert(await made.job({ plan }), source(batch));
  expect(second.rows).toBe(2);
});

it('puts values without a column into the extra one, and takes event time and partition from decoded fields', async () => {
  const eventTime = { from: 'field', field: 'at', form: 'ms' } as const;
  const given = await made.job({ plan: planFromAvro(V1), eventTime, layout: 'page={page}/y={yyyy}/' });
  const value = { id: 3, page: 'a', price: Buffer.from([1]), at: 1_700_000_000_123 };
  const result = await made.converter.convert(given, source(batchOf([framed(2, V2, value)])));
  expect(result).toMatchObject({
    rows: 1,
    extraRows: 1,
    files: [{ partition: 'page=a/y=2023', eventMinMs: value.at }],
  });
  expect((await allRows(result))[0]?.['_extra']).toBe('{"price":"0.01","at":1700000000123}');
});

it('infers columns from Avro records as from JSON ones', async () => {
  const plan = await made.converter.infer([batchOf(MIXED)]);
  expect(plan.columns.map(({ name, type }) => [name, type.kind])).toEqual([
    ['id', 'int'],
    ['page', 'string'],
    ['price', 'string'],
    ['at', 'int'],
  ]);
});

it('leaves Avro records as they are in raw files', async () => {
  const given = await made.job({
    plan: { version: 0, columns: [], misfit: 'extra' },
    format: 'raw',
    compression: 'none',
  });
  const result = await made.converter.convert(given, source(batchOf(MIXED.slice(1))));
  expect(result).toMatchObject({ rows: 3, rejected: undefined });
});
