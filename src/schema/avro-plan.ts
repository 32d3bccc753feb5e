/**
 * From an Avro record schema to the columns of a delivery. The schema says which columns there are and of which type; the records
 * stay JSON, so each Avro type stands for the JSON form that producers send:
 *
 *   boolean, int, long, float, double, string   as in JSON          enum     one of its symbols, as text
 *   bytes, fixed                                base64 text         date     `2026-01-31`, or days since the epoch (int)
 *   decimal (bytes, fixed)                      text or number      uuid     its text (string)
 *   timestamp-millis, -micros, -seconds (long)  number since the epoch, in that unit; `local-` forms, without a zone, too
 *   time-millis (int), time-micros (long)       `10:15:00.5`, or a number since midnight in that unit
 *   timestamp-iso (string)                      ISO-8601 text: an addition of ours, Avro readers see a string
 *   record, array, map                          object, array, object
 *   unions of numbers                           a number, of the widest of them
 *   other unions                                any JSON, kept as JSON text
 *
 * `["null", T]` makes a column, field, item or value that may be null. Defaults are for Avro readers; a record without a value is not
 * given one. Any other logical type counts as the type below it, as Avro says: nanoseconds as a long, a duration as its bytes. JSON
 * text takes what no file can hold otherwise: a record inside of itself, without fields, or with fields that differ in case only, and
 * what is nested or wide beyond bounds.
 */
// A CommonJS package whose exports Node cannot name.
import avsc from 'avsc';
import type { ColumnPlan, ColumnType, Element } from '../model/column-plan.ts';
import { EXTRA_COLUMN } from '../model/column-plan.ts';
import { LakewardError } from '../model/errors.ts';
import { KIB, LIMITS } from '../model/limits.ts';
import type { AvroField, AvroNode, AvroObject, AvroShape, AvroTypes } from './avro-types.ts';
import { avroTypes, formFault } from './avro-types.ts';

/** Bounds of one schema, as JSON text. */
const SCHEMA_BYTES_MAX = 512 * KIB;
const SCHEMA_DEPTH_MAX = 64;
const DECIMAL_DIGITS_MAX = 38;
const REASON_CHARS_MAX = 200;
/** Records, arrays and maps inside each other that become nested columns. */
const NESTING_MAX = 16;

const JSON_TEXT: ColumnType = { kind: 'json' };
const PRIMITIVES: Readonly<Record<string, ColumnType>> = {
  boolean: { kind: 'boolean' },
  int: { kind: 'int', bits: 32 },
  long: { kind: 'int', bits: 64 },
  float: { kind: 'double' },
  double: { kind: 'double' },
  string: { kind: 'string' },
  bytes: { kind: 'bytes' },
  fixed: { kind: 'bytes' },
};

/** `<type>:<logical type>`. */
const LOGICAL: Readonly<Record<string, ColumnType>> = {
  'int:date': { kind: 'date' },
  'long:timestamp-seconds': { kind: 'timestamp', from: 's' },
  'long:timestamp-millis': { kind: 'timestamp', from: 'ms' },
  'long:timestamp-micros': { kind: 'timestamp', from: 'us' },
  'long:local-timestamp-millis': { kind: 'timestamp', from: 'ms', local: true },
  'long:local-timestamp-micros': { kind: 'timestamp', from: 'us', local: true },
  'int:time-millis': { kind: 'time', from: 'ms' },
  'long:time-micros': { kind: 'time', from: 'us' },
  'string:timestamp-iso': { kind: 'timestamp', from: 'iso' },
  'string:uuid': { kind: 'uuid' },
};

/** Version 1 of a plan that rejects rows which do not fit. Throws `schema-invalid`, naming the field in `details.field`. */
export function planFromAvro(avro: unknown): ColumnPlan {
  const record = recordOf(avro);
  validate(record);
  const types = avroTypes(record);
  // Every column has room for one of the file; the rest is for nested ones, in their order.
  const place: Place = { types, open: [record], room: { columns: LIMITS.columnsMax - record.fields.length } };
  const columns = record.fields.map(({ name, type }) => ({ name, ...elementOf(type, { ...place, field: name }) }));
  return { version: 1, columns, misfit: 'reject' };
}

