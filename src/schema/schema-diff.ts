/** What changed between two schemas, field by field, for people who decide whether a change is meant. */
import type { RecordType, ResolvedType } from './resolved-type.ts';
import { nameOf } from './compatibility.ts';

export interface SchemaChange {
  /** `a.b[].c`; empty for the schema itself. */
  readonly path: string;
  readonly change: 'added' | 'removed' | 'type' | 'default' | 'symbols' | 'doc';
  readonly from?: string;
  readonly to?: string;
}

/** Changes from the first to the second, in the order of their fields. */
export function schemaChanges(from: ResolvedType, to: ResolvedType): SchemaChange[] {
  const changes: SchemaChange[] = [];
  compare(from, to, { path: '', changes, seen: new Map() });
  return changes;
}

interface Walk {
  readonly path: string;
  readonly changes: SchemaChange[];
  /** Pairs of records compared already: the rest of a recursive type was told where it came first. */
  readonly seen: Map<ResolvedType, Set<ResolvedType>>;
}

function compare(from: ResolvedType, to: ResolvedType, walk: Walk): void {
  const [before, after] = [withoutNull(from), withoutNull(to)];
  const sameNull = (before === from) === (after === to);
  if (before.kind === 'record' && after.kind === 'record' && before.name === after.name) {
    if (!sameNull) note(walk, 'type', { from: nameOf(from), to: nameOf(to) });
    compareRecords(before, after, walk);
  } else if (before.kind === 'array' && after.kind === 'array' && sameNull) {
    compare(before.items, after.items, { ...walk, path: `${walk.path}[]` });
  } else if (before.kind === 'map' && after.kind === 'map' && sameNull) {
    compare(before.values, after.values, { ...walk, path: `${walk.path}{}` });
  } else if (nameOf(from) !== nameOf(to)) {
    note(walk, 'type', { from: nameOf(from), to: nameOf(to) });
  } else if (before.kind === 'enum' && after.kind === 'enum' && before.symbols.join() !== after.symbols.join()) {
    note(walk, 'symbols', { from: before.symbols.join(', '), to: after.symbols.join(', ') });
  }
}

function compareRecords(from: RecordType, to: RecordType, walk: Walk): void {
  const seen = walk.seen.get(from) ?? new Set();
  if (seen.has(to)) return;
  walk.seen.set(from, seen.add(to));
  const before = new Map(from.fields.map((field) => [field.name, field]));
  const after = new Set(to.fields.map((field) => field.name));
  const at = (name: string): Walk => ({ ...walk, path: walk.path === '' ? name : `${walk.path}.${name}` });
  for (const { name, type } of from.fields) if (!after.has(name)) note(at(name), 'removed', { from: nameOf(type) });
  for (const { name, type, fallback, doc } of to.fields) {
    const old = before.get(name);
    if (old === undefined) {
      note(at(name), 'added', { to: `${nameOf(type)}${fallback === undefined ? '' : `, default ${told(fallback)}`}` });
      continue;
    }
    compare(old.type, type, at(name));
    if (told(old.fallback) !== told(fallback)) {
      note(at(name), 'default', { from: told(old.fallback), to: told(fallback) });
    }
    if (old.doc !== doc) note(at(name), 'doc', { from: old.doc ?? 'none', to: doc ?? 'none' });
  }
}

/** The one other branch of a union with null. */
function withoutNull(type: ResolvedType): ResolvedType {
  if (type.kind !== 'union') return type;
  const others = type.branches.filter(({ kind }) => kind !== 'null');
  return others.length === 1 && others.length < type.branches.length ? (others[0] as ResolvedType) : type;
}

function told(fallback: { readonly value: unknown } | undefined): string {
  return fallback === undefined ? 'none' : JSON.stringify(fallback.value);
}

function note({ path, changes }: Walk, change: SchemaChange['change'], sides: Pick<SchemaChange, 'from' | 'to'>): void {
  changes.push({ path, change, ...sides });
}
