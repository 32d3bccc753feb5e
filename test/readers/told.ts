/** Values as JavaScript readers give them, in the one form of `cases.ts`; the type says what a value stands for. */
import type { ColumnType } from '../../src/model/column-plan.ts';

type Scalar = (type: ColumnType, value: unknown) => unknown;

/** Goes down nested values; `scalar` tells the rest. */
export function told(type: ColumnType, value: unknown, scalar: Scalar): unknown {
  if (value === null || value === undefined) return null;
  switch (type.kind) {
    case 'struct': {
      const object = value as Readonly<Record<string, unknown>>;
      return Object.fromEntries(type.fields.map((field) => [field.name, told(field.type, object[field.name], scalar)]));
    }
    case 'list':
      return (value as unknown[]).map((item) => told(type.items.type, item, scalar));
    case 'map': {
      const pairs = Array.isArray(value)
        ? (value as { key: string; value: unknown }[]).map((pair): [string, unknown] => [pair.key, pair.value])
        : Object.entries(value);
      return Object.fromEntries(pairs.map(([key, one]) => [key, told(type.values.type, one, scalar)]));
    }
    default:
      return scalar(type, value);
  }
}

/** DuckDB's rows as JSON: large numbers and times are texts, bytes are escaped. */
export const duckdbScalar: Scalar = (type, value) => {
  switch (type.kind) {
    case 'bytes':
      return Buffer.from(
        String(value).replaceAll(/\\x([0-9A-F]{2})/g, (_, hex: string) =>
          String.fromCharCode(Number.parseInt(hex, 16)),
        ),
        'latin1',
      ).toString('hex');
    case 'timestamp':
      return `${inMicros(String(value).replace(' ', 'T').replace('+00', ''))}${type.local === true ? '' : 'Z'}`;
    default:
      return textScalar(type, value);
  }
};

/** Values of a text format, decoded from JSON with numbers as `{digits}`, or from a cell. */
export const textScalar: Scalar = (type, value) => {
  const plain = isDigits(value) ? value.digits : value;
  switch (type.kind) {
    case 'int':
      return String(plain);
    case 'decimal': {
      // JSON text of a decimal has no zeros at its end.
      const [whole, fraction = ''] = String(plain).split('.');
      return `${whole}.${fraction.replace(/^0$/, '').padEnd(type.scale, '0')}`;
    }
    case 'double':
      return Number(plain);
    case 'boolean':
      return plain === true || plain === 'true';
    case 'bytes':
      return Buffer.from(String(plain), 'base64').toString('hex');
    case 'time':
      return inMicros(String(plain));
    default:
      return plain;
  }
};

/** A line of NDJSON, where JSON is no text. */
export const ndjsonScalar: Scalar = (type, value) => {
  if (type.kind !== 'json') return textScalar(type, value);
  return JSON.stringify(isDigits(value) ? Number(value.digits) : value);
};

/** hyparquet with `hyparquetParsers`. */
export const hyparquetScalar: Scalar = (type, value) => {
  if (type.kind === 'int') return String(value);
  if (type.kind === 'bytes') return Buffer.from(value as Uint8Array).toString('hex');
  if (type.kind === 'timestamp') return `${String(value)}${type.local === true ? '' : 'Z'}`;
  if (type.kind === 'time') return microsText(value as bigint).slice(11);
  return value;
};

/** By default it cuts times to milliseconds. */
export const hyparquetParsers = {
  timestampFromMicroseconds: microsText,
  dateFromDays: (days: number): string => new Date(days * 86_400_000).toISOString().slice(0, 10),
};

function microsText(micros: bigint): string {
  const within = ((micros % 1000n) + 1000n) % 1000n;
  const ms = new Date(Number((micros - within) / 1000n)).toISOString().slice(0, -1);
  return `${ms}${String(within).padStart(3, '0')}`;
}

function inMicros(time: string): string {
  const [whole = '', fraction = ''] = time.split('.');
  return `${whole}.${fraction.padEnd(6, '0')}`;
}

interface Digits {
  readonly digits: string;
}

function isDigits(value: unknown): value is Digits {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, 'digits');
}

type Reviver = (key: string, value: unknown, context: { readonly source?: string }) => unknown;

/** JSON without loss: numbers as their digits. */
export function exactJson(text: string): unknown {
  const keep: Reviver = (_, value, { source }) => (typeof value === 'number' ? { digits: source } : value);
  return JSON.parse(text, keep as Parameters<typeof JSON.parse>[1]);
}