type RecordSchema = AvroObject & { readonly fields: readonly AvroField[] };

/** Bounds and what can be said better than the Avro library says it, before that library sees the schema. */
function recordOf(avro: unknown): RecordSchema {
  if (depthOf(avro) > SCHEMA_DEPTH_MAX) throw invalid(`it is nested deeper than ${SCHEMA_DEPTH_MAX} levels`);
  if (JSON.stringify(avro ?? null).length > SCHEMA_BYTES_MAX)
    throw invalid(`it is longer than ${SCHEMA_BYTES_MAX} bytes`);
  const record = avro as Partial<RecordSchema> | null | undefined;
  if (typeof record !== 'object' || record === null || record.type !== 'record') {
    throw invalid('it must be an Avro record: {"type": "record", "name": …, "fields": […]}');
  }
  const { fields } = record;
  if (!Array.isArray(fields) || fields.length === 0) throw invalid('its fields must be a list of at least one');
  if (fields.length > LIMITS.columnsMax) throw invalid(`it has ${fields.length} fields, at most ${LIMITS.columnsMax}`);
  checkNames(fields);
  return record as RecordSchema;
}

function checkNames(fields: readonly Partial<AvroField>[]): void {
  // Column names differ by more than case, or query engines cannot tell them apart.
  const seen = new Map<string, string>();
  for (const field of fields) {
    const name: unknown = field?.name;
    if (typeof name !== 'string') throw invalid(`every field needs a name, ${short(JSON.stringify(field))} has none`);
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name))
      throw invalid('a name is letters, digits and _, and no digit first', name);
    if (name === EXTRA_COLUMN) throw invalid('the name is taken for what has no column of its own', name);
    const same = seen.get(name.toLowerCase());
    if (same !== undefined) throw invalid(`it differs from '${same}' at most in case`, name);
    seen.set(name.toLowerCase(), name);
  }
}

/** Has the Avro library judge the schema; the field at fault is found by trying ever fewer of them. */
function validate(record: RecordSchema): void {
  for (const { name, type } of record.fields) {
    const misformed = formFault(type);
    if (misformed !== undefined) throw invalid(misformed, name);
  }
  const fault = faultOf(record, record.fields.length);
  if (fault === undefined) return;
  let good = 0;
  let bad = record.fields.length;
  while (bad - good > 1) {
    const middle = (good + bad) >>> 1;
    if (faultOf(record, middle) === undefined) good = middle;
    else bad = middle;
  }
  const withoutFields = faultOf(record, 0);
  if (withoutFields !== undefined) throw invalid(withoutFields.message, undefined, withoutFields);
  const first = faultOf(record, bad) ?? fault;
  throw invalid(first.message, record.fields[good]?.name, first);
}

function faultOf(record: RecordSchema, fieldCount: number): Error | undefined {
  try {
    const part = { ...record, fields: record.fields.slice(0, fieldCount) };
    // A registry without a prototype, or `constructor` would be a known type.
    const registry = Object.create(null) as Record<string, avsc.Type>;
    const options = { omitRecordMethods: true, wrapUnions: 'always', registry } as const;
    avsc.Type.forSchema(part as Parameters<typeof avsc.Type.forSchema>[0], options);
    return undefined;
  } catch (error) {
    return error as Error;
  }
}

/** Where in the schema a type stands. */
interface Place {
  readonly types: AvroTypes;
  /** Records around it: none of them can be a column inside of itself. */
  readonly open: readonly AvroObject[];
  /** Columns that a file may still get beyond one a field. */
  readonly room: { columns: number };
  readonly namespace?: string;
  /** Path for people. */
  readonly field?: string;
}

