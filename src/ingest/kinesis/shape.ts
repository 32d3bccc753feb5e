/**
 * Shapes of request members and the two passes AWS makes over them: first every JSON type (the first wrong one is a
 * SerializationException), then every constraint (up to ten are listed in one ValidationException). Members that are null count as
 * absent, unknown ones are ignored, which is what `StreamId` needs.
 */
import { WireError } from './wire-error.ts';

export interface StringShape {
  readonly kind: 'string';
  readonly min?: number;
  readonly max?: number;
  readonly pattern?: string;
  readonly accepted?: readonly string[];
}
export interface IntegerShape {
  readonly kind: 'integer';
  readonly min?: number;
  readonly max?: number;
}
export interface StructureShape {
  readonly kind: 'structure';
  readonly members: Readonly<Record<string, Shape>>;
  readonly required?: readonly string[];
}
export interface ListShape {
  readonly kind: 'list';
  readonly of: Shape;
  readonly min?: number;
  readonly max?: number;
}
export type Shape =
  | StringShape
  | IntegerShape
  | StructureShape
  | ListShape
  | { readonly kind: 'blob'; readonly max?: number }
  | { readonly kind: 'boolean' }
  | { readonly kind: 'timestamp' }
  | { readonly kind: 'map'; readonly of: Shape; readonly max?: number };

type JsonObject = Readonly<Record<string, unknown>>;

const PROBLEMS_MAX = 10;

/** Throws the WireError that AWS would answer for an input of another shape. */
export function checkInput(shape: StructureShape, input: unknown): void {
  checkType(shape, input, '');
  const problems: string[] = [];
  checkConstraints(shape, input, { path: '', problems });
  if (problems.length === 0) return;
  const listed = problems.slice(0, PROBLEMS_MAX);
  const noun = listed.length === 1 ? 'error' : 'errors';
  throw new WireError('ValidationException', `${listed.length} validation ${noun} detected: ${listed.join('; ')}`);
}

function checkType(shape: Shape, value: unknown, path: string): void {
  if (value === undefined || value === null) return;
  const wrong = (wanted: string): never => {
    const at = path === '' ? 'The request' : `'${path}'`;
    throw new WireError('SerializationException', `${at} must be ${wanted}, not ${nameOfType(value)}`);
  };
  switch (shape.kind) {
    case 'string':
      if (typeof value !== 'string') wrong('a String');
      return;
    case 'blob':
      if (typeof value !== 'string') wrong('a Blob (base64 text)');
      return;
    case 'integer':
      if (typeof value !== 'number' || !Number.isInteger(value)) wrong('an Integer');
      return;
    case 'boolean':
      if (typeof value !== 'boolean') wrong('a Boolean');
      return;
    case 'timestamp':
      if (typeof value !== 'number' || !Number.isFinite(value)) wrong('a Timestamp (seconds since the epoch)');
      return;
    case 'list':
      if (!Array.isArray(value)) wrong('a List');
      for (const [index, item] of (value as unknown[]).entries()) checkType(shape.of, item, `${path}.${index + 1}`);
      return;
    case 'map':
      if (!isObject(value)) wrong('a Map');
      for (const [key, item] of Object.entries(value as JsonObject)) checkType(shape.of, item, `${path}.${key}`);
      return;
    case 'structure':
      if (!isObject(value)) wrong('a Structure');
      for (const [name, member] of Object.entries(shape.members)) {
        checkType(member, own(value as JsonObject, name), path === '' ? name : `${path}.${name}`);
      }
  }
}

interface Findings {
  readonly path: string;
  readonly problems: string[];
}

