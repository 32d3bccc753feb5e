/**
 * An Avro schema with its names resolved: references are the named type itself, so that walkers (compatibility, differences, decoding)
 * need no table of names. Recursive types make cycles. The Avro library has the last word on whether a schema is one; what it
 * lets pass but cannot be worked with (a record without a name) is refused here.
 */
// A CommonJS package whose exports Node cannot name.
import avsc from 'avsc';
import { LakewardError } from '../model/errors.ts';
import { LIMITS } from '../model/limits.ts';

export type Primitive = 'null' | 'boolean' | 'int' | 'long' | 'float' | 'double' | 'bytes' | 'string';

export interface Logical {
  readonly logical?: string;
  readonly precision?: number;
  readonly scale?: number;
}
interface Named {
  /** With its namespace. */
  readonly name: string;
  readonly aliases: readonly string[];
}
export interface RecordType extends Named {
  readonly kind: 'record';
  readonly fields: readonly FieldType[];
}
interface EnumType extends Named {
  readonly kind: 'enum';
  readonly symbols: readonly string[];
  readonly fallback: string | undefined;
}
export type ResolvedType =
  | ({ readonly kind: Primitive } & Logical)
  | ({ readonly kind: 'fixed'; readonly size: number } & Named & Logical)
  | EnumType
  | RecordType
  | { readonly kind: 'array'; readonly items: ResolvedType }
  | { readonly kind: 'map'; readonly values: ResolvedType }
  | { readonly kind: 'union'; readonly branches: readonly ResolvedType[] };

export interface FieldType {
  readonly name: string;
  readonly aliases: readonly string[];
  readonly type: ResolvedType;
  /** `{value}` of the default, when there is one. */
  readonly fallback: { readonly value: unknown } | undefined;
  readonly doc: string | undefined;
}

type Node = Readonly<Record<string, unknown>>;

const PRIMITIVES: ReadonlySet<string> = new Set<Primitive>([
  'null',
  'boolean',
  'int',
  'long',
  'float',
  'double',
  'bytes',
  'string',
]);
const DEPTH_MAX = 64;
const REASON_CHARS_MAX = 300;

/** Judges a schema as JSON and resolves it. Throws `schema-invalid`. */
export function resolveSchema(schema: unknown): ResolvedType {
  checkBounds(schema);
  const resolved = resolve(schema, { named: new Map(), space: '', at: '' });
  libraryType(schema);
  return resolved;
}

/** A schema that was judged when it was registered. */
export function resolveKnown(text: string): ResolvedType {
  return resolve(JSON.parse(text), { named: new Map(), space: '', at: '' });
}

/** CRC-64-AVRO is computed over this: the schema without what readers need not know. Throws `schema-invalid`. */
export function parsingForm(schema: unknown): string {
  return JSON.stringify(libraryType(schema).schema());
}

function libraryType(schema: unknown): avsc.Type {
  try {
    // A registry without a prototype, or `constructor` would be a known type.
    const registry = Object.create(null) as Record<string, avsc.Type>;
    const options = { omitRecordMethods: true, wrapUnions: 'always', registry } as const;
    return avsc.Type.forSchema(schema as Parameters<typeof avsc.Type.forSchema>[0], options);
  } catch (error) {
    throw invalid((error as Error).message, '', error);
  }
}

function checkBounds(schema: unknown): void {
  const deep = (value: unknown, level: number): boolean =>
    level > DEPTH_MAX * 2 ||
    (typeof value === 'object' && value !== null && Object.values(value).some((item) => deep(item, level + 1)));
  // An Avro type is at most two levels of JSON.
  if (deep(schema, 0)) throw invalid(`it is nested deeper than ${DEPTH_MAX} levels`, '');
  if ((JSON.stringify(schema)?.length ?? 0) > LIMITS.schemaBytesMax) {
    throw invalid(`it is longer than ${LIMITS.schemaBytesMax} bytes`, '');
  }
}

interface Scope {
  readonly named: Map<string, ResolvedType>;
  readonly space: string;
  readonly at: string;
}

function resolve(node: unknown, scope: Scope): ResolvedType {
  if (typeof node === 'string') return reference(node, scope);
  if (Array.isArray(node)) return { kind: 'union', branches: node.map((branch) => resolve(branch, scope)) };
  if (typeof node !== 'object' || node === null) {
    throw invalid(`a type is a name, a union or an object with a type, not ${JSON.stringify(node)}`, scope.at);
  }
  const given = node as Node;
  const { type } = given;
  if (typeof type === 'object' && type !== null) return resolve(type, scope);
  if (typeof type !== 'string') throw invalid('an object that is a type needs "type"', scope.at);
  if (type === 'array') return { kind: 'array', items: resolve(given['items'], { ...scope, at: `${scope.at}[]` }) };
  if (type === 'map') return { kind: 'map', values: resolve(given['values'], { ...scope, at: `${scope.at}{}` }) };
  if (PRIMITIVES.has(type)) return { kind: type as Primitive, ...logicalOf(given) };
  if (type === 'record' || type === 'error' || type === 'enum' || type === 'fixed') return define(type, given, scope);
  return reference(type, scope);
}

