import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type EventKey, hashBytes, readEventKey } from '../../src/convert/engine/event-key.ts';
import { fieldPath } from '../../src/convert/engine/field-path.ts';
import { eachKey, KeyFileError, writeKeyFiles } from '../../src/convert/engine/key-file.ts';
import { type KeyTable, keyTable } from '../../src/convert/engine/key-table.ts';
import { knownIds } from '../../src/convert/engine/known-ids.ts';
import { recordMembers } from '../../src/convert/engine/record-members.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lakeward-event-ids-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function keyOf(text: string): EventKey {
  const key = { a: 0, b: 0, c: 0 };
  const bytes = new TextEncoder().encode(text);
  hashBytes(bytes, 0, bytes.length, key);
  return key;
}
const hex = ({ a, b, c }: EventKey): string =>
  [a, b, c].map((word) => (word >>> 0).toString(16).padStart(8, '0')).join('');
const contents = (table: KeyTable): Map<string, number> => {
  const found = new Map<string, number>();
  table.each((key, second) => found.set(hex(key), second));
  return found;
};

describe('the id of an event', () => {
  const slots = ['id', 'other'];
  const read = (text: string, field = 'id'): string | undefined => {
    const members = recordMembers(slots);
    const bytes = Buffer.from(text);
    expect(members.scan(bytes, 0, bytes.length)).toBe('ok');
    const key = { a: 0, b: 0, c: 0 };
    return readEventKey(bytes, members, fieldPath(field, slots), key) ? hex(key) : undefined;
  };

  test('is the JSON value at its path, whatever way it is written and wherever it stands', () => {
    const id = read('{"id":"käse-1"}');
    expect(id).toMatch(/^[0-9a-f]{24}$/);
    expect(read('{ "other" : [1], "id" : "k\\u00e4se-1" }')).toBe(id);
    expect(read('{"meta":{"id":"käse-1"}}', 'meta.id')).toBe(id);
    expect(read('{"event":"käse-1"}', 'event')).toBe(id);
    expect(read('{"id":"5"}')).not.toBe(read('{"id":5}'));
    expect(read('{"id":5.0}')).not.toBe(read('{"id":5}'));
    expect(read('{"id":true}')).not.toBe(read('{"id":"true"}'));
    expect(read('{"event":5}', 'event')).toBe(read('{"id":5}'));
  });

  test('keeps every digit of a number, however deep it lies', () => {
    const ids = ['9007199254740993', '9007199254740992', '12345678901234567890', '12345678901234567891'];
    for (const field of ['id', 'event', 'meta.id', 'other.deep.id']) {
      const names = field.split('.').toReversed();
      const record = (id: string): string => names.reduce((inner, name) => `{"${name}":${inner}}`, id);
      expect(new Set(ids.map((id) => read(record(id), field))).size).toBe(ids.length);
      expect(read(record(ids[3] as string), field)).toBe(read(`{"id":${ids[3]}}`));
    }
    expect(read('{"meta":{"id":1.50}}', 'meta.id')).toBe(read('{"id":1.5}'));
  });

  test('is absent where the field is missing, null, an object or an array', () => {
    for (const text of ['{}', '{"id":null}', '{"id":{}}', '{"id":[1]}', '{"other":1}'])
      expect(read(text)).toBeUndefined();
    expect(read('{"id":"x"}', 'id.deep')).toBeUndefined();
  });

  test('is never that of another text among a hundred thousand alike', () => {
    const seen = new Set<string>();
    for (let i = 0; i < 100_000; i++) seen.add(hex(keyOf(`event-${i}`)));
    expect(seen.size).toBe(100_000);
    const first = new Set([...seen].map((key) => key.slice(0, 8)));
    // Birthdays of a hundred thousand among 2^32: about one.
    expect(100_000 - first.size).toBeLessThan(9);
  });

  test('is the same in every version, as files hold it', () => {
    expect(
      ['', 'a', 'event-12345678', '0190f6b2-7b7c-7cc0-a6d4-3a1c9e1f2b3c'].map((text) => hex(keyOf(text))),
    ).toMatchSnapshot();
  });
});

