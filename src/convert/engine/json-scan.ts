/**
 * Strict JSON scanning over bytes (RFC 8259), the lowest level of the converter: strings, numbers, words, and skipping a nested
 * value. Functions take a position and give the position after, or a negative number; nothing is copied or decoded. Input is
 * known to be UTF-8. Stricter than the engine, which takes NaN and trailing commas: nothing it would misread gets past here.
 */
import { LIMITS } from '../../model/limits.ts';

/** JSON value kinds, as small numbers for tables. Text with escapes and number forms are told apart because they cost extra work. */
export const KIND = {
  none: 0,
  text: 1,
  escapedText: 2,
  integer: 3,
  fraction: 4,
  exponent: 5,
  true: 6,
  false: 7,
  null: 8,
  object: 9,
  array: 10,
} as const;
export const KINDS = 11;

const KIND_NAMES: Readonly<Record<number, string>> = {
  [KIND.text]: 'a string',
  [KIND.escapedText]: 'a string',
  [KIND.integer]: 'an integer',
  [KIND.fraction]: 'a number',
  [KIND.exponent]: 'a number',
  [KIND.true]: 'a boolean',
  [KIND.false]: 'a boolean',
  [KIND.null]: 'null',
  [KIND.object]: 'an object',
  [KIND.array]: 'an array',
};

/** For people. */
export function kindName(kind: number): string {
  return KIND_NAMES[kind] ?? 'nothing';
}

export const BROKEN = -1;
export const TOO_DEEP = -2;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const COMMA = 0x2c;
const COLON = 0x3a;

/** What the last scan saw besides its end. */
export interface ScanNotes {
  /** Kind of the value `scanValue` went over. */
  kind: number;
  /** Set when a line break stands between tokens; the caller clears it. */
  lineBreak: boolean;
}

let viewed: Uint8Array | undefined;
let view: DataView = new DataView(new ArrayBuffer(0));

/** The bytes to be read four at a time. Many records lie in the same bytes. */
export function viewOf(bytes: Uint8Array): DataView {
  if (bytes !== viewed) {
    viewed = bytes;
    view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }
  return view;
}

/** Position of the closing quote; `start` is after the opening one. */
export function scanString(bytes: Uint8Array, start: number, end: number): number {
  const fours = viewOf(bytes);
  let at = start;
  for (const last = end - 4; at <= last; at += 4) {
    const four = fours.getInt32(at, true);
    const quote = four ^ 0x22222222;
    const backslash = four ^ 0x5c5c5c5c;
    // A byte's high bit is set where it is below the subtrahend; a carry only misleads beyond such a byte.
    const special =
      (((quote - 0x01010101) & ~quote) | ((backslash - 0x01010101) & ~backslash) | ((four - 0x20202020) & ~four)) &
      0x80808080;
    if (special !== 0) break;
  }
  for (; at < end; at++) {
    const byte = bytes[at] as number;
    if (byte === QUOTE) return at;
    if (byte === BACKSLASH || byte < 0x20) return BROKEN;
  }
  return BROKEN;
}

/** As `scanString`, for strings with escapes too. Lone surrogates are no text and refused. */
export function scanEscaped(bytes: Uint8Array, start: number, end: number): number {
  for (let at = start; at < end; at++) {
    const byte = bytes[at] as number;
    if (byte === QUOTE) return at;
    if (byte < 0x20) return BROKEN;
    if (byte !== BACKSLASH) continue;
    const code = bytes[++at];
    if (code !== 0x75) {
      if (code === undefined || !'"\\/bfnrt'.includes(String.fromCharCode(code))) return BROKEN;
      continue;
    }
    const unit = hex4(bytes, at + 1, end);
    if (unit < 0 || (unit >= 0xdc00 && unit <= 0xdfff)) return BROKEN;
    at += 4;
    if (unit < 0xd800 || unit > 0xdbff) continue;
    const low = bytes[at + 1] === BACKSLASH && bytes[at + 2] === 0x75 ? hex4(bytes, at + 3, end) : BROKEN;
    if (low < 0xdc00 || low > 0xdfff) return BROKEN;
    at += 6;
  }
  return BROKEN;
}

function hex4(bytes: Uint8Array, at: number, end: number): number {
  if (at + 4 > end) return BROKEN;
  let value = 0;
  for (let i = at; i < at + 4; i++) {
    const byte = bytes[i] as number;
    const lower = byte | 0x20;
    if (byte >= 0x30 && byte <= 0x39) value = value * 16 + byte - 0x30;
    else if (lower >= 0x61 && lower <= 0x66) value = value * 16 + lower - 0x57;
    else return BROKEN;
  }
  return value;
}

/** First position that is not whitespace. */
export function skipSpace(bytes: Uint8Array, start: number, notes: ScanNotes): number {
  let at = start;
  for (;;) {
    const byte = bytes[at];
    if (byte === 0x0a || byte === 0x0d) notes.lineBreak = true;
    else if (byte !== 0x20 && byte !== 0x09) return at;
    at++;
  }
}

