/**
 * Every Avro type with values at its edges: as JSON in a record, as a reader should give it back, and the types that readers should see.
 * A value read back is told in one form for all readers: whole numbers as text, bytes as hexadecimal, decimals as text, times as ISO text
 * in microseconds, maps as objects, JSON text as its value.
 */
export interface TypeCase {
  /** The Avro type; named types take a name of their own for each use. */
  readonly avro: (name: string) => unknown;
  readonly values: readonly (readonly [json: string, read: unknown])[];
  /** Files hold JSON text. */
  readonly json?: true;
  readonly duckdb: string;
  readonly arrow: string;
  readonly spark: string;
}

const logical = (type: string, logicalType: string) => () => ({ type, logicalType });
const same = (...values: (string | number | boolean)[]): [string, unknown][] =>
  values.map((value) => [JSON.stringify(value), value]);
const UUID = '0190163d-8694-7391-b7ac-4a4b6f0d5e3f';
const field = (name: string, type: unknown) => ({ name, type });
const orNull = (type: unknown) => ['null', type];

const FLAT: Readonly<Record<string, TypeCase>> = {
  boolean: { avro: () => 'boolean', values: same(true, false), duckdb: 'BOOLEAN', arrow: 'bool', spark: 'boolean' },
  int: {
    avro: () => 'int',
    values: [
      ['-2147483648', '-2147483648'],
      ['2147483647', '2147483647'],
      ['7.0', '7'],
      ['0', '0'],
    ],
    duckdb: 'INTEGER',
    arrow: 'int32',
    spark: 'int',
  },
  long: {
    avro: () => 'long',
    values: [
      ['-9223372036854775808', '-9223372036854775808'],
      ['9223372036854775807', '9223372036854775807'],
      ['9007199254740993', '9007199254740993'],
      ['1e3', '1000'],
    ],
    duckdb: 'BIGINT',
    arrow: 'int64',
    spark: 'bigint',
  },
  float: { avro: () => 'float', values: same(0.5, -3, 0.1), duckdb: 'DOUBLE', arrow: 'double', spark: 'double' },
  double: {
    avro: () => 'double',
    values: same(0.1, 1e308, 5e-324, -12345.678901234567),
    duckdb: 'DOUBLE',
    arrow: 'double',
    spark: 'double',
  },
  string: {
    avro: () => 'string',
    values: same('', 'a\u0000b\n"quoted", \\', '😀ü\u2028', 'x'.repeat(3000), 'null'),
    duckdb: 'VARCHAR',
    arrow: 'string',
    spark: 'string',
  },
  bytes: {
    avro: () => 'bytes',
    values: [
      ['""', ''],
      ['"AP8/"', '00ff3f'],
      ['"AA=="', '00'],
    ],
    duckdb: 'BLOB',
    arrow: 'binary',
    spark: 'binary',
  },
  fixed: {
    avro: (name) => ({ type: 'fixed', name, size: 3 }),
    values: [
      ['"AP8/"', '00ff3f'],
      ['"AAAA"', '000000'],
    ],
    duckdb: 'BLOB',
    arrow: 'binary',
    spark: 'binary',
  },
  duration: {
    avro: (name) => ({ type: 'fixed', name, size: 12, logicalType: 'duration' }),
    values: [['"AQAAAAIAAAADAAAA"', '010000000200000003000000']],
    duckdb: 'BLOB',
    arrow: 'binary',
    spark: 'binary',
  },
  enum: {
    avro: (name) => ({ type: 'enum', name, symbols: ['RED', 'BLUE'] }),
    values: same('RED', 'BLUE'),
    duckdb: 'VARCHAR',
    arrow: 'string',
    spark: 'string',
  },
  decimal: {
    avro: () => ({ type: 'bytes', logicalType: 'decimal', precision: 9, scale: 2 }),
    values: [
      ['"-1234567.89"', '-1234567.89'],
      ['"0001.5"', '1.50'],
      ['0.1', '0.10'],
      ['"0"', '0.00'],
    ],
    duckdb: 'DECIMAL(9,2)',
    arrow: 'decimal128(9, 2)',
    spark: 'decimal(9,2)',
  },
  decimal38: {
    avro: (name) => ({ type: 'fixed', name, size: 16, logicalType: 'decimal', precision: 38, scale: 10 }),
    values: [
      ['"1234567890123456789012345678.0123456789"', '1234567890123456789012345678.0123456789'],
      ['"-0.0000000001"', '-0.0000000001'],
    ],
    duckdb: 'DECIMAL(38,10)',
    arrow: 'decimal128(38, 10)',
    spark: 'decimal(38,10)',
  },
  uuid: {
    avro: logical('string', 'uuid'),
    values: [
      [JSON.stringify(UUID), UUID],
      [JSON.stringify(UUID.toUpperCase()), UUID],
    ],
    duckdb: 'UUID',
    arrow: 'extension<arrow.uuid>',
    spark: 'binary',
  },
  date: {
    avro: logical('int', 'date'),
    values: [
      ['"2024-02-29"', '2024-02-29'],
      ['-1', '1969-12-31'],
      ['"9999-12-31"', '9999-12-31'],
    ],
    duckdb: 'DATE',
    arrow: 'date32[day]',
    spark: 'date',
  },
  timestampMillis: {
    avro: logical('long', 'timestamp-millis'),
    values: [
      ['1795255200250', '2026-11-21T10:00:00.250000Z'],
      ['-1', '1969-12-31T23:59:59.999000Z'],
    ],
    duckdb: 'TIMESTAMP WITH TIME ZONE',
    arrow: 'timestamp[us, tz=UTC]',
    spark: 'timestamp',
  },
  timestampMicros: {
    avro: logical('long', 'timestamp-micros'),
    values: [
      ['1795255200250001', '2026-11-21T10:00:00.250001Z'],
      ['253402300799999999', '9999-12-31T23:59:59.999999Z'],
    ],
    duckdb: 'TIMESTAMP WITH TIME ZONE',
    arrow: 'timestamp[us, tz=UTC]',
    spark: 'timestamp',
  },
  timestampIso: {
    avro: logical('string', 'timestamp-iso'),
    values: [['"2026-11-21T12:00:00.250001+02:00"', '2026-11-21T10:00:00.250001Z']],
    duckdb: 'TIMESTAMP WITH TIME ZONE',
    arrow: 'timestamp[us, tz=UTC]',
    spark: 'timestamp',
  },
  localMillis: {
    avro: logical('long', 'local-timestamp-millis'),
    values: [['1795255200250', '2026-11-21T10:00:00.250000']],
    duckdb: 'TIMESTAMP',
    arrow: 'timestamp[us]',
    spark: 'timestamp_ntz',
  },
  localMicros: {
    avro: logical('long', 'local-timestamp-micros'),
    values: [['1795255200250001', '2026-11-21T10:00:00.250001']],
    duckdb: 'TIMESTAMP',
    arrow: 'timestamp[us]',
    spark: 'timestamp_ntz',
  },
  timestampNanos: {
    avro: logical('long', 'timestamp-nanos'),
    values: [['1795255200250000001', '1795255200250000001']],
    duckdb: 'BIGINT',
    arrow: 'int64',
    spark: 'bigint',
  },
  timeMillis: {
    avro: logical('int', 'time-millis'),
    values: [
      ['0', '00:00:00.000000'],
      ['86399999', '23:59:59.999000'],
      ['"10:15"', '10:15:00.000000'],
    ],
    duckdb: 'TIME',
    arrow: 'time64[us]',
    spark: 'time(6)',
  },
  timeMicros: {
    avro: logical('long', 'time-micros'),
    values: [
      ['86399999999', '23:59:59.999999'],
      ['"10:15:00.5"', '10:15:00.500000'],
    ],
    duckdb: 'TIME',
    arrow: 'time64[us]',
    spark: 'time(6)',
  },
  numbers: {
    avro: () => ['int', 'long', 'double'],
    values: same(1, 0.5, 1e300),
    duckdb: 'DOUBLE',
    arrow: 'double',
    spark: 'double',
  },
  anything: {
    avro: () => ['int', 'string', 'boolean'],
    values: same(1, 'text', true),
    json: true,
    duckdb: 'VARCHAR',
    arrow: 'string',
    spark: 'string',
  },
};

