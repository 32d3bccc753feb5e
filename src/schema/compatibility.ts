/**
 * Whether records written with one schema can be read with another, by Avro's rules of schema resolution, and where not. The Avro
 * library says no without naming the field, knows no default symbol of an enum and reads a decimal with another scale as if nothing
 * were wrong; a test holds both to the same verdict everywhere else.
 */
import type { CompatibilityMode } from '../model/schema.ts';
import type { Incompatibility } from '../ports/schemas.ts';
import type { FieldType, RecordType, ResolvedType } from './resolved-type.ts';

export type Problem = Omit<Incompatibility, 'version'>;

/** More are not told: the first few are what is mended. */
const PROBLEMS_MAX = 50;
const DEPTH_MAX = 256;

const PROMOTED: Readonly<Record<string, readonly string[]>> = {
  long: ['int'],
  float: ['int', 'long'],
  double: ['int', 'long', 'float'],
  string: ['bytes'],
  bytes: ['string'],
};

/** Everything that keeps the reader from reading what the writer wrote; nothing when it can. */
export function readProblems(reader: ResolvedType, writer: ResolvedType): Problem[] {
  const found: Problem[] = [];
  compare(reader, writer, { path: '', depth: 0, found, known: new Map() });
  return found;
}

interface Walk {
  readonly path: string;
  readonly depth: number;
  readonly found: Problem[];
  /**
   * Problems of the pairs of records met, so that none is compared twice: a pair that is under comparison has none yet, for a recursive
   * type fits if it fits elsewhere.
   */
  readonly known: Map<ResolvedType, Map<ResolvedType, readonly Problem[]>>;
}

function compare(reader: ResolvedType, writer: ResolvedType, walk: Walk): void {
  if (walk.depth > DEPTH_MAX) note(walk, 'TYPE_MISMATCH', `types are nested deeper than ${DEPTH_MAX} levels`);
  else if (writer.kind === 'union') for (const branch of writer.branches) compare(reader, branch, inside(walk, ''));
  else if (reader.kind === 'union') {
    if (reader.branches.some((branch) => fits(branch, writer, walk))) return;
    const takes = reader.branches.map(nameOf).join(', ');
    note(walk, 'MISSING_UNION_BRANCH', `the reader takes ${takes}; none of them reads ${nameOf(writer)}`);
  } else if (reader.kind === writer.kind) compareSameKind(reader, writer, walk);
  else if (PROMOTED[reader.kind]?.includes(writer.kind) !== true) {
    note(walk, 'TYPE_MISMATCH', `the reader takes ${nameOf(reader)}, written is ${nameOf(writer)}`);
  }
}

function inside(walk: Walk, step: string): Walk {
  return { ...walk, path: `${walk.path}${step}`, depth: walk.depth + 1 };
}

function fits(reader: ResolvedType, writer: ResolvedType, walk: Walk): boolean {
  const found: Problem[] = [];
  compare(reader, writer, { ...inside(walk, ''), found });
  return found.length === 0;
}

function compareSameKind(reader: ResolvedType, writer: ResolvedType, walk: Walk): void {
  if (reader.kind === 'array' && writer.kind === 'array') {
    compare(reader.items, writer.items, inside(walk, '[]'));
  } else if (reader.kind === 'map' && writer.kind === 'map') {
    compare(reader.values, writer.values, inside(walk, '{}'));
  } else if (reader.kind === 'record' && writer.kind === 'record') {
    compareRecords(reader, writer, walk);
  } else if (reader.kind === 'enum' && writer.kind === 'enum') {
    if (!namesMatch(reader, writer, walk)) return;
    const lacking = writer.symbols.filter((symbol) => !reader.symbols.includes(symbol));
    if (lacking.length > 0 && reader.fallback === undefined) {
      note(walk, 'MISSING_ENUM_SYMBOLS', `the reader's enum lacks ${lacking.join(', ')} and has no default`);
    }
  } else {
    if (reader.kind === 'fixed' && writer.kind === 'fixed') {
      if (!namesMatch(reader, writer, walk)) return;
      if (reader.size !== writer.size) {
        note(walk, 'FIXED_SIZE_MISMATCH', `the reader takes ${reader.size} bytes, written are ${writer.size}`);
      }
    }
    compareDecimals(reader, writer, walk);
  }
}

