import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bytesOf, type CandidateFile, chooseGroups } from '../../src/compaction/policy.ts';
import { mulberry } from '../faults/lake/world.ts';
import { lakePath } from '../../src/model/lake-path.ts';

const HOUR_MS = 3_600_000;
const NOW_MS = 1_000 * HOUR_MS;
const RULE = { targetBytes: 1000, afterMs: HOUR_MS, nowMs: NOW_MS };

let numbers = 0;
function fileOf(bytes: number, more: Partial<CandidateFile> = {}): CandidateFile {
  return {
    path: lakePath(`d/p/${String(numbers++).padStart(9, '0')}`),
    partition: 'p',
    rows: bytes,
    bytes,
    eventMinMs: 0,
    eventMaxMs: 1,
    planVersion: 1,
    checksum: '00000000',
    publishedMs: 0,
    settled: true,
    open: false,
    ...more,
  };
}

const anyFiles = fc.array(
  fc.record({ bytes: fc.integer({ min: 1, max: 2000 }), partition: fc.constantFrom('a', 'b'), at: fc.nat(50) }),
  { maxLength: 60 },
);
const made = (drawn: readonly { bytes: number; partition: string; at: number }[]): CandidateFile[] =>
  drawn.map(({ bytes, partition, at }) => fileOf(bytes, { partition, eventMinMs: at }));

/** Merged, as if the bytes were the sum. */
function merged(files: readonly CandidateFile[]): CandidateFile[] {
  const groups = chooseGroups(files, RULE);
  const gone = new Set(groups.flatMap((group) => group.files));
  const outputs = groups.map((group) => fileOf(group.bytes, { partition: group.partition }));
  return [...files.filter((file) => !gone.has(file)), ...outputs];
}

