/**
 * When two schemas are the same, and the fingerprint that single-object encoding carries. A schema is kept with the order of its
 * attributes settled and nothing left out: documentation, defaults and logical types make another schema, white space does not.
 */
import { Buffer } from 'node:buffer';
import { parsingForm } from './resolved-type.ts';

/** First in this order, then the others by name. */
const ORDER = [
  'type',
  'name',
  'namespace',
  'doc',
  'aliases',
  'size',
  'symbols',
  'fields',
  'items',
  'values',
  'default',
];
/** Attributes whose values are no schemas: they stay as they are. */
const VALUES = new Set(['default', 'doc', 'aliases', 'symbols', 'name', 'namespace']);
const TYPES = new Set(['type', 'fields', 'items', 'values']);

/** The text a schema is kept as and known by. */
export function settledText(schema: unknown): string {
  return JSON.stringify(settled(schema));
}

function settled(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(settled);
  if (typeof node !== 'object' || node === null) return node;
  const given = node as Readonly<Record<string, unknown>>;
  const rest = Object.keys(given)
    .filter((key) => !ORDER.includes(key))
    .toSorted();
  const keys = [...ORDER.filter((key) => Object.hasOwn(given, key)), ...rest];
  return Object.fromEntries(keys.map((key) => [key, TYPES.has(key) ? settled(given[key]) : given[key]]));
}

/** Equal for schemas that differ in their way of writing only: full names or namespaces, `{"type":"int"}` or `"int"`. */
export function normalText(schema: unknown): string {
  return JSON.stringify(normal(schema, ''));
}

function normal(node: unknown, around: string): unknown {
  if (typeof node === 'string') return node;
  if (Array.isArray(node)) return node.map((branch) => normal(branch, around));
  const given = node as Readonly<Record<string, unknown>>;
  const name = typeof given['name'] === 'string' ? given['name'] : undefined;
  const isType = typeof given['type'] === 'string' && ['record', 'error', 'enum', 'fixed'].includes(given['type']);
  const space = isType ? spaceOf(given, around) : around;
  const entries = Object.entries(given)
    .filter(([key]) => key !== 'namespace')
    .map(([key, value]): [string, unknown] => {
      if (key === 'name' && isType && name !== undefined) return [key, full(name, space)];
      if (key === 'fields') return [key, (value as unknown[]).map((field) => normal(field, space))];
      return [key, TYPES.has(key) ? normal(value, space) : VALUES.has(key) ? value : settled(value)];
    });
  const [only] = entries;
  if (entries.length === 1 && only?.[0] === 'type') return only[1];
  return settled(Object.fromEntries(entries));
}

function spaceOf(node: Readonly<Record<string, unknown>>, around: string): string {
  const { name, namespace } = node as { name?: string; namespace?: string };
  const dot = name?.lastIndexOf('.') ?? -1;
  return dot > 0 ? (name ?? '').slice(0, dot) : (namespace ?? around);
}

function full(name: string, space: string): string {
  return name.includes('.') || space === '' ? name : `${space}.${name}`;
}

const EMPTY = 0xc15d213aa4d7a795n;
const TABLE = Array.from({ length: 256 }, (_, i) => {
  let fingerprint = BigInt(i);
  for (let bit = 0; bit < 8; bit++) fingerprint = (fingerprint >> 1n) ^ (EMPTY & -(fingerprint & 1n));
  return BigInt.asUintN(64, fingerprint);
});

/** CRC-64-AVRO as 16 hex digits, in the order of the bytes in a record. */
export function fingerprintOf(schema: unknown): string {
  let fingerprint = EMPTY;
  for (const byte of Buffer.from(parsingForm(schema))) {
    fingerprint = (fingerprint >> 8n) ^ (TABLE[Number(fingerprint & 0xffn) ^ byte] as bigint);
  }
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(fingerprint);
  return bytes.toString('hex');
}
