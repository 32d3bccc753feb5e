import avsc from 'avsc';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { avroToJson } from '../../src/schema/avro-json.ts';
import { AvroDataError } from '../../src/schema/avro-data-error.ts';
import { fingerprintOf } from '../../src/schema/canonical-form.ts';
import { jsonSink } from '../../src/schema/json-sink.ts';
import { confluentHead, isFramed, recordDecoder } from '../../src/schema/record-frame.ts';
import { resolveSchema } from '../../src/schema/resolved-type.ts';
import { record, schemas } from './schema-examples.ts';

const libraryType = (schema: unknown): avsc.Type =>
  avsc.Type.forSchema(schema as avsc.Schema, { wrapUnions: 'always', registry: Object.create(null) });

function jsonOf(schema: unknown, bytes: Uint8Array, bytesMax = 1 << 20): string {
  const sink = jsonSink(bytesMax);
  const end = avroToJson(resolveSchema(schema), sink)(Buffer.from(bytes), 0, bytes.length);
  expect(end).toBe(bytes.length);
  return sink.bytes.toString('utf8', 0, sink.used);
}
const faultOf = (schema: unknown, bytes: readonly number[], bytesMax?: number): string => {
  try {
    return jsonOf(schema, Uint8Array.from(bytes), bytesMax);
  } catch (error) {
    if (error instanceof AvroDataError) return `${error.code}: ${error.message}`;
    throw error;
  }
};

/** A value of the library as the JSON we make: unions unwrapped, bytes as base64. */
function plain(value: unknown): unknown {
  if (Buffer.isBuffer(value)) return value.toString('base64');
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
  if (typeof value !== 'object' || value === null) return value;
  if ('unwrap' in value) return plain(Object.values(value as object)[0]);
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)]));
}

test('values come out as those the Avro library reads', () => {
  fc.assert(
    fc.property(schemas, (schema) => {
      const type = libraryType(schema);
      const value: unknown = type.random();
      expect(JSON.parse(jsonOf(schema, type.toBuffer(value)))).toEqual(plain(type.clone(value)));
    }),
    { numRuns: 500 },
  );
});

test('any bytes are JSON or refused, and never more than the bound', () => {
  fc.assert(
    fc.property(schemas, fc.uint8Array({ maxLength: 40 }), (schema, bytes) => {
      const sink = jsonSink(10_000);
      try {
        avroToJson(resolveSchema(schema), sink)(Buffer.from(bytes), 0, bytes.length);
      } catch (error) {
        expect(error).toBeInstanceOf(AvroDataError);
        return;
      }
      expect(sink.used).toBeLessThanOrEqual(10_000);
      JSON.parse(sink.bytes.toString('utf8', 0, sink.used));
    }),
    { numRuns: 1000 },
  );
});

describe('a value keeps what it is', () => {
  const long = (text: string): string => {
    const bytes: number[] = [];
    const value = BigInt(text);
    let folded = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n));
    for (; folded > 0x7fn; folded >>= 7n) bytes.push(Number(folded & 0x7fn) | 0x80);
    return jsonOf('long', Uint8Array.from([...bytes, Number(folded)]));
  };
  test('a long to its last digit', () => {
    for (const text of [
      '0',
      '-1',
      '9007199254740993',
      '-9007199254740993',
      '9223372036854775807',
      '-9223372036854775808',
    ])
      expect(long(text)).toBe(text);
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (value) => {
        expect(long(String(value))).toBe(String(value));
      }),
    );
  });

  test('a decimal as text', () => {
    const decimal = (scale: number, ...bytes: number[]): string =>
      jsonOf(
        { type: 'bytes', logicalType: 'decimal', precision: 9, scale },
        Uint8Array.from([bytes.length * 2, ...bytes]),
      );
    expect(decimal(2, 0x04, 0xd2)).toBe('"12.34"');
    expect(decimal(2, 0xfb, 0x2e)).toBe('"-12.34"');
    expect(decimal(2, 0x05)).toBe('"0.05"');
    expect(decimal(0, 0xff)).toBe('"-1"');
    expect(decimal(3)).toBe('"0"');
  });

  test('texts with quotes, controls and any letters; numbers that JSON has not, as text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(JSON.parse(jsonOf('string', libraryType('string').toBuffer(text)))).toBe(text);
      }),
    );
    expect(jsonOf('double', libraryType('double').toBuffer(Number.NaN))).toBe('"NaN"');
    expect(jsonOf('double', libraryType('double').toBuffer(-0))).toBe('-0');
    expect(jsonOf('float', libraryType('float').toBuffer(Number.NEGATIVE_INFINITY))).toBe('"-Infinity"');
  });
});

