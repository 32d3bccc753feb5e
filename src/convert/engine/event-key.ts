/**
 * The id of an event as a number of 96 bits: a hash of the JSON value at a path of the record, its kind mixed in, so that "5" and 5
 * differ and an escaped text is the text it means. Among a hundred million ids the odds that a new one is taken for a known one are
 * about one in 10^21. No defence against who wants a collision: a producer who may write can also send the other's id first.
 */
import { fieldText } from './field-path.ts';
import type { FieldPath } from './field-path.ts';
import { KIND } from './json-scan.ts';
import type { RecordMembers } from './record-members.ts';

/** Three words of 32 bits; one object is reused for all records. */
export interface EventKey {
  a: number;
  b: number;
  c: number;
}

const TEXT = 1;
const NUMBER = 2;
const BOOLEAN = 3;
const encoder = new TextEncoder();

/**
 * Reads the id of the record scanned last into `key`. False when it has none: the field is missing, null, an object or an array.
 */
export function readEventKey(bytes: Buffer, members: RecordMembers, path: FieldPath, key: EventKey): boolean {
  const slot = path.rest.length === 0 ? path.slot : -1;
  const kind = slot === -1 ? KIND.none : members.kind[slot];
  // Nearly every id is a text without escapes in a column: nothing is decoded for it.
  if (kind === KIND.text) {
    key.a = TEXT;
    hashBytes(bytes, (members.from[slot] ?? 0) + 1, (members.to[slot] ?? 0) - 1, key);
    return true;
  }
  if (kind === KIND.integer) {
    key.a = NUMBER;
    hashBytes(bytes, members.from[slot] ?? 0, members.to[slot] ?? 0, key);
    return true;
  }
  const value = fieldText(bytes, members, path);
  if (value?.text === undefined) return false;
  const text = encoder.encode(value.text);
  key.a = value.type === 'string' ? TEXT : value.type === 'number' ? NUMBER : BOOLEAN;
  hashBytes(text, 0, text.length, key);
  return true;
}

const C1 = 0x239b961b;
const C2 = 0xab0e9789 | 0;
const C3 = 0x38b34ae5;
const C4 = 0xa1e38b93 | 0;

/** MurmurHash3 (x86, 128 bits) of the bytes [from, to), seeded by `key.a`; its first three words go to `key`. */
export function hashBytes(bytes: Uint8Array, from: number, to: number, key: EventKey): void {
  const length = to - from;
  let h1 = key.a;
  let h2 = key.a;
  let h3 = key.a;
  let h4 = key.a;
  let at = from;
  for (const last = to - 16; at <= last; at += 16) {
    h1 ^= Math.imul(rotated(Math.imul(word(bytes, at), C1), 15), C2);
    h1 = (Math.imul((rotated(h1, 19) + h2) | 0, 5) + 0x561ccd1b) | 0;
    h2 ^= Math.imul(rotated(Math.imul(word(bytes, at + 4), C2), 16), C3);
    h2 = (Math.imul((rotated(h2, 17) + h3) | 0, 5) + 0x0bcaa747) | 0;
    h3 ^= Math.imul(rotated(Math.imul(word(bytes, at + 8), C3), 17), C4);
    h3 = (Math.imul((rotated(h3, 15) + h4) | 0, 5) + 0x96cd1c35) | 0;
    h4 ^= Math.imul(rotated(Math.imul(word(bytes, at + 12), C4), 18), C1);
    h4 = (Math.imul((rotated(h4, 13) + h1) | 0, 5) + 0x32ac3b17) | 0;
  }
  const rest = to - at;
  if (rest > 12) h4 ^= Math.imul(rotated(Math.imul(partWord(bytes, at + 12, to), C4), 18), C1);
  if (rest > 8) h3 ^= Math.imul(rotated(Math.imul(partWord(bytes, at + 8, to), C3), 17), C4);
  if (rest > 4) h2 ^= Math.imul(rotated(Math.imul(partWord(bytes, at + 4, to), C2), 16), C3);
  if (rest > 0) h1 ^= Math.imul(rotated(Math.imul(partWord(bytes, at, to), C1), 15), C2);
  h1 ^= length;
  h2 ^= length;
  h3 ^= length;
  h4 ^= length;
  h1 = (h1 + h2 + h3 + h4) | 0;
  h2 = mixed((h2 + h1) | 0);
  h3 = mixed((h3 + h1) | 0);
  h4 = mixed((h4 + h1) | 0);
  h1 = mixed(h1);
  h1 = (h1 + h2 + h3 + h4) | 0;
  key.a = h1;
  key.b = (h2 + h1) | 0;
  key.c = (h3 + h1) | 0;
}

function word(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at] as number) |
    ((bytes[at + 1] as number) << 8) |
    ((bytes[at + 2] as number) << 16) |
    ((bytes[at + 3] as number) << 24)
  );
}

/** A word of which only the bytes before `to` are there. */
function partWord(bytes: Uint8Array, at: number, to: number): number {
  let found = 0;
  for (let i = 0; i < 4 && at + i < to; i++) found |= (bytes[at + i] as number) << (8 * i);
  return found;
}

function rotated(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}

function mixed(value: number): number {
  let h = value;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
