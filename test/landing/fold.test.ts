import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodeEntry, type Entry, type EntryBody, parseEntry } from '../../src/landing/entry.ts';
import { EMPTY_STATE, fold, type LandingState, valid } from '../../src/landing/fold.ts';
import { lakePath } from '../../src/model/lake-path.ts';
import { asOffset, asShard } from '../../src/model/stream.ts';

const entryOf = (n: number, body: EntryBody, nonce = `nonce-${n}`): Entry => ({
  v: 1,
  n,
  nonce,
  writer: 'w',
  timeMs: n,
  ...body,
});
const OPEN: EntryBody = { kind: 'open', lakeId: 'l', stream: { name: 's', id: 'i' }, positions: { 0: 10 } };
const fileAt = (path: string, rows: number) => ({
  path: lakePath(path),
  staged: lakePath(`_lakeward/d/staged/${path}`),
  rows,
  bytes: rows * 7,
  checksum: '00000000',
  partition: 'p',
  eventMinMs: 0,
  eventMaxMs: 1,
  planVersion: 1,
  closedBecause: 'age' as const,
  columns: [],
});
const append = (ranges: Record<string, [number, number]>, files: ReturnType<typeof fileAt>[] = []): EntryBody => ({
  kind: 'append',
  ranges,
  planVersion: 1,
  files,
  rejected: [],
  extraRows: 0,
  lateRows: 0,
});
const opened = fold(EMPTY_STATE, entryOf(0, OPEN));

/** Any body, most of them not valid where they are tried. */
const body: fc.Arbitrary<EntryBody> = fc.oneof(
  fc
    .record({ shard: fc.nat(2), from: fc.nat(30), count: fc.nat(6), file: fc.nat(8) })
    .map(({ shard, from, count, file }) => append({ [shard]: [from, from + count] }, [fileAt(`d/${file}`, count)])),
  fc.array(fc.nat(8), { minLength: 1, maxLength: 2 }).map((files): EntryBody => {
    const removed = [...new Set(files)].map((file) => lakePath(`d/${file}`));
    return { kind: 'replace', repair: false, removed, files: [fileAt(`d/m-${files.join('-')}`, 1)], rejected: [] };
  }),
  fc.nat(20).map((n): EntryBody => ({ kind: 'sweep', nonces: [`nonce-${n}`] })),
  fc.record({ shard: fc.nat(2), from: fc.nat(30), count: fc.nat(4) }).map(
    ({ shard, from, count }): EntryBody => ({
      kind: 'gap',
      gaps: [{ shard: asShard(shard), from: asOffset(from), to: asOffset(from + count), cause: 'expired' }],
      removed: [],
      lostRows: 0,
    }),
  ),
);

describe('the fold of a landing log', () => {
  test('lets through, of any proposals, only ranges that join without hole or overlap', () => {
    fc.assert(
      fc.property(fc.array(body, { maxLength: 60 }), (bodies) => {
        let state: LandingState = opened;
        const covered = new Map<string, number>([['0', 10]]);
        const live = new Set<string>();
        for (const [i, one] of bodies.entries()) {
          const entry = entryOf(state.n + 1, one, `nonce-${i}`);
          if (!valid(state, entry)) continue;
          state = fold(state, entry);
          if (one.kind === 'append') {
            for (const [shard, [from, to]] of Object.entries(one.ranges)) {
              expect(from).toBe(covered.get(shard) ?? 0);
              covered.set(shard, to);
            }
          }
          for (const gap of one.kind === 'gap' ? one.gaps : []) {
            expect(gap.from).toBe(covered.get(String(gap.shard)) ?? 0);
            covered.set(String(gap.shard), gap.to);
          }
          if (one.kind === 'replace') for (const path of one.removed) expect(live.delete(path)).toBe(true);
          if (one.kind === 'append' || one.kind === 'replace') for (const { path } of one.files) live.add(path);
          expect(new Set(state.added.keys())).toEqual(live);
        }
        expect(new Map([...state.positions].map(([shard, at]) => [String(shard), at]))).toEqual(covered);
      }),
      { numRuns: 300 },
    );
  });

  test('never takes the same append twice, unless its ranges are empty', () => {
    const entry = entryOf(1, append({ 0: [10, 15] }));
    const state = fold(opened, entry);
    expect(valid(opened, entry)).toBe(true);
    expect(valid(state, entry)).toBe(false);
  });

  test('refuses everything of a condemned nonce', () => {
    const state = fold(opened, entryOf(1, { kind: 'sweep', nonces: ['slow'] }));
    expect(valid(state, { ...append({ 0: [10, 11] }), nonce: 'slow' })).toBe(false);
    expect(valid(state, { ...append({ 0: [10, 11] }), nonce: 'awake' })).toBe(true);
  });

  test('keeps the watermark from going back', () => {
    const first = fold(opened, entryOf(1, { ...append({}), watermarkMs: 50 } as EntryBody));
    expect(fold(first, entryOf(2, { ...append({}), watermarkMs: 20 } as EntryBody)).watermarkMs).toBe(50);
  });
});