function elementOf(node: AvroNode, place: Place): Element {
  const shape = place.types.shapeOf(node, place.namespace);
  const branches = shape.kind === 'union' ? shape.branches : [node];
  const values = branches.filter((branch) => !isNull(branch, place));
  const nullable = values.length < branches.length;
  const [only, ...others] = values;
  if (only === undefined) return { type: JSON_TEXT, nullable };
  if (others.length === 0) return { type: typeOf(only, place), nullable };
  const { columns } = place.room;
  const type = widest(values.map((value) => typeOf(value, place))) ?? JSON_TEXT;
  place.room.columns = columns;
  return { type, nullable };
}

/** The number that holds all of these, when they are numbers. */
function widest(types: readonly ColumnType[]): ColumnType | undefined {
  if (!types.every(({ kind }) => kind === 'int' || kind === 'double')) return undefined;
  const double = types.find(({ kind }) => kind === 'double');
  return double ?? types.find((type) => type.kind === 'int' && type.bits === 64) ?? types[0];
}

function isNull(node: AvroNode, { types, namespace }: Place): boolean {
  const shape = types.shapeOf(node, namespace);
  return shape.kind === 'type' && shape.name === 'null';
}

function typeOf(node: AvroNode, place: Place): ColumnType {
  const shape = place.types.shapeOf(node, place.namespace);
  if (shape.kind === 'union') return JSON_TEXT;
  const { name, node: attributes } = shape;
  if (name === 'enum') return { kind: 'enum', symbols: attributes.symbols ?? [] };
  if (attributes.logicalType === 'decimal' && (name === 'bytes' || name === 'fixed'))
    return decimalOf(place.field ?? '', attributes);
  const flat = LOGICAL[`${name}:${attributes.logicalType}`] ?? PRIMITIVES[name];
  return flat ?? nestedOf(shape, place) ?? JSON_TEXT;
}

/** Undefined for what can only be JSON text. */
function nestedOf({ name, node, namespace }: AvroShape & { kind: 'type' }, around: Place): ColumnType | undefined {
  if (around.open.length > NESTING_MAX || around.open.includes(node)) return undefined;
  const place = { ...around, open: [...around.open, node], namespace };
  if (name === 'array') return { kind: 'list', items: elementOf(node.items ?? 'null', place) };
  if (name === 'map') return { kind: 'map', values: elementOf(node.values ?? 'null', place) };
  const fields = node.fields ?? [];
  const names = new Set(fields.map((field) => field.name.toLowerCase()));
  if (fields.length === 0 || names.size < fields.length || fields.length - 1 > place.room.columns) return undefined;
  place.room.columns -= fields.length - 1;
  return {
    kind: 'struct',
    fields: fields.map((field) => ({
      name: field.name,
      ...elementOf(field.type, { ...place, field: `${place.field}.${field.name}` }),
    })),
  };
}

function decimalOf(field: string, { precision, scale = 0 }: AvroObject): ColumnType {
  const good =
    Number.isInteger(precision) &&
    Number.isInteger(scale) &&
    (precision ?? 0) >= 1 &&
    (precision ?? 0) <= DECIMAL_DIGITS_MAX &&
    scale >= 0 &&
    scale <= (precision ?? 0);
  if (good) return { kind: 'decimal', precision: precision ?? 0, scale };
  throw invalid(`a decimal has a precision from 1 to ${DECIMAL_DIGITS_MAX} and a scale from 0 to its precision`, field);
}

/** Nesting of a JSON value, counted no further than matters. */
function depthOf(value: unknown, level = 0): number {
  if (typeof value !== 'object' || value === null || level > SCHEMA_DEPTH_MAX) return level;
  return Object.values(value).reduce<number>((deepest, item) => Math.max(deepest, depthOf(item, level + 1)), level + 1);
}

function invalid(reason: string, field?: string, cause?: unknown): LakewardError {
  const subject = field === undefined ? 'the Avro schema' : `field '${short(field)}' of the Avro schema`;
  return new LakewardError('schema-invalid', `${subject} cannot be used: ${short(reason)}`, {
    cause,
    details: field === undefined ? {} : { field },
  });
}

function short(text: string): string {
  return text.length > REASON_CHARS_MAX ? `${text.slice(0, REASON_CHARS_MAX)}…` : text;
}
