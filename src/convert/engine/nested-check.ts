/**
 * Whether a nested value fits a struct, list or map in every part, however deep, so that the engine never turns a part that does not
 * into a null. Values whose parts all fit as they are written are handed on as their bytes; the others as text made of the parts. A
 * misfit is told with its path (`a.b[3].c`), keys without a field are kept under theirs. Follows the column's type, whose depth is
 * bounded; the value is known to be valid JSON. State is of the value read last.
 */
import type { Column, ColumnType, Element } from '../../model/column-plan.ts';
import type { ColumnCheck, Misfit } from './column-check.ts';
import { columnCheck, fittingText } from './column-check.ts';
import { KIND, kindName, scanValue, skipSpace } from './json-scan.ts';
import { recordMembers } from './record-members.ts';

export interface NestedCheck {
  /** Undefined to hand on the value's bytes, JSON to hand on instead, or why the value does not fit. */
  read: Read;
  /** JSON of what lay in structs under keys without a field, by path. Only for a value that was read and given as text. */
  readonly unknown: ReadonlyMap<string, string>;
}

type Read = (bytes: Buffer, from: number, to: number, kind: number) => string | Misfit | undefined;

/** Where the value being read lies, and what it leaves over. */
interface Trail {
  /** Names as `.name`, indexes as numbers. */
  readonly path: (string | number)[];
  readonly unknown: Map<string, string>;
}

/** Undefined for a column that holds no other values. */
export function nestedCheck(column: Column): NestedCheck | undefined {
  const { kind } = column.type;
  if (kind !== 'struct' && kind !== 'list' && kind !== 'map') return undefined;
  const trail: Trail = { path: [column.name], unknown: new Map() };
  const reader = readerOf(column.type, trail);
  return {
    read: (...value) => {
      trail.path.length = 1;
      if (trail.unknown.size > 0) trail.unknown.clear();
      const text = reader(...value);
      // Line breaks stand between tokens only, and a line of the spool is a record.
      return typeof text === 'string' ? text.replaceAll(/[\r\n]/g, ' ') : text;
    },
    unknown: trail.unknown,
  };
}

function readerOf(type: ColumnType, trail: Trail): Read {
  switch (type.kind) {
    case 'struct':
      return structReader(type.fields, trail);
    case 'list':
      return listReader(type.items, trail);
    case 'map':
      return mapReader(type.values, trail);
    default:
      return leafReader(columnCheck({ name: '', type, nullable: true }), trail);
  }
}

function leafReader(check: ColumnCheck, trail: Trail): Read {
  return (bytes, from, to, kind) => {
    if (to - from <= (check.rawUpTo[kind] as number)) return undefined;
    if (kind === KIND.text && check.quick?.(bytes, from + 1, to - 1) === true) return undefined;
    const text = fittingText(check, bytes.toString('utf8', from, to), kind);
    if (typeof text !== 'object') return text;
    return { ...text, reason: `${pathOf(trail)} ${text.reason.replace(/^the column /, '')}` };
  };
}

/** A part of a value; null where there is none and none is needed. */
type ReadPart = (bytes: Buffer, from: number, to: number, kind: number) => string | Misfit | null | undefined;

function partReader({ type, nullable }: Element, trail: Trail): ReadPart {
  const read = readerOf(type, trail);
  return (bytes, from, to, kind) => {
    if (kind !== KIND.none && kind !== KIND.null) return read(bytes, from, to, kind);
    return nullable ? null : { code: 'missing-value', reason: `${pathOf(trail)} must have a value` };
  };
}

