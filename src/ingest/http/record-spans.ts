/**
 * Where the records of a body lie: their first byte and the one behind the last. Stored bytes are the client's bytes, so nothing is
 * parsed and written again; a body is cut. The scanner also measures nesting, because a parser's time grows with it.
 * It does not judge JSON: what lies between two cuts is checked record by record.
 */
import { LakewardError } from '../../model/errors.ts';

export interface RecordSpans {
  readonly count: number;
  readonly starts: Uint32Array;
  readonly ends: Uint32Array;
  /** Deepest nesting within each record; 1 for a flat object. */
  readonly depths: Uint32Array;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const NEWLINE = 0x0a;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/** The elements of a JSON array. Throws `body-invalid` when the body is none, `body-too-large` for more than `countMax`. */
export function arraySpans(body: Uint8Array, countMax: number): RecordSpans {
  const spans = collector(countMax);
  let at = skipBlanks(body, 0);
  if (body[at] !== OPEN_BRACKET) throw invalid('the body must be a JSON array', at);
  at = skipBlanks(body, at + 1);
  if (body[at] === CLOSE_BRACKET) {
    checkEnd(body, at + 1);
    return spans.finish();
  }
  let start = at;
  let depth = 0;
  let deepest = 0;
  for (; at < body.length; at++) {
    const byte = body[at] as number;
    if (byte === QUOTE) {
      at = endOfString(body, at);
    } else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
      if (++depth > deepest) deepest = depth;
    } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
      if (--depth >= 0) continue;
      addElement(spans, { body, start, end: at, depth: deepest });
      if (byte !== CLOSE_BRACKET) throw invalid('the array is closed by another bracket', at);
      checkEnd(body, at + 1);
      return spans.finish();
    } else if (byte === COMMA && depth === 0) {
      addElement(spans, { body, start, end: at, depth: deepest });
      start = skipBlanks(body, at + 1);
      at = start - 1;
      deepest = 0;
    }
  }
  throw invalid('the JSON array does not end', body.length);
}

/** The lines that are not blank. Throws `body-too-large` for more than `countMax`. */
export function lineSpans(body: Uint8Array, countMax: number): RecordSpans {
  const spans = collector(countMax);
  for (let at = 0; at < body.length; ) {
    const found = body.indexOf(NEWLINE, at);
    const next = found === -1 ? body.length : found;
    const start = skipBlanks(body, at);
    if (start < next) {
      const end = trimEnd(body, start, next);
      spans.add(start, end, nesting(body, start, end));
    }
    at = next + 1;
  }
  return spans.finish();
}

/** The whole body as one record; none when it is blank. */
export function wholeSpan(body: Uint8Array): RecordSpans {
  const spans = collector(1);
  const start = skipBlanks(body, 0);
  const end = trimEnd(body, start, body.length);
  if (start < end) spans.add(start, end, nesting(body, start, end));
  return spans.finish();
}

/** Deepest nesting of brackets outside strings. */
export function nestingOf(body: Uint8Array): number {
  return nesting(body, 0, body.length);
}

/** The first byte that is not blank, or undefined. */
export function firstByte(body: Uint8Array): number | undefined {
  return body[skipBlanks(body, 0)];
}

function nesting(body: Uint8Array, start: number, end: number): number {
  let depth = 0;
  let deepest = 0;
  for (let at = start; at < end; at++) {
    const byte = body[at] as number;
    if (byte === QUOTE) at = endOfString(body, at);
    else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
      if (++depth > deepest) deepest = depth;
    } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) depth--;
  }
  return deepest;
}

/** Position of the quote that ends the string begun at `at`; the body's end when none does. */
function endOfString(body: Uint8Array, at: number): number {
  for (let i = at + 1; i < body.length; i++) {
    const byte = body[i];
    if (byte === QUOTE) return i;
    if (byte === BACKSLASH) i++;
  }
  return body.length;
}

interface Collector {
  add(start: number, end: number, depth: number): void;
  finish(): RecordSpans;
}

function collector(countMax: number): Collector {
  let size = Math.min(countMax, 1024);
  let starts = new Uint32Array(size);
  let ends = new Uint32Array(size);
  let depths = new Uint32Array(size);
  let count = 0;
  const grown = (from: Uint32Array): Uint32Array<ArrayBuffer> => {
    const to = new Uint32Array(size);
    to.set(from);
    return to;
  };
  return {
    add(start, end, depth) {
      if (count === countMax) throw new LakewardError('body-too-large', `a body has at most ${countMax} records`);
      if (count === size) {
        size = Math.min(countMax, size * 4);
        [starts, ends, depths] = [grown(starts), grown(ends), grown(depths)];
      }
      starts[count] = start;
      ends[count] = end;
      depths[count] = depth;
      count++;
    },
    finish: () => ({ count, starts, ends, depths }),
  };
}

function addElement(
  spans: Collector,
  { body, start, end, depth }: { body: Uint8Array; start: number; end: number; depth: number },
): void {
  const trimmed = trimEnd(body, start, end);
  if (trimmed === start) throw invalid('an element of the array is missing', start);
  spans.add(start, trimmed, depth);
}

function checkEnd(body: Uint8Array, at: number): void {
  const rest = skipBlanks(body, at);
  if (rest < body.length) throw invalid('something follows the JSON array', rest);
}

function skipBlanks(body: Uint8Array, from: number): number {
  let at = from;
  while (at < body.length && isBlank(body[at] as number)) at++;
  return at;
}

function trimEnd(body: Uint8Array, start: number, end: number): number {
  let at = end;
  while (at > start && isBlank(body[at - 1] as number)) at--;
  return at;
}

function isBlank(byte: number): boolean {
  return byte === 0x20 || byte === NEWLINE || byte === 0x0d || byte === 0x09;
}

function invalid(message: string, at: number): LakewardError {
  return new LakewardError('body-invalid', `${message} (at byte ${at})`);
}
