/**
 * Event ids with the second their row arrived: an open-addressing table in one typed array, 16 bytes a slot, no object per id. Two
 * thirds of the slots are filled at most, so an id takes 24 to 40 bytes. Linear probing, deletion shifts back, so nothing is left
 * of an id that went. The place of an id follows its first word in order: ids of one table fill another in memory order.
 */
import type { EventKey } from './event-key.ts';

export interface KeyTable {
  readonly size: () => number;
  readonly bytes: () => number;
  /** The second remembered, 0 for an id that is not there. */
  get(key: EventKey): number;
  /** Remembers the id with a second > 0, instead of the one before. */
  set(key: EventKey, second: number): void;
  /** Forgets the id if it is remembered with this second. */
  forget(key: EventKey, second: number): void;
  /** Makes room for so many more ids at once: ids in order would fill the front of a small table. */
  reserve(more: number): void;
  /** Calls back for every id, in the order of their places; `key` is reused. */
  each(visit: (key: EventKey, second: number) => void): void;
}

const WORDS = 4;
const FIRST_SLOTS = 1024;
const FILLED_MAX = 2 / 3;
const GROWTH = 1.5;

export function keyTable(): KeyTable {
  let slots = FIRST_SLOTS;
  let table = new Uint32Array(slots * WORDS);
  let size = 0;

  function home(a: number): number {
    return Math.floor(((a >>> 0) * slots) / 0x1_0000_0000);
  }

  /** Where the id lies, or the empty slot where it belongs; as a position in the table. */
  function find({ a, b, c }: EventKey): number {
    const end = slots * WORDS;
    let at = home(a) * WORDS;
    while (table[at + 3] !== 0) {
      if (table[at] === a >>> 0 && table[at + 1] === b >>> 0 && table[at + 2] === c >>> 0) return at;
      at += WORDS;
      if (at === end) at = 0;
    }
    return at;
  }

  function set(key: EventKey, second: number): void {
    let at = find(key);
    if (table[at + 3] === 0) {
      if (size + 1 > slots * FILLED_MAX) {
        grow(Math.ceil(slots * GROWTH));
        at = find(key);
      }
      size++;
      table[at] = key.a;
      table[at + 1] = key.b;
      table[at + 2] = key.c;
    }
    table[at + 3] = second;
  }

  function grow(to: number): void {
    const old = table;
    table = new Uint32Array(to * WORDS);
    slots = to;
    const key = { a: 0, b: 0, c: 0 };
    for (let from = 0; from < old.length; from += WORDS) {
      if (old[from + 3] === 0) continue;
      readKey(old, from, key);
      table.set(old.subarray(from, from + WORDS), find(key));
    }
  }

  function forget(key: EventKey, second: number): void {
    let hole = find(key);
    if (second === 0 || table[hole + 3] !== second) return;
    size--;
    const end = slots * WORDS;
    for (let at = hole; ; ) {
      at += WORDS;
      if (at === end) at = 0;
      if (table[at + 3] === 0) break;
      const wanted = home(table[at] as number) * WORDS;
      // It stays when its home lies behind the hole, up to where it is: a search for it does not pass the hole.
      if (hole < at ? wanted > hole && wanted <= at : wanted > hole || wanted <= at) continue;
      table.copyWithin(hole, at, at + WORDS);
      hole = at;
    }
    table.fill(0, hole, hole + WORDS);
  }

  return {
    size: () => size,
    bytes: () => table.byteLength,
    get: (key) => table[find(key) + 3] as number,
    set,
    forget,
    reserve(more) {
      const needed = Math.ceil((size + more) / FILLED_MAX) + 1;
      if (needed > slots) grow(Math.max(needed, size === 0 ? 0 : Math.ceil(slots * GROWTH)));
    },
    each(visit) {
      const key = { a: 0, b: 0, c: 0 };
      for (let at = 0; at < table.length; at += WORDS) {
        if (table[at + 3] === 0) continue;
        readKey(table, at, key);
        visit(key, table[at + 3] as number);
      }
    },
  };
}

function readKey(words: Uint32Array, at: number, key: EventKey): void {
  key.a = words[at] as number;
  key.b = words[at + 1] as number;
  key.c = words[at + 2] as number;
}