test('what is not of its schema is refused with the place', () => {
  expect(faultOf('string', [4, 0x61])).toBe('not-avro: it ends too early (at byte 1)');
  expect(faultOf('string', [2, 0xff])).toContain('not valid UTF-8');
  expect(faultOf('string', [6, 0xff, 0x22, 0x22])).toContain('not valid UTF-8');
  expect(faultOf('string', [1])).toContain('a length below 0');
  expect(faultOf('boolean', [2])).toContain('neither 0 nor 1');
  expect(faultOf('int', [0x80, 0x80, 0x80, 0x80, 0x20])).toContain('more than 32 bits');
  expect(faultOf('long', Array<number>(11).fill(0xff))).toContain('more than 64 bits');
  expect(faultOf(['null', 'int'], [4])).toContain('no such branch');
  expect(faultOf({ type: 'enum', name: 'E', symbols: ['A'] }, [2])).toContain('no such symbol');
  expect(faultOf({ type: 'array', items: 'null' }, [0x80, 0x80, 0x80, 0x80, 0x10, 0], 1000)).toContain('too-large');
  expect(faultOf({ type: 'array', items: record({}) }, [0xfe, 0xff, 0xff, 0xff, 0x1f, 0], 1000)).toContain('too-large');
  const list = { type: 'record', name: 'L', fields: [{ name: 'next', type: ['null', 'L'] }] };
  expect(faultOf(list, Array<number>(5000).fill(2))).toContain('nested deeper');
  expect(jsonOf(list, Uint8Array.from([2, 2, 0]))).toBe('{"next":{"next":{"next":null}}}');
});

describe('a framed record', () => {
  const schema = record({ a: 'int' });
  const text = {
    is: 'schema',
    id: 7,
    text: JSON.stringify(schema),
    fingerprint: fingerprintOf(schema),
    createdMs: 0,
  } as const;
  const decoder = recordDecoder(() => [{ ...text, id: 9, text: '"int"' }, text].toReversed());
  const read = (...bytes: Uint8Array[]): string => {
    const whole = Buffer.concat(bytes);
    expect(isFramed(whole, 0, whole.length)).toBe(true);
    const result = decoder.decode(whole, 0, whole.length);
    if (result.code !== undefined) return `${result.code}: ${result.reason}`;
    return `${result.schemaId} ${result.json.toString('utf8', 0, result.jsonEnd)}`;
  };
  const body = Uint8Array.of(84);

  test('names its schema by id, or by the fingerprint of the first that has it', () => {
    expect(read(confluentHead(7), body)).toBe('7 {"a":42}');
    expect(read(Buffer.from(`c301${text.fingerprint}`, 'hex'), body)).toBe('7 {"a":42}');
  });

  test('is told apart when its schema is unknown, its bytes do not fit or go on', () => {
    expect(read(confluentHead(8), body)).toBe('schema-unknown: no schema 8 is registered');
    expect(read(Buffer.from('c3010000000000000000', 'hex'), body)).toContain(
      'schema-unknown: no schema with the finger',
    );
    expect(read(confluentHead(7))).toBe('not-avro: with schema 7: it ends too early (at byte 5)');
    expect(read(confluentHead(7), body, body)).toBe('not-avro: with schema 7: 1 bytes follow the value');
  });

  test('is never taken for JSON, nor JSON for one', () => {
    for (const json of ['{}', '  {"a":1}', '', '"\u00c3\u0001 some long text"'].map((one) => Buffer.from(one))) {
      expect(isFramed(json, 0, json.length)).toBe(false);
    }
    expect(isFramed(Buffer.from('x\u0000\u0000\u0000\u0000'), 1, 5)).toBe(false);
  });
});