function compareDecimals(reader: ResolvedType, writer: ResolvedType, walk: Walk): void {
  if (!('logical' in reader && 'logical' in writer)) return;
  if (reader.logical !== 'decimal' || writer.logical !== 'decimal') return;
  if (reader.scale === writer.scale && reader.precision === writer.precision) return;
  const form = (type: typeof reader): string => `decimal(${type.precision}, ${type.scale})`;
  note(walk, 'TYPE_MISMATCH', `the reader takes ${form(reader)}, written is ${form(writer)}`);
}

function compareRecords(reader: RecordType, writer: RecordType, walk: Walk): void {
  const pairs = walk.known.get(reader) ?? new Map<ResolvedType, readonly Problem[]>();
  const known = pairs.get(writer);
  if (known !== undefined) {
    walk.found.push(...known.slice(0, 1));
    return;
  }
  walk.known.set(reader, pairs.set(writer, []));
  const own: Walk = { ...walk, found: [] };
  if (namesMatch(reader, writer, own)) {
    for (const field of reader.fields) {
      const at = inside(own, own.path === '' ? field.name : `.${field.name}`);
      const written = writtenFor(field, writer);
      if (written !== undefined) compare(field.type, written.type, at);
      else if (field.fallback === undefined) {
        const reason = 'the reader has the field without a default, the writer has it not';
        note(at, 'READER_FIELD_MISSING_DEFAULT_VALUE', reason);
      }
    }
  }
  pairs.set(writer, own.found);
  for (const { kind, path, reason } of own.found) note({ ...walk, path }, kind, reason);
}

function writtenFor({ name, aliases }: FieldType, { fields }: RecordType): FieldType | undefined {
  return fields.find((field) => field.name === name) ?? fields.find((field) => aliases.includes(field.name));
}

type Named = Extract<ResolvedType, { readonly name: string }>;

/** Unqualified names count, as Avro says, and the reader's aliases. */
function namesMatch(reader: Named, writer: Named, walk: Walk): boolean {
  const last = (name: string): string => name.slice(name.lastIndexOf('.') + 1);
  if (last(reader.name) === last(writer.name)) return true;
  if (reader.aliases.some((alias) => alias === writer.name || last(alias) === last(writer.name))) return true;
  note(walk, 'NAME_MISMATCH', `the reader's ${reader.kind} is '${reader.name}', the writer's '${writer.name}'`);
  return false;
}

function note({ path, found }: Walk, kind: string, reason: string): void {
  if (found.length < PROBLEMS_MAX) found.push({ kind, path, reason });
}

export function nameOf(type: ResolvedType): string {
  switch (type.kind) {
    case 'union':
      return `a union of ${type.branches.map(nameOf).join(', ')}`;
    case 'array':
      return `an array of ${nameOf(type.items)}`;
    case 'map':
      return `a map of ${nameOf(type.values)}`;
    case 'record':
    case 'enum':
      return `${type.kind} ${type.name}`;
    case 'fixed':
      return `fixed ${type.name} of ${type.size} bytes`;
    default:
      return type.logical === undefined ? type.kind : `${type.kind} (${logicalName(type)})`;
  }
}

function logicalName({ logical, precision, scale }: Extract<ResolvedType, { readonly logical?: string }>): string {
  return logical === 'decimal' ? `decimal(${precision}, ${scale})` : `${logical}`;
}

export interface Earlier {
  readonly version: number;
  readonly type: ResolvedType;
}

/** What is wrong with a new schema after the versions before it (ascending), in a mode. */
export function modeProblems(
  mode: CompatibilityMode,
  schema: ResolvedType,
  earlier: readonly Earlier[],
): Incompatibility[] {
  const against = mode.endsWith('_transitive') ? earlier.toReversed() : earlier.slice(-1);
  const backward = /^(?:backward|full)/.test(mode);
  const forward = /^(?:forward|full)/.test(mode);
  return against.flatMap(({ version, type }) => [
    ...(backward ? readProblems(schema, type).map((problem) => ({ ...problem, version })) : []),
    ...(forward ? readProblems(type, schema).map((problem) => ({ ...problem, version })) : []),
  ]);
}