describe('a table of event ids', () => {
  test('holds what a map holds, through any sets, forgets and growth', () => {
    // Few first words, so that ids meet at one place and wrap around the end.
    const id = fc.record({
      a: fc.constantFrom(0, 1, 0x7fffffff, -1, -2, -3),
      b: fc.nat(60),
      c: fc.constantFrom(0, -1),
    });
    const step = fc.record({ id, second: fc.integer({ min: 1, max: 3 }), forget: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
        const table = keyTable();
        const model = new Map<string, number>();
        for (const { id: key, second, forget } of steps) {
          if (!forget) {
            table.set(key, second);
            model.set(hex(key), second);
          } else {
            table.forget(key, second);
            if (model.get(hex(key)) === second) model.delete(hex(key));
          }
          expect(table.get(key)).toBe(model.get(hex(key)) ?? 0);
        }
        expect(table.size()).toBe(model.size);
        expect(contents(table)).toEqual(model);
      }),
    );
  });

  test('takes at most 40 bytes an id, and finds each of a hundred thousand', () => {
    const table = keyTable();
    for (let i = 0; i < 100_000; i++) table.set(keyOf(`e${i}`), i + 1);
    for (let i = 0; i < 100_000; i++) expect(table.get(keyOf(`e${i}`))).toBe(i + 1);
    expect(table.get(keyOf('none'))).toBe(0);
    expect(table.bytes() / 100_000).toBeLessThan(40);
  });
});

describe('a file of event ids', () => {
  const written = (count: number, keysMax?: number) => {
    const table = keyTable();
    for (let i = 0; i < count; i++) table.set(keyOf(`e${i}`), 1_800_000_000 + (i % 7));
    return { table, files: writeKeyFiles(folder, table, keysMax) };
  };

  test('gives back what was written, cut at the bound, with its last arrival', () => {
    const { table, files } = written(2500, 1000);
    expect(files.map(({ keys, bytes }) => [keys, bytes])).toEqual([
      [1000, 16_016],
      [1000, 16_016],
      [500, 8016],
    ]);
    expect(Math.max(...files.map(({ lastArrivalMs }) => lastArrivalMs))).toBe(1_800_000_006_999);
    const found = new Map<string, number>();
    for (const { local } of files) eachKey(local, (key, second) => found.set(hex(key), second));
    expect(found).toEqual(contents(table));
    expect(writeKeyFiles(folder, keyTable())).toEqual([]);
  });

  test('has the bytes that every version reads', () => {
    const { files } = written(2);
    expect(readFileSync(files[0]?.local ?? '').toString('hex')).toMatchSnapshot();
  });

  test('is refused when a byte of it is another, or some are missing', () => {
    const path = written(3).files[0]?.local ?? '';
    const whole = readFileSync(path);
    for (const at of [0, 6, 8, 13, 20, whole.length - 1]) {
      const changed = Buffer.from(whole);
      changed[at] = (changed[at] ?? 0) ^ 1;
      writeFileSync(path, changed);
      expect(() => eachKey(path, () => undefined), `byte ${at}`).toThrow(KeyFileError);
    }
    writeFileSync(path, whole.subarray(0, -16));
    expect(() => eachKey(path, () => undefined)).toThrow(KeyFileError);
    expect(() => eachKey(join(folder, 'none'), () => undefined)).toThrow(KeyFileError);
  });
});

describe('the ids an engine knows', () => {
  test('are those of the files named, whatever files were named before', () => {
    const ids = Array.from({ length: 12 }, (_, i) => [`only-${i}`, `shared-${i % 3}`]);
    const names = ids.map((texts, i) => {
      const table = keyTable();
      for (const text of texts) table.set(keyOf(text), 100 + i);
      const [file] = writeKeyFiles(folder, table);
      const bytes = readFileSync(file?.local ?? '');
      writeFileSync(join(folder, `f-${i}`), bytes);
      return `f-${i}`;
    });
    const range = fc.tuple(fc.nat(12), fc.nat(12)).map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const);
    fc.assert(
      fc.property(fc.array(range, { minLength: 1, maxLength: 8 }), fc.constantFrom(5, 1000), (ranges, keysMax) => {
        const known = knownIds(() => undefined, keysMax);
        for (const [i, [from, to]] of ranges.entries()) {
          const files = names.slice(from, to);
          const delivery = i % 3 === 2 ? 'other' : 'd';
          const table = known.of({ delivery, key: 'id', windowMs: 1, folder, files, keys: 2 * files.length });
          const fresh = knownIds(() => undefined);
          expect(contents(table)).toEqual(
            contents(fresh.of({ delivery, key: 'id', windowMs: 1, folder, files, keys: 2 * files.length })),
          );
        }
      }),
      { numRuns: 60 },
    );
  });
});
