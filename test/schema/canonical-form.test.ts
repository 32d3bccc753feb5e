import { expect, test } from 'vitest';
import { fingerprintOf, normalText, settledText } from '../../src/schema/canonical-form.ts';

test('fingerprints are those of other implementations', () => {
  // The table of Avro's own test data, bytes little-endian as records carry them.
  const hex = (value: bigint): string => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(value);
    return bytes.toString('hex');
  };
  expect(fingerprintOf('null')).toBe(hex(7195948357588979594n));
  expect(fingerprintOf('int')).toBe(hex(8247732601305521295n));
  expect(fingerprintOf({ type: 'string' })).toBe(hex(-8142146995180207161n));
  expect(fingerprintOf({ fields: [], name: 'foo', type: 'record', doc: 'no matter' })).toBe(hex(-4824392279771201922n));
});

test('the order of attributes and white space make no other schema, a default does', () => {
  const one = { type: 'record', name: 'R', fields: [{ name: 'a', type: 'int' }] };
  const other = { fields: [{ type: 'int', name: 'a' }], name: 'R', type: 'record' };
  expect(settledText(one)).toBe(settledText(other));
  expect(settledText(one)).not.toBe(settledText({ ...one, fields: [{ name: 'a', type: 'int', default: 1 }] }));
  expect(settledText(one)).not.toBe(settledText({ ...one, doc: 'x' }));
});

test('normalized, namespaces and wrapped primitives make no other schema', () => {
  const one = {
    type: 'record',
    name: 'R',
    namespace: 'x.y',
    fields: [
      { name: 'type', type: { type: 'int' } },
      { name: 'e', type: { type: 'enum', name: 'E', symbols: ['A'] } },
    ],
  };
  const other = {
    type: 'record',
    name: 'x.y.R',
    fields: [
      { name: 'type', type: 'int' },
      { name: 'e', type: { type: 'enum', name: 'x.y.E', symbols: ['A'] } },
    ],
  };
  expect(normalText(one)).toBe(normalText(other));
  expect(normalText(one)).not.toBe(normalText({ ...one, namespace: 'z' }));
});