function structReader(fields: readonly Column[], trail: Trail): Read {
  const members = recordMembers(fields.map(({ name }) => name));
  const parts = fields.map((field) => partReader(field, trail));
  const names = fields.map(({ name }) => JSON.stringify(name));
  const steps = fields.map(({ name }) => `.${name}`);

  return (bytes, from, to, kind) => {
    if (kind !== KIND.object) return wrong('an object', kind, trail);
    members.scan(bytes, from, to);
    let kept: string[] | undefined;
    for (let i = 0; i < parts.length; i++) {
      const [start, end] = [members.from[i] as number, members.to[i] as number];
      trail.path.push(steps[i] as string);
      const part = parts[i]?.(bytes, start, end, members.kind[i] as number);
      trail.path.pop();
      if (part === null) continue;
      if (typeof part === 'object') return part;
      if (part !== undefined && kept === undefined) kept = written(bytes, i);
      kept?.push(`${names[i]}:${part ?? bytes.toString('utf8', start, end)}`);
    }
    if (kept === undefined && members.plain()) return undefined;
    for (const { key, from, to } of members.others()) {
      trail.unknown.set(`${pathOf(trail)}.${key}`, bytes.toString('utf8', from, to));
    }
    return `{${(kept ?? written(bytes, parts.length)).join(',')}}`;
  };

  /** The fields before this one, which all fit as they are. */
  function written(bytes: Buffer, before: number): string[] {
    const kept: string[] = [];
    for (let i = 0; i < before; i++) {
      if (members.kind[i] === KIND.none || members.kind[i] === KIND.null) continue;
      kept.push(`${names[i]}:${bytes.toString('utf8', members.from[i], members.to[i])}`);
    }
    return kept;
  }
}

function listReader(items: Element, trail: Trail): Read {
  const part = partReader(items, trail);
  const notes = { kind: KIND.none as number, lineBreak: false };

  return (bytes, from, to, kind) => {
    if (kind !== KIND.array) return wrong('an array', kind, trail);
    /** Text of the items up to `copied`; the bytes after it are as they should be. */
    let text = '';
    let copied = from;
    const step = trail.path.push(0) - 1;
    let at = skipSpace(bytes, from + 1, notes);
    for (let index = 0; at < to - 1; index++) {
      trail.path[step] = index;
      const end = scanValue(at, { bytes, end: to, depth: 0, notes });
      const item = part(bytes, at, end, notes.kind);
      if (typeof item === 'object' && item !== null) return item;
      if (typeof item === 'string') {
        text += bytes.toString('utf8', copied, at) + item;
        copied = end;
      }
      // Over the comma, or to the closing bracket.
      at = skipSpace(bytes, end, notes);
      if (bytes[at] === COMMA) at = skipSpace(bytes, at + 1, notes);
    }
    trail.path.pop();
    return copied === from ? undefined : text + bytes.toString('utf8', copied, to);
  };
}

const COMMA = 0x2c;

function mapReader(values: Element, trail: Trail): Read {
  const members = recordMembers([]);
  const part = partReader(values, trail);

  return (bytes, from, to, kind) => {
    if (kind !== KIND.object) return wrong('an object', kind, trail);
    members.scan(bytes, from, to);
    let same = true;
    const step = trail.path.push('') - 1;
    const kept: string[] = [];
    for (const { key, kind, from, to } of members.others()) {
      trail.path[step] = `[${JSON.stringify(key)}]`;
      const value = part(bytes, from, to, kind);
      if (typeof value === 'object' && value !== null) return value;
      if (typeof value === 'string') same = false;
      kept.push(`${JSON.stringify(key)}:${value ?? bytes.toString('utf8', from, to)}`);
    }
    trail.path.pop();
    // The engine refuses a map that holds a key twice: the last one counts.
    return same && !members.otherTwice() ? undefined : `{${kept.join(',')}}`;
  };
}

function wrong(takes: string, kind: number, trail: Trail): Misfit {
  return { code: 'wrong-type', reason: `${pathOf(trail)} takes ${takes}, the value is ${kindName(kind)}` };
}

function pathOf({ path }: Trail): string {
  return path.map((step) => (typeof step === 'number' ? `[${step}]` : step)).join('');
}
