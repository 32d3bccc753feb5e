/**
 * The members of one record's top-level object, found in one pass over its bytes: for each known key (slot) where its value lies
 * and of which kind it is, and a list of the other members. One set of arrays is reused for all records. The last of duplicate
 * keys wins, as in JSON.parse. Records without surprises need no decoding at all.
 */
import { BROKEN, KIND, TOO_DEEP, scanEscaped, scanString, scanValue, skipSpace, viewOf } from './json-scan.ts';
import type { ScanNotes } from './json-scan.ts';

export type ScanVerdict = 'ok' | 'not-json' | 'not-an-object' | 'too-deep';

export interface OtherMember {
  /** Key as JSON text with quotes, and value, as positions. */
  readonly keyFrom: number;
  readonly keyTo: number;
  readonly from: number;
  readonly to: number;
  readonly key: string;
  readonly kind: number;
}

export interface RecordMembers {
  /** Value of each slot: [from, to), kind; kind none when the key is absent. */
  readonly from: Int32Array;
  readonly to: Int32Array;
  readonly kind: Uint8Array;
  /** Members whose key is no slot, duplicates removed. */
  others(): readonly OtherMember[];
  other(key: string): OtherMember | undefined;
  /** True when a member that has no slot was there twice. */
  readonly otherTwice: () => boolean;
  /** True for a record without members. */
  readonly empty: () => boolean;
  /** True when every member has a slot, none twice, and the record is one line: its bytes can be handed on as they are. */
  readonly plain: () => boolean;
  scan(bytes: Uint8Array, start: number, end: number): ScanVerdict;
}

const encoder = new TextEncoder();
const NO_SLOT = -1;
const BROKEN_KEY = -2;

