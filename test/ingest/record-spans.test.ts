import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { arraySpans, lineSpans, nestingOf, wholeSpan } from '../../src/ingest/http/record-spans.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const cut = (body: Uint8Array, { count, starts, ends }: ReturnType<typeof lineSpans>): string[] =>
  Array.from({ length: count }, (_, i) => new TextDecoder().decode(body.subarray(starts[i], ends[i])));
const blanks = fc.stringMatching(/^[ \t\r\n]{0,3}$/);

function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  return 1 + Math.max(0, ...Object.values(value).map(depthOf));
}

describe('the elements of a JSON array', () => {
  test('are cut where JSON.parse would cut them, with their depth, whatever blanks lie between', () => {
    const array = fc.array(fc.tuple(fc.jsonValue(), blanks, blanks), { maxLength: 20 });
    fc.assert(
      fc.property(array, blanks, (items, around) => {
        const body = bytes(
          `${around}[${items.map(([value, before, after]) => before + JSON.stringify(value) + after).join(',')}]${around}`,
        );
        const spans = arraySpans(body, 100);
        expect(cut(body, spans)).toEqual(items.map(([value]) => JSON.stringify(value)));
        expect([...spans.depths.subarray(0, spans.count)]).toEqual(items.map(([value]) => depthOf(value)));
      }),
    );
  });

  test('are refused or cut so that the pieces show what JSON.parse minds, for any text', () => {
    const noise = fc.stringMatching(/^\[[[\]{},:"\\ a1]{0,12}\]$/);
    fc.assert(
      fc.property(noise, (text) => {
        const parsed = attempt(() => JSON.parse(text) as unknown[]);
        const body = bytes(text);
        const pieces = attempt(() => cut(body, arraySpans(body, 100)).map((piece) => JSON.parse(piece) as unknown));
        expect(pieces).toEqual(parsed);
      }),
      { numRuns: 2000 },
    );
  });

  test.each(['', '   ', '{}', '[', '[1', '[1,', '[,]', '[1,]', '[1,,2]', '[1]]', '[1}', '[1] 2', '["a'])(
    'are refused as a whole in %j',
    (text) => {
      expect(() => arraySpans(bytes(text), 10)).toThrow(expect.objectContaining({ code: 'body-invalid' }));
    },
  );

  test('number at most as many as allowed', () => {
    expect(arraySpans(bytes('[1,2,3]'), 3).count).toBe(3);
    expect(() => arraySpans(bytes('[1,2,3,4]'), 3)).toThrow(expect.objectContaining({ code: 'body-too-large' }));
    const many = bytes(`[${'1,'.repeat(5000)}1]`);
    expect(arraySpans(many, 100_000).count).toBe(5001);
  });
});

describe('the lines of NDJSON', () => {
  test('are all lines that are not blank, without the blanks around them', () => {
    const line = fc.tuple(blanks, fc.option(fc.jsonValue(), { nil: undefined }), blanks);
    fc.assert(
      fc.property(fc.array(line), (lines) => {
        const texts = lines.map(([, value]) => (value === undefined ? '' : JSON.stringify(value)));
        const body = bytes(lines.map(([before, , after], i) => before + texts[i] + after).join('\n'));
        expect(cut(body, lineSpans(body, 1000))).toEqual(texts.filter((text) => text !== ''));
      }),
    );
  });

  test('may end with or without a newline, and with carriage returns', () => {
    const body = bytes('{"a":1}\r\n\r\n{"b":2}\n');
    expect(cut(body, lineSpans(body, 10))).toEqual(['{"a":1}', '{"b":2}']);
    expect(cut(bytes('1'), lineSpans(bytes('1'), 10))).toEqual(['1']);
  });
});

test('a whole body is one record without the blanks around it, and none when blank', () => {
  const body = bytes(' {"a":[1]}\n');
  expect(cut(body, wholeSpan(body))).toEqual(['{"a":[1]}']);
  expect(wholeSpan(bytes(' \n')).count).toBe(0);
});

test('nesting counts brackets outside strings', () => {
  expect(nestingOf(bytes('{"[[[[\\"[[":{"a":[]}}'))).toBe(3);
  expect(nestingOf(bytes('['.repeat(1000)))).toBe(1000);
});

function attempt<T>(make: () => T): T | 'refused' {
  try {
    return make();
  } catch {
    return 'refused';
  }
}