function checkConstraints(shape: Shape, value: unknown, { path, problems }: Findings): void {
  if (value === undefined || value === null || problems.length >= PROBLEMS_MAX) return;
  const fail = (rule: string): void => {
    problems.push(`Value ${shown(shape, value)} at '${path}' failed to satisfy constraint: ${rule}`);
  };
  switch (shape.kind) {
    case 'string':
      checkString(shape, value as string, fail);
      return;
    case 'integer': {
      const number = value as number;
      if (shape.min !== undefined && number < shape.min) {
        fail(`Member must have value greater than or equal to ${shape.min}`);
      }
      if (shape.max !== undefined && number > shape.max) {
        fail(`Member must have value less than or equal to ${shape.max}`);
      }
      return;
    }
    case 'list': {
      const items = value as readonly unknown[];
      checkLength(shape, items.length, fail);
      for (const [index, item] of items.entries()) {
        checkConstraints(shape.of, item, { path: `${path}.${index + 1}.member`, problems });
      }
      return;
    }
    case 'map':
      checkLength(shape, Object.keys(value).length, fail);
      return;
    case 'structure':
      checkStructure(shape, value as JsonObject, { path, problems });
      return;
    case 'blob':
    case 'boolean':
    case 'timestamp':
  }
}

function checkStructure(shape: StructureShape, value: JsonObject, { path, problems }: Findings): void {
  for (const [name, member] of Object.entries(shape.members)) {
    const at = (path === '' ? '' : `${path}.`) + name.charAt(0).toLowerCase() + name.slice(1);
    const item = own(value, name) ?? undefined;
    if (item === undefined && shape.required?.includes(name) === true) {
      problems.push(`Value null at '${at}' failed to satisfy constraint: Member must not be null`);
    }
    checkConstraints(member, item, { path: at, problems });
  }
}

function checkString(shape: StringShape, value: string, fail: (rule: string) => void): void {
  checkLength(shape, value.length, fail);
  if (shape.pattern !== undefined && !new RegExp(`^(?:${shape.pattern})$`).test(value)) {
    fail(`Member must satisfy regular expression pattern: ${shape.pattern}`);
  }
  if (shape.accepted !== undefined && !shape.accepted.includes(value)) {
    fail(`Member must satisfy enum value set: [${shape.accepted.join(', ')}]`);
  }
}

function checkLength(
  { min, max }: { readonly min?: number; readonly max?: number },
  length: number,
  fail: (rule: string) => void,
): void {
  if (min !== undefined && length < min) fail(`Member must have length greater than or equal to ${min}`);
  if (max !== undefined && length > max) fail(`Member must have length less than or equal to ${max}`);
}

function shown(shape: Shape, value: unknown): string {
  const text = shape.kind === 'list' || shape.kind === 'map' ? '[…]' : String(value);
  return `'${text.length > 200 ? `${text.slice(0, 200)}…` : text}'`;
}

function own(value: JsonObject, name: string): unknown {
  return Object.hasOwn(value, name) ? value[name] : undefined;
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function nameOfType(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'number') return Number.isInteger(value) ? 'an integer' : 'a number';
  return typeof value === 'object' ? 'a structure' : `a ${typeof value}`;
}

/** Members that nearly every action takes. */
export const STREAM_NAME: StringShape = { kind: 'string', min: 1, max: 128, pattern: '[a-zA-Z0-9_.-]+' };
export const STREAM_ARN: StringShape = {
  kind: 'string',
  min: 1,
  max: 2048,
  pattern: 'arn:aws.*:kinesis:.*:\\d{12}:stream/\\S+',
};
export const SHARD_ID: StringShape = { kind: 'string', min: 1, max: 128, pattern: '[a-zA-Z0-9_.-]+' };
export const SEQUENCE_NUMBER: StringShape = { kind: 'string', pattern: '0|([1-9]\\d{0,128})' };
export const HASH_KEY: StringShape = { kind: 'string', pattern: '0|([1-9]\\d{0,38})' };
export const PARTITION_KEY: StringShape = { kind: 'string', min: 1, max: 256 };
export const TOKEN: StringShape = { kind: 'string', min: 1, max: 1_048_576 };