export function recordMembers(slots: readonly string[]): RecordMembers {
  // A key with a backslash is written with an escape, so its own bytes never stand for it.
  const keys = slots.map((name) => (name.includes('\\') ? undefined : encoder.encode(name)));
  const openings = slots.map(openingOf);
  const index = new Map(slots.map((name, slot) => [name, slot]));
  const from = new Int32Array(slots.length);
  const to = new Int32Array(slots.length);
  const kind = new Uint8Array(slots.length);
  const notes: ScanNotes = { kind: KIND.none, lineBreak: false };
  const others = new Map<string, OtherMember>();
  let repeated = false;
  let othersSeen = 0;
  let lastKey = '';
  let seen = 0;

  /** The position after key and colon when the member at `at` has the slot, or -1: then its key is to be read. */
  function afterOpening(bytes: Uint8Array, at: number, end: number, slot: number): number {
    const opening = openings[slot];
    if (opening === undefined || at + opening.words.length * 4 > end) return BROKEN;
    const { words, lastMask } = opening;
    const fours = viewOf(bytes);
    const last = words.length - 1;
    for (let i = 0; i < last; i++) if (fours.getInt32(at + i * 4, true) !== words[i]) return BROKEN;
    if ((fours.getInt32(at + last * 4, true) & lastMask) !== words[last]) return BROKEN;
    return at + opening.bytes;
  }

  /** The slot of the key at [start, close), trying the one after `before` first: records mostly keep one order. */
  function slotOf(bytes: Uint8Array, start: number, close: number, before: number): number {
    const guess = before + 1 < keys.length ? before + 1 : 0;
    const expected = keys[guess];
    if (expected !== undefined && expected.length === close - start) {
      let i = 0;
      while (i < expected.length && expected[i] === bytes[start + i]) i++;
      if (i === expected.length) return guess;
    }
    lastKey = keyText(bytes, start, close);
    return index.get(lastKey) ?? NO_SLOT;
  }

  function endOfKey(bytes: Uint8Array, at: number, end: number): number {
    if (bytes[at] !== 0x22) return BROKEN_KEY;
    const plain = scanString(bytes, at + 1, end);
    return plain < 0 ? scanEscaped(bytes, at + 1, end) : plain;
  }

  function scan(bytes: Uint8Array, start: number, end: number): ScanVerdict {
    for (let i = 0; i < kind.length; i++) kind[i] = KIND.none;
    if (others.size > 0) others.clear();
    repeated = false;
    othersSeen = 0;
    seen = 0;
    notes.lineBreak = false;
    let at = skipSpace(bytes, start, notes);
    if (at >= end || bytes[at] !== 0x7b) return notAnObject(bytes, at, end);
    at = skipSpace(bytes, at + 1, notes);
    if (at < end && bytes[at] === 0x7d) return skipSpace(bytes, at + 1, notes) >= end ? 'ok' : 'not-json';
    const input = { bytes, end, depth: 1, notes };
    let slot = NO_SLOT;
    for (;;) {
      const guess = slot + 1 < slots.length ? slot + 1 : 0;
      let found = guess;
      let close = 0;
      let valueAt = afterOpening(bytes, at, end, guess);
      if (valueAt < 0) {
        close = endOfKey(bytes, at, end);
        if (close < 0) return 'not-json';
        found = slotOf(bytes, at + 1, close, slot);
        const colon = skipSpace(bytes, close + 1, notes);
        if (colon >= end || bytes[colon] !== 0x3a) return 'not-json';
        valueAt = colon + 1;
      }
      valueAt = skipSpace(bytes, valueAt, notes);
      const valueEnd = valueAt < end ? scanValue(valueAt, input) : BROKEN;
      if (valueEnd < 0 || valueEnd > end) return valueEnd === TOO_DEEP ? 'too-deep' : 'not-json';
      if (found === NO_SLOT) {
        othersSeen++;
        others.set(lastKey, {
          keyFrom: at,
          keyTo: close + 1,
          from: valueAt,
          to: valueEnd,
          key: lastKey,
          kind: notes.kind,
        });
      } else {
        if (kind[found] !== KIND.none) repeated = true;
        from[found] = valueAt;
        to[found] = valueEnd;
        kind[found] = notes.kind;
        seen++;
        slot = found;
      }
      at = skipSpace(bytes, valueEnd, notes);
      if (at >= end) return 'not-json';
      if (bytes[at] === 0x7d) return skipSpace(bytes, at + 1, notes) >= end ? 'ok' : 'not-json';
      if (bytes[at] !== 0x2c) return 'not-json';
      at = skipSpace(bytes, at + 1, notes);
    }
  }

  /** A valid JSON value of another kind, or no JSON. */
  function notAnObject(bytes: Uint8Array, at: number, end: number): ScanVerdict {
    const after = at < end ? scanValue(at, { bytes, end, depth: 0, notes }) : BROKEN;
    if (after === TOO_DEEP) return 'too-deep';
    return after >= 0 && after <= end && skipSpace(bytes, after, notes) >= end ? 'not-an-object' : 'not-json';
  }

  return {
    from,
    to,
    kind,
    others: () => [...others.values()],
    other: (key) => others.get(key),
    otherTwice: () => othersSeen > others.size,
    empty: () => others.size === 0 && seen === 0,
    plain: () => others.size === 0 && !repeated && !notes.lineBreak,
    scan,
  };
}

/** What a member of a slot mostly begins with, `"key":`, four bytes a word, so that it is compared in few steps. */
interface Opening {
  readonly words: Int32Array;
  /** Bits of the last word that belong to it. */
  readonly lastMask: number;
  readonly bytes: number;
}

/** Undefined for a key that is never written like that. */
function openingOf(name: string): Opening | undefined {
  if (/["\\\p{Cc}]/u.test(name)) return undefined;
  const text = encoder.encode(`"${name}":`);
  const padded = new Uint8Array(Math.ceil(text.length / 4) * 4);
  padded.set(text);
  const words = new Int32Array(padded.buffer);
  const mask = new Int32Array(
    Uint8Array.from(padded.subarray(-4), (_, i) => (padded.length - 4 + i < text.length ? 255 : 0)).buffer,
  );
  return { words, lastMask: mask[0] ?? 0, bytes: text.length };
}

function keyText(bytes: Uint8Array, start: number, close: number): string {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset + start, close - start).toString();
  return text.includes('\\') ? (JSON.parse(`"${text}"`) as string) : text;
}