function reference(name: string, { named, space, at }: Scope): ResolvedType {
  if (PRIMITIVES.has(name)) return { kind: name as Primitive };
  const found = named.get(fullName(name, space)) ?? named.get(name);
  if (found === undefined) throw invalid(`the type '${name}' is not known`, at);
  return found;
}

function define(type: string, node: Node, scope: Scope): ResolvedType {
  const { name: given } = node;
  if (typeof given !== 'string' || given === '') throw invalid(`a type ${type} needs a name`, scope.at);
  const dot = given.lastIndexOf('.');
  const space = dot >= 0 ? given.slice(0, dot) : textOr(node['namespace'], scope.space);
  const name = fullName(given, space);
  const aliases = texts(node['aliases']).map((alias) => fullName(alias, space));
  if (scope.named.has(name)) throw invalid(`the name '${name}' is given twice`, scope.at);
  const inner = { ...scope, space };
  if (type === 'enum') return keep(inner, enumOf(node, { name, aliases, at: scope.at }));
  if (type === 'fixed') {
    const { size } = node;
    if (!Number.isSafeInteger(size) || (size as number) < 0) throw invalid('a fixed needs a size', scope.at);
    return keep(inner, { kind: 'fixed', name, aliases, size: size as number, ...logicalOf(node) });
  }
  const fields: FieldType[] = [];
  const record = keep(inner, { kind: 'record', name, aliases, fields });
  if (!Array.isArray(node['fields'])) throw invalid('a record needs a list of fields', scope.at);
  for (const field of node['fields'] as unknown[]) fields.push(fieldOf(field, inner));
  return record;
}

function enumOf(node: Node, { name, aliases, at }: Named & { readonly at: string }): EnumType {
  const symbols = texts(node['symbols']);
  const fallback = typeof node['default'] === 'string' ? node['default'] : undefined;
  if (symbols.length === 0) throw invalid('an enum needs a list of symbols', at);
  if (fallback !== undefined && !symbols.includes(fallback)) {
    throw invalid(`the default '${fallback}' is none of its symbols`, at);
  }
  return { kind: 'enum', name, aliases, symbols, fallback };
}

function fieldOf(field: unknown, scope: Scope): FieldType {
  const given = (typeof field === 'object' && field !== null ? field : {}) as Node;
  const { name, doc } = given;
  if (typeof name !== 'string' || name === '') {
    throw invalid(`every field needs a name, ${JSON.stringify(field)} has none`, scope.at);
  }
  const at = scope.at === '' ? name : `${scope.at}.${name}`;
  return {
    name,
    aliases: texts(given['aliases']),
    type: resolve(given['type'], { ...scope, at }),
    fallback: given['default'] === undefined ? undefined : { value: given['default'] },
    doc: typeof doc === 'string' ? doc : undefined,
  };
}

function keep(scope: Scope, type: ResolvedType & Named): ResolvedType {
  scope.named.set(type.name, type);
  return type;
}

function logicalOf(node: Node): Logical {
  const { logicalType, precision, scale } = node;
  if (typeof logicalType !== 'string') return {};
  if (logicalType !== 'decimal') return { logical: logicalType };
  // A decimal that is none counts as the type below it, as Avro says.
  const digits = typeof precision === 'number' ? precision : 0;
  const places = typeof scale === 'number' ? scale : 0;
  const isDecimal = Number.isInteger(digits) && Number.isInteger(places) && digits > 0 && places >= 0;
  return isDecimal && places <= digits ? { logical: 'decimal', precision: digits, scale: places } : {};
}

function fullName(name: string, space: string): string {
  return name.includes('.') || space === '' ? name : `${space}.${name}`;
}

function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === 'string') : [];
}

function textOr(value: unknown, otherwise: string): string {
  return typeof value === 'string' ? value : otherwise;
}

function invalid(reason: string, field: string, cause?: unknown): LakewardError {
  const subject = field === '' ? 'the Avro schema' : `'${field.slice(0, 100)}' of the Avro schema`;
  return new LakewardError('schema-invalid', `${subject} cannot be used: ${reason.slice(0, REASON_CHARS_MAX)}`, {
    cause,
    details: field === '' ? {} : { field },
  });
}