const NESTED: Readonly<Record<string, TypeCase>> = {
  record: {
    avro: (name) => ({
      type: 'record',
      name,
      fields: [
        field('a', orNull('int')),
        field('b', orNull({ type: 'record', name: `${name}B`, fields: [field('c', orNull('bytes'))] })),
        field('t', orNull({ type: 'long', logicalType: 'timestamp-millis' })),
      ],
    }),
    values: [
      ['{"a":1,"b":{"c":"AP8/"},"t":0}', { a: '1', b: { c: '00ff3f' }, t: '1970-01-01T00:00:00.000000Z' }],
      ['{"b":{"c":null}}', { a: null, b: { c: null }, t: null }],
      ['{"b":{}}', { a: null, b: { c: null }, t: null }],
      ['{}', { a: null, b: null, t: null }],
    ],
    duckdb: 'STRUCT(a INTEGER, b STRUCT(c BLOB), t TIMESTAMP WITH TIME ZONE)',
    arrow: 'struct<a: int32, b: struct<c: binary>, t: timestamp[us, tz=UTC]>',
    spark: 'struct<a:int,b:struct<c:binary>,t:timestamp>',
  },
  array: {
    avro: () => ({ type: 'array', items: orNull('long') }),
    values: [
      ['[]', []],
      ['[1,null,9223372036854775807]', ['1', null, '9223372036854775807']],
      ['[null]', [null]],
    ],
    duckdb: 'BIGINT[]',
    arrow: 'list<element: int64>',
    spark: 'array<bigint>',
  },
  arrays: {
    avro: () => ({ type: 'array', items: orNull({ type: 'array', items: { type: 'string', logicalType: 'uuid' } }) }),
    values: [
      ['[]', []],
      ['[[],null]', [[], null]],
      [`[["${UUID}"],["${UUID}","${UUID}"]]`, [[UUID], [UUID, UUID]]],
    ],
    duckdb: 'UUID[][]',
    arrow: 'list<element: list<element: extension<arrow.uuid>>>',
    spark: 'array<array<binary>>',
  },
  map: {
    avro: () => ({ type: 'map', values: orNull('double') }),
    values: [
      ['{}', {}],
      ['{"k":0.5,"":null,"ü\\"":-1}', { k: 0.5, '': null, 'ü"': -1 }],
    ],
    duckdb: 'MAP(VARCHAR, DOUBLE)',
    arrow: 'map<string, double>',
    spark: 'map<string,double>',
  },
  records: {
    avro: (name) => ({
      type: 'array',
      items: orNull({
        type: 'record',
        name,
        fields: [
          field('day', orNull({ type: 'int', logicalType: 'date' })),
          field(
            'price',
            orNull({ type: 'map', values: { type: 'bytes', logicalType: 'decimal', precision: 6, scale: 2 } }),
          ),
        ],
      }),
    }),
    values: [
      ['[]', []],
      [
        '[{"day":0,"price":{"eur":"1.5","usd":2}},null,{}]',
        [{ day: '1970-01-01', price: { eur: '1.50', usd: '2.00' } }, null, { day: null, price: null }],
      ],
      ['[{"price":{}}]', [{ day: null, price: {} }]],
    ],
    duckdb: 'STRUCT("day" DATE, price MAP(VARCHAR, DECIMAL(6,2)))[]',
    arrow: 'list<element: struct<day: date32[day], price: map<string, decimal128(6, 2)>>>',
    spark: 'array<struct<day:date,price:map<string,decimal(6,2)>>>',
  },
};

export const CASES: Readonly<Record<string, TypeCase>> = { ...FLAT, ...NESTED };

/** Which rows of so many are null. */
export const NULLS: Readonly<Record<string, (row: number, rows: number) => boolean>> = {
  none: () => false,
  all: () => true,
  some: (row) => row % 2 === 1,
  first: (row) => row === 0,
  last: (row, rows) => row === rows - 1,
};