/** Position after the value that begins at `at`; its kind is in `notes`. `depth`: containers around it. */
export function scanValue(at: number, { bytes, end, depth, notes }: ScanInput): number {
  const byte = bytes[at] as number;
  if (byte === QUOTE) {
    const plain = scanString(bytes, at + 1, end);
    notes.kind = plain < 0 ? KIND.escapedText : KIND.text;
    const close = plain < 0 ? scanEscaped(bytes, at + 1, end) : plain;
    return close < 0 ? BROKEN : close + 1;
  }
  if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) {
    const after = scanNested(at, { bytes, end, depth, notes });
    notes.kind = byte === OPEN_OBJECT ? KIND.object : KIND.array;
    return after;
  }
  return scanScalar(at, bytes, end, notes);
}

export interface ScanInput {
  readonly bytes: Uint8Array;
  readonly end: number;
  readonly depth: number;
  readonly notes: ScanNotes;
}

function scanScalar(at: number, bytes: Uint8Array, end: number, notes: ScanNotes): number {
  switch (bytes[at]) {
    case 0x74:
      notes.kind = KIND.true;
      return word(bytes, at, end, 'true');
    case 0x66:
      notes.kind = KIND.false;
      return word(bytes, at, end, 'false');
    case 0x6e:
      notes.kind = KIND.null;
      return word(bytes, at, end, 'null');
    default:
      return scanNumber(bytes, at, end, notes);
  }
}

function word(bytes: Uint8Array, at: number, end: number, text: string): number {
  if (at + text.length > end) return BROKEN;
  for (let i = 0; i < text.length; i++) if (bytes[at + i] !== text.charCodeAt(i)) return BROKEN;
  return at + text.length;
}

function scanNumber(bytes: Uint8Array, start: number, end: number, notes: ScanNotes): number {
  let at = bytes[start] === 0x2d ? start + 1 : start;
  const first = at;
  at = digits(bytes, at, end);
  if (at === first || (bytes[first] === 0x30 && at > first + 1)) return BROKEN;
  notes.kind = KIND.integer;
  if (at < end && bytes[at] === 0x2e) {
    const from = at + 1;
    at = digits(bytes, from, end);
    if (at === from) return BROKEN;
    notes.kind = KIND.fraction;
  }
  if (at < end && ((bytes[at] as number) | 0x20) === 0x65) {
    const sign = bytes[at + 1];
    const from = sign === 0x2b || sign === 0x2d ? at + 2 : at + 1;
    at = digits(bytes, from, end);
    if (at === from) return BROKEN;
    notes.kind = KIND.exponent;
  }
  return at;
}

function digits(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && (bytes[at] as number) >= 0x30 && (bytes[at] as number) <= 0x39) at++;
  return at;
}

/** Open containers of the value being skipped: 1 for an object. One value is scanned at a time. */
const open = new Uint8Array(LIMITS.jsonDepthMax + 1);

/** Goes over an object or array without recursion. */
function scanNested(start: number, { bytes, end, depth, notes }: ScanInput): number {
  const room = LIMITS.jsonDepthMax - depth;
  let at = start;
  let level = 0;
  for (;;) {
    // Here a value begins.
    const byte = bytes[at];
    if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) {
      if (level === room) return TOO_DEEP;
      open[level++] = byte === OPEN_OBJECT ? 1 : 0;
      at = skipSpace(bytes, at + 1, notes);
      const empty = at < end && bytes[at] === (byte === OPEN_OBJECT ? CLOSE_OBJECT : CLOSE_ARRAY);
      if (!empty) {
        if (byte === OPEN_OBJECT) at = scanKey(at, { bytes, end, depth, notes });
        if (at < 0 || at >= end) return BROKEN;
        continue;
      }
    } else {
      at = scanValue(at, { bytes, end, depth, notes });
      if (at < 0) return at;
      at = skipSpace(bytes, at, notes);
    }
    // Here a value has ended, or a container is about to.
    while (at < end && (bytes[at] === CLOSE_OBJECT || bytes[at] === CLOSE_ARRAY)) {
      if (bytes[at] !== (open[level - 1] === 1 ? CLOSE_OBJECT : CLOSE_ARRAY)) return BROKEN;
      at++;
      if (--level === 0) return at;
      at = skipSpace(bytes, at, notes);
    }
    if (at >= end || bytes[at] !== COMMA) return BROKEN;
    at = skipSpace(bytes, at + 1, notes);
    if (open[level - 1] === 1) at = scanKey(at, { bytes, end, depth, notes });
    if (at < 0 || at >= end) return BROKEN;
  }
}

/** From the quote of a key to the beginning of its value. */
function scanKey(at: number, { bytes, end, notes }: ScanInput): number {
  if (bytes[at] !== QUOTE) return BROKEN;
  const plain = scanString(bytes, at + 1, end);
  const close = plain < 0 ? scanEscaped(bytes, at + 1, end) : plain;
  if (close < 0) return BROKEN;
  const colon = skipSpace(bytes, close + 1, notes);
  return bytes[colon] === COLON ? skipSpace(bytes, colon + 1, notes) : BROKEN;
}
