/**
 * Values that steer a row (event time, fields of the layout) by path: `a.b` reaches into objects. A path's head may be a column or
 * a key of its own; it becomes a slot of the record scan, and only records where the path goes deeper are parsed for it.
 */
import { KIND } from './json-scan.ts';
import type { RecordMembers } from './record-members.ts';

export interface FieldPath {
  readonly field: string;
  /** Slot of the first name, or -1 when it is no column: then it is among the other members. */
  readonly slot: number;
  readonly head: string;
  readonly rest: readonly string[];
}

export interface FieldText {
  readonly type: 'string' | 'number' | 'boolean' | 'nested';
  /** The text of a string, number or boolean; undefined for objects and arrays. */
  readonly text: string | undefined;
}

export function fieldPath(field: string, slots: readonly string[]): FieldPath {
  const [head = '', ...rest] = field.split('.');
  return { field, slot: slots.indexOf(head), head, rest };
}

/** The value at a path of the record scanned last, or null when it is missing or null. */
export function fieldText(bytes: Buffer, members: RecordMembers, path: FieldPath): FieldText | null {
  let from = members.from[path.slot] ?? 0;
  let to = members.to[path.slot] ?? 0;
  if (path.slot === -1) {
    const other = members.other(path.head);
    if (other === undefined) return null;
    ({ from, to } = other);
  } else if (members.kind[path.slot] === KIND.none) {
    return null;
  }
  if (path.rest.length === 0 && members.kind[path.slot] === KIND.text) {
    return { type: 'string', text: bytes.toString('utf8', from + 1, to - 1) };
  }
  const raw = bytes.toString('utf8', from, to);
  if (path.rest.length === 0) return textOf(JSON.parse(raw) as unknown, raw);
  const value = within(JSON.parse(raw), path.rest);
  if (typeof value !== 'number' || Number.isSafeInteger(value)) return textOf(value, undefined);
  // A number of more digits than one holds would be taken for its neighbours: read again for the digits.
  const digits = within(JSON.parse(raw, asWritten), path.rest) as string;
  return { type: 'number', text: digits.length > DIGITS_EXACT ? digits : String(value) };
}

/** Numbers of so many characters are exact. */
const DIGITS_EXACT = 15;

function asWritten(_key: string, value: unknown, context?: { readonly source?: string }): unknown {
  return typeof value === 'number' ? (context?.source ?? String(value)) : value;
}

/** The value deeper in an object; null when there is none. */
function within(object: unknown, names: readonly string[]): unknown {
  let value = object;
  for (const name of names) {
    if (typeof value !== 'object' || value === null || Array.isArray(value) || !Object.hasOwn(value, name)) return null;
    value = (value as Readonly<Record<string, unknown>>)[name];
  }
  return value;
}

/** `raw` keeps the digits of a number as they were written. */
function textOf(value: unknown, raw: string | undefined): FieldText | null {
  if (value === null || value === undefined) return null;
  if (typeof value === 'string') return { type: 'string', text: value };
  if (typeof value === 'boolean') return { type: 'boolean', text: String(value) };
  if (typeof value === 'number') return { type: 'number', text: raw ?? String(value) };
  return { type: 'nested', text: undefined };
}