describe('the choice of files to merge', () => {
  test('takes each small file at most once, with others of its partition, and none that is large', () => {
    fc.assert(
      fc.property(anyFiles, (drawn) => {
        const files = made(drawn);
        const seen = new Set<CandidateFile>();
        for (const group of chooseGroups(files, RULE)) {
          expect(group.files.length).toBeGreaterThanOrEqual(2);
          expect(group.bytes).toBe(bytesOf(group.files));
          expect(group.bytes).toBeLessThan(2.5 * RULE.targetBytes);
          for (const file of group.files) {
            expect(file.partition).toBe(group.partition);
            expect(file.bytes).toBeLessThan(750);
            expect(seen.has(file)).toBe(false);
            seen.add(file);
          }
        }
      }),
    );
  });

  test('comes to rest: what was merged is not merged again by itself', () => {
    fc.assert(
      fc.property(anyFiles, (drawn) => {
        let files = made(drawn);
        let rewritten = 0;
        for (let round = 0; round < 20; round++) {
          const groups = chooseGroups(files, RULE);
          rewritten += groups.reduce((sum, group) => sum + group.bytes, 0);
          if (groups.length === 0) break;
          files = merged(files);
        }
        expect(chooseGroups(files, RULE)).toEqual([]);
        expect(rewritten).toBeLessThanOrEqual(2 * bytesOf(files));
      }),
    );
  });

  test('leaves as many files of a partition as its bytes fill', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 10, max: 200 }), { minLength: 2, maxLength: 200 }), (sizes) => {
        const files = sizes.map((bytes, at) => fileOf(bytes, { eventMinMs: at }));
        const biggest = Math.max(...sizes);
        fc.pre(biggest <= 4 * (bytesOf(files) - biggest));
        const ideal = Math.max(1, Math.round(bytesOf(files) / RULE.targetBytes));
        expect(merged(files).length).toBe(ideal);
      }),
    );
  });

  test('keeps files that follow each other in time together', () => {
    const files = Array.from({ length: 40 }, (_, at) => fileOf(100, { eventMinMs: at }));
    const groups = chooseGroups(files.toReversed(), RULE);
    expect(groups.map((group) => group.files.map(({ eventMinMs }) => eventMinMs))).toEqual(
      [0, 10, 20, 30].map((from) => Array.from({ length: 10 }, (_, i) => from + i)),
    );
  });

  test.each<[string, Partial<CandidateFile>]>([
    ['may still get rows', { open: true }],
    ['got rows lately', { publishedMs: NOW_MS - HOUR_MS + 1 }],
    ['has a file of which nobody knows when it was published', { publishedMs: Number.POSITIVE_INFINITY }],
    ['has a file that may be under way', { settled: false }],
  ])('leaves a partition alone that %s', (_, more) => {
    expect(chooseGroups([fileOf(10), fileOf(10), fileOf(10)], RULE)).toHaveLength(1);
    expect(chooseGroups([fileOf(10), fileOf(10), fileOf(10, more)], RULE)).toEqual([]);
  });

  test('does not write a large file again for a few late rows, until they are a quarter of it', () => {
    const late = [fileOf(10), fileOf(20)];
    expect(chooseGroups([fileOf(500), ...late], RULE).flatMap(({ files }) => files)).toEqual(late);
    expect(chooseGroups([fileOf(500), ...late, fileOf(100)], RULE)[0]?.bytes).toBe(630);
  });

  test('begins with what is oldest', () => {
    const files = [3, 1, 2].flatMap((hour) =>
      [0, 1].map(() => fileOf(10, { partition: `h${hour}`, eventMinMs: hour * HOUR_MS })),
    );
    expect(chooseGroups(files, RULE).map(({ partition }) => partition)).toEqual(['h1', 'h2', 'h3']);
  });

  test('writes a byte less than twice in a day with 5 % of rows up to three hours late, and leaves one file an hour', () => {
    const [MINUTE_MS, MB] = [60_000, 1_000_000];
    const random = mulberry(1);
    let live: CandidateFile[] = [];
    const sums = { landed: 0, rewritten: 0 };
    const land = (hour: number, bytes: number, nowMs: number): void => {
      sums.landed += bytes;
      live.push(fileOf(bytes, { partition: `hour=${hour}`, eventMinMs: hour * HOUR_MS, publishedMs: nowMs }));
    };
    for (let minute = 0; minute < 30 * 60; minute++) {
      const nowMs = minute * MINUTE_MS;
      const hour = Math.floor(minute / 60);
      if (hour < 24) land(hour, 1.9 * MB, nowMs);
      const late = Math.floor((minute - 60 - random() * 180) / 60);
      if (late >= 0 && late < 24) land(late, 0.1 * MB, nowMs);
      if (minute % 15 !== 0) continue;
      const state = live.map((file) => ({
        ...file,
        open: file.eventMinMs + HOUR_MS + 10 * MINUTE_MS > nowMs,
        settled: nowMs - file.publishedMs >= 15 * MINUTE_MS,
      }));
      const groups = chooseGroups(state, { targetBytes: 128 * MB, afterMs: HOUR_MS, nowMs });
      const gone = new Set(groups.flatMap(({ files }) => files));
      live = state.filter((file) => !gone.has(file));
      for (const { partition, files, bytes } of groups) {
        sums.rewritten += bytes;
        live.push(fileOf(bytes, { partition, eventMinMs: files[0]?.eventMinMs ?? 0, publishedMs: nowMs }));
      }
    }
    expect(sums.rewritten / sums.landed).toBeLessThan(2);
    expect(live.length).toBeLessThanOrEqual(24 * 1.2);
  });

  test('plans for a lake of a year in less than five seconds', () => {
    const files = Array.from({ length: 100_000 }, (_, i) =>
      fileOf(100, { partition: `hour=${i % 10_000}`, eventMinMs: i % 10_000 }),
    );
    const startedMs = performance.now();
    expect(chooseGroups(files, RULE)).toHaveLength(10_000);
    expect(performance.now() - startedMs).toBeLessThan(5000);
  });
});
