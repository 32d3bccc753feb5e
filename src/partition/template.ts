/**
 * The grammar of layout templates: folders joined by `/`, each of literal text, time units in braces and at most one field in
 * braces. Owns what is accepted and how a refusal reads; what a template means for a row is in `layout.ts`. A compiled
 * template can be read back from any folder it makes: units have fixed widths, so one field a folder is never ambiguous.
 */
import { LakewardError } from '../model/errors.ts';
import { LIMITS } from '../model/limits.ts';

/** Units of event time in UTC and their digits. */
export const UNIT_DIGITS = { yyyy: 4, MM: 2, dd: 2, HH: 2, mm: 2 } as const;
export type TimeUnit = keyof typeof UNIT_DIGITS;

export type LayoutPart =
  | { readonly kind: 'literal'; readonly text: string }
  | { readonly kind: 'time'; readonly unit: TimeUnit }
  | { readonly kind: 'field'; readonly field: string };

/** One folder of the path. */
export type LayoutSegment = readonly LayoutPart[];

/** What a file system takes for a name, less `.json`: the marker of a closed partition is named after its last folder. */
const SEGMENT_BYTES_MAX = 250;
const LAYOUT_BYTES_MAX = 640;
const LITERAL = /[A-Za-z0-9_.=:,@+-]/;
const LIKE_A_UNIT = /^([yYMdDHhmsS])\1+$/;
const UNITS_ACCEPTED = Object.keys(UNIT_DIGITS).map((unit) => `{${unit}}`);
const ACCEPTED = `time units ${UNITS_ACCEPTED.join(' ')}, one field a folder like {product_id} or {a.b}, and text of A-Z a-z 0-9 _ . = : , @ + -`;

/** The folders of a template; none for the empty one. Throws `layout-invalid` with the position of the fault. */
export function parseTemplate(template: string): LayoutSegment[] {
  if (template === '') return [];
  if (template.startsWith('/')) throw invalid(template, 0, 'a layout starts with a folder, not with /');
  const segments: LayoutSegment[] = [];
  const seen = new Set<string>();
  let at = 0;
  for (const text of (template.endsWith('/') ? template.slice(0, -1) : template).split('/')) {
    const segment = parseSegment(template, at, text);
    for (const part of segment) {
      if (part.kind !== 'field') continue;
      if (seen.has(part.field)) throw invalid(template, at, `field {${part.field}} occurs twice`);
      seen.add(part.field);
    }
    segments.push(segment);
    at += text.length + 1;
  }
  const widest = pathBytesMax(segments);
  if (widest > LAYOUT_BYTES_MAX) {
    throw invalid(template, 0, `its paths may take ${widest} bytes, at most ${LAYOUT_BYTES_MAX} are accepted`);
  }
  return segments;
}

/** Bytes of the longest partition, with a slash behind every folder. */
export function pathBytesMax(segments: readonly LayoutSegment[]): number {
  return segments.reduce((sum, segment) => sum + segmentBytesMax(segment) + 1, 0);
}

function parseSegment(template: string, start: number, text: string): LayoutSegment {
  if (text === '') throw invalid(template, start, 'an empty folder name');
  if (text === '.' || text === '..') throw invalid(template, start, `'${text}' cannot be a folder`);
  if (/^[_.]/.test(text)) {
    throw invalid(template, start, `folder names that start with ${text[0]} are reserved and hidden from readers`);
  }
  const parts: LayoutPart[] = [];
  let at = 0;
  while (at < text.length) {
    const part = text[at] === '{' ? placeholder(template, start, { text, at }) : literal(template, start, { text, at });
    parts.push(part.part);
    at = part.end;
  }
  if (parts.filter((part) => part.kind === 'field').length > 1) {
    throw invalid(template, start, 'two fields in one folder name could not be told apart; put a / between them');
  }
  if (segmentBytesMax(parts) > SEGMENT_BYTES_MAX) {
    throw invalid(template, start, `a folder name may take more than ${SEGMENT_BYTES_MAX} bytes`);
  }
  return parts;
}

interface Cursor {
  readonly text: string;
  readonly at: number;
}

function literal(template: string, start: number, { text, at }: Cursor): { part: LayoutPart; end: number } {
  let end = at;
  for (; end < text.length && text[end] !== '{'; end++) {
    const char = text[end] ?? '';
    if (char === '}') throw invalid(template, start + end, 'this } has no { before it');
    if (!LITERAL.test(char)) throw invalid(template, start + end, `'${char}' cannot be in a folder name`);
  }
  return { part: { kind: 'literal', text: text.slice(at, end) }, end };
}

function placeholder(template: string, start: number, { text, at }: Cursor): { part: LayoutPart; end: number } {
  const end = text.indexOf('}', at);
  const name = end === -1 ? '' : text.slice(at + 1, end);
  if (end === -1 || name.includes('{')) throw invalid(template, start + at, 'this { is not closed by }');
  if (Object.hasOwn(UNIT_DIGITS, name)) return { part: { kind: 'time', unit: name as TimeUnit }, end: end + 1 };
  if (LIKE_A_UNIT.test(name)) throw invalid(template, start + at, `{${name}} is no time unit`);
  if (name.split('.').includes('') || name.trim() !== name || hasControl(name)) {
    throw invalid(template, start + at, `{${name}} names no field`);
  }
  return { part: { kind: 'field', field: name }, end: end + 1 };
}

function hasControl(text: string): boolean {
  return /\p{Cc}/u.test(text);
}

function segmentBytesMax(segment: LayoutSegment): number {
  return segment.reduce((sum, part) => sum + partBytesMax(part), 0);
}

function partBytesMax(part: LayoutPart): number {
  if (part.kind === 'literal') return part.text.length;
  // A leading `_` or `.` may be encoded on top of the limit.
  return part.kind === 'time' ? UNIT_DIGITS[part.unit] : LIMITS.partitionValueBytesMax + 2;
}

function invalid(template: string, position: number, what: string): LakewardError {
  return new LakewardError(
    'layout-invalid',
    `layout '${template}', position ${position + 1}: ${what}; accepted are ${ACCEPTED}`,
    {
      details: { position, accepted: ACCEPTED },
    },
  );
}