describe('the bytes of an entry', () => {
  test('come back as they were', () => {
    fc.assert(
      fc.property(body, fc.nat(1000), (one, n) => {
        const entry = entryOf(n, one);
        expect(parseEntry(encodeEntry(entry), n, 'path')).toEqual(entry);
      }),
    );
  });

  test('stay as they are written down here', () => {
    const entry = entryOf(1, append({ 0: [10, 12] }, [fileAt('d/a', 2)]));
    expect(new TextDecoder().decode(encodeEntry(entry))).toBe(
      '{"v":1,"n":1,"nonce":"nonce-1","writer":"w","timeMs":1,"kind":"append","ranges":{"0":[10,12]},"planVersion":1,' +
        '"files":[{"path":"d/a","staged":"_lakeward/d/staged/d/a","rows":2,"bytes":14,"checksum":"00000000",' +
        '"partition":"p","eventMinMs":0,"eventMaxMs":1,"planVersion":1,"closedBecause":"age","columns":[]}],' +
        '"rejected":[],"extraRows":0,"lateRows":0}',
    );
  });

  test.each([
    ['cut off', '{"v":1,"n":1'],
    ['of a later version', '{"v":2,"n":1,"nonce":"a","writer":"w","timeMs":1,"kind":"sweep","nonces":[]}'],
    ['of another number', '{"v":1,"n":2,"nonce":"a","writer":"w","timeMs":1,"kind":"sweep","nonces":[]}'],
    ['of an unknown kind', '{"v":1,"n":1,"nonce":"a","writer":"w","timeMs":1,"kind":"constructor"}'],
    [
      'with a path that leaves the lake',
      JSON.stringify(
        entryOf(1, { kind: 'replace', repair: false, removed: ['../x'], files: [], rejected: [] } as never),
      ),
    ],
    ['with a range that runs backwards', JSON.stringify(entryOf(1, append({ 0: [5, 4] })))],
    ['not UTF-8', '\u{fffd}'],
  ])('are refused when %s', (_, text) => {
    expect(() => parseEntry(new TextEncoder().encode(text), 1, 'path')).toThrow(/path/);
  });

  test('of an emptied entry say so', () => {
    expect(parseEntry(new TextEncoder().encode('{}'), 1, 'path')).toBe('emptied');
  });
});

test('an entry without ranges moves the watermark alone: nothing landed, and known event ids stay known', () => {
  const files = [{ name: 'n-0', keys: 3, bytes: 48, checksum: '00000000', lastArrivalMs: 1 }];
  const dedupe = { key: 'id', windowMs: 1000, firstArrivalMs: 1, duplicateRows: 0, unkeyedRows: 0, files };
  const landed = fold(
    opened,
    entryOf(1, { ...append({ 0: [10, 13] }, [fileAt('d/p/a', 3)]), dedupe, watermarkMs: 5 } as EntryBody),
  );
  expect(landed.known.keys).toBe(3);
  const later = fold(landed, entryOf(2, { ...append({}), watermarkMs: 9 } as EntryBody));
  expect(later).toMatchObject({ n: 2, watermarkMs: 9, lastLandedMs: 1, totals: { rows: 3 } });
  expect(later.known).toEqual(landed.known);
  expect(later.rejects).toEqual(landed.rejects);
});
