import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KIND } from '../../src/convert/engine/json-scan.ts';
import { recordMembers } from '../../src/convert/engine/record-members.ts';

const SLOTS = ['id', 'event_time', 'a', '', 'ü', 'a"b', 'c\\d', 'tab\t', '__proto__', 'event_tim'];

/** What JSON.parse says of the same text: undefined when it is none. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

const isObject = (value: unknown): boolean => typeof value === 'object' && value !== null && !Array.isArray(value);

/** JSON, sometimes spoilt by one character or cut. */
const text = fc
  .tuple(
    fc.array(fc.tuple(fc.oneof(fc.constantFrom(...SLOTS), fc.string()), fc.json({ maxDepth: 2 })), { maxLength: 8 }),
    fc.constantFrom('', ' ', '\n', '\t '),
    fc.constantFrom('', '', '', '"', '\\', '\u0001', '}', ',', 'x', '\\u00e9', '\u00e9'),
    fc.nat(),
  )
  .map(([members, space, spoil, at]) => {
    const whole = `${space}{${members.map(([key, json]) => `${space}${JSON.stringify(key)}${space}:${space}${json}`).join(',')}}${space}`;
    const place = at % (whole.length + 1);
    return `${whole.slice(0, place)}${spoil}${whole.slice(place)}`;
  });

describe('the scan of a record', () => {
  it('agrees with JSON.parse on what is JSON and on every value, wherever the record lies', () => {
    const members = recordMembers(SLOTS);
    fc.assert(
      fc.property(text, fc.nat({ max: 9 }), fc.boolean(), (json, before, atEnd) => {
        fc.pre(json.isWellFormed() && !/\\ud[89a-f]/i.test(json));
        const record = Buffer.from(json);
        const bytes = Buffer.concat([Buffer.from('"'.repeat(before)), record, Buffer.from(atEnd ? '' : '"}]\\1e5')]);
        const verdict = members.scan(bytes, before, before + record.length);
        const value = parsed(json);
        if (!isObject(value)) {
          expect(verdict).toBe(value === undefined ? 'not-json' : 'not-an-object');
          return;
        }
        expect(verdict).toBe('ok');
        const found = new Map<string, unknown>();
        for (const [slot, name] of SLOTS.entries()) {
          if (members.kind[slot] === KIND.none) continue;
          found.set(name, parsed(bytes.toString('utf8', members.from[slot], members.to[slot])));
        }
        for (const { key, from, to } of members.others()) found.set(key, parsed(bytes.toString('utf8', from, to)));
        const wanted = Object.entries(value as object) as [string, unknown][];
        expect([...found].sort(byKey)).toEqual(wanted.sort(byKey));
        expect(members.empty()).toBe(wanted.length === 0);
      }),
      { numRuns: 3000 },
    );
  });

  it('stops at a quote, an escape or a control character in any place of a long text', () => {
    const members = recordMembers(['s']);
    const scan = (s: string): string => {
      const bytes = Buffer.from(`{"s":"${s}"}`);
      return members.scan(bytes, 0, bytes.length);
    };
    for (let length = 0; length < 24; length++) {
      for (let at = 0; at <= length; at++) {
        const around = (middle: string): string => scan('é'.repeat(at) + middle + '\x7f'.repeat(length - at));
        expect([around(''), around('\\n'), around('\x1f'), around('"'), around('\\'), around('\x20')]).toEqual([
          'ok',
          'ok',
          'not-json',
          'not-json',
          'not-json',
          'ok',
        ]);
      }
    }
  });
});

function byKey([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
