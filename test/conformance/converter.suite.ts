import { describe, expect, test } from 'vitest';
import { isLakewardError } from '../../src/model/errors.ts';
import type { ConvertResult } from '../../src/ports/converter.ts';
import type { Bench } from '../convert/records.ts';
import { ARRIVAL_MS, INT64, STRING, allRows, batchOf, columns, rejectedRows, source } from '../convert/records.ts';

/** What every `Converter` does. `open` gives one with room for jobs. */
export function converterSuite(name: string, open: () => Promise<Bench>): void {
  const within = async (use: (made: Bench) => Promise<void>): Promise<void> => {
    const made = await open();
    try {
      await use(made);
    } finally {
      await made.close();
    }
  };

  describe(name, () => {
    landingTests(within);
    callTests(within);
  });
}

type Within = (use: (made: Bench) => Promise<void>) => Promise<void>;

function landingTests(within: Within): void {
  test('every record comes out once, in its partition or rejected, with its place', () =>
    within(async ({ converter, job }) => {
      const given = await job({
        layout: 'day={dd}/kind={kind}/',
        eventTime: { from: 'field', field: 'at', form: 'iso' },
        plan: { version: 3, misfit: 'reject', columns: columns({ id: INT64, kind: STRING }) },
      });
      const at = '2026-11-20T01:02:03Z';
      const first = batchOf(
        [{ id: 1, kind: 'a', at }, '{nope', { id: 2, kind: 'b', at }, { id: 'x', kind: 'a', at }],
        4,
        10,
      );
      const second = batchOf(
        [
          { id: 3, kind: 'a', at: '2026-11-21T11:00:00Z' },
          { id: 4, kind: 'a', at },
        ],
        5,
        0,
      );
      const result = await converter.convert(given, source(first, second));
      expect(result.rows).toBe(4);
      expect(result.files.map(({ partition, rows }) => `${partition} ${rows}`).sort()).toEqual([
        'day=20/kind=a 2',
        'day=20/kind=b 1',
        'day=21/kind=a 1',
      ]);
      expect((await rejectedRows(result)).map(({ code, shard, offset }) => [code, shard, offset])).toEqual([
        ['not-json', 4, 11],
        ['wrong-type', 4, 13],
      ]);
      expect(result.rejected?.reasons).toEqual([
        { code: 'not-json', rows: 1 },
        { code: 'wrong-type', column: 'id', rows: 1 },
      ]);
      expect([...result.eventHighMs]).toEqual([
        [4, Date.parse(at)],
        [5, Date.parse('2026-11-21T11:00:00Z')],
      ]);
      const ids = (await allRows(result)).map((row) => Number(row['id']));
      expect(ids.sort((a, b) => a - b)).toEqual([1, 2, 3, 4]);
      checkTimes(result, Date.parse(at));
    }));

  test('rows of a partition keep the order in which they were given', () =>
    within(async ({ converter, job }) => {
      const given = await job({
        layout: 'half={half}/',
        plan: { version: 1, misfit: 'extra', columns: columns({ id: INT64 }) },
      });
      // Every third record needs work that the others do not.
      const records = Array.from({ length: 6000 }, (_, id) => ({
        id,
        half: id % 2,
        ...(id % 3 === 0 ? { more: [id] } : {}),
      }));
      const result = await converter.convert(
        given,
        source(batchOf(records.slice(0, 2500)), batchOf(records.slice(2500), 0, 2500)),
      );
      for (const { local } of result.files) {
        const ids = (await allRows({ ...result, files: result.files.filter((file) => file.local === local) })).map(
          Number0,
        );
        expect(ids).toEqual([...ids].sort((a, b) => a - b));
      }
      expect(result.rows).toBe(6000);
    }));

  test('the first rejected row is told, and the most among so many rows in a row', () =>
    within(async ({ converter, job }) => {
      const given = {
        ...(await job({ plan: { version: 1, misfit: 'extra', columns: columns({ id: INT64 }) } })),
        rejectWindow: 10,
      };
      const bad = new Set([3, 20, 25, 29, 30, 44]);
      const records = Array.from({ length: 50 }, (_, i) => (bad.has(i) ? `no json ${i}` : JSON.stringify({ id: i })));
      const result = await converter.convert(
        given,
        source(batchOf(records.slice(0, 28), 2), batchOf(records.slice(28), 2, 28)),
      );
      expect(result.rejected).toMatchObject({
        rows: 6,
        densest: 3,
        first: { code: 'not-json', column: null, shard: 2, offset: 3 },
      });
    }));

  test('no records make no files', () =>
    within(async ({ converter, job }) => {
      const result = await converter.convert(await job({}), source());
      expect(result).toMatchObject({ files: [], rejected: undefined, rows: 0, extraRows: 0 });
    }));

  test('event time is arrival when the job says so', () =>
    within(async ({ converter, job }) => {
      const result = await converter.convert(await job({ layout: 'h={HH}' }), source(batchOf([{ id: 1 }])));
      expect(result.files[0]).toMatchObject({ partition: 'h=12', eventMinMs: ARRIVAL_MS, eventMaxMs: ARRIVAL_MS });
    }));
}

const Number0 = (row: Record<string, unknown>): number => Number(row['id']);

function checkTimes(result: ConvertResult, earliestMs: number): void {
  for (const file of result.files) {
    expect(file.eventMinMs).toBeLessThanOrEqual(file.eventMaxMs);
    expect(file.eventMinMs).toBeGreaterThanOrEqual(earliestMs);
    expect(file.bytes).toBeGreaterThan(0);
  }
}

function callTests(within: Within): void {
  test('calls at the same time all get their own rows', () =>
    within(async ({ converter, job }) => {
      const results = await Promise.all(
        [1, 2, 3, 4].map(async (id) => converter.convert(await job({}), source(batchOf([{ id }, { id }])))),
      );
      for (const [i, result] of results.entries()) {
        expect((await allRows(result)).map(Number0)).toEqual([i + 1, i + 1]);
      }
    }));

  test('an aborted call ends with the reason, and the next one works', () =>
    within(async ({ converter, job }) => {
      const abort = new AbortController();
      const reason = new Error('enough');
      const endless = {
        async *[Symbol.asyncIterator]() {
          for (let i = 0; ; i++) {
            if (i === 3) abort.abort(reason);
            yield await Promise.resolve(batchOf([{ id: i }], 0, i));
          }
        },
      };
      await expect(converter.convert(await job({}), endless, { signal: abort.signal })).rejects.toBe(reason);
      expect((await converter.convert(await job({}), source(batchOf([{ id: 1 }])))).rows).toBe(1);
    }));

  test('a layout or plan that cannot work is refused', () =>
    within(async ({ converter, job }) => {
      const twice = { version: 1, misfit: 'reject', columns: columns({ a: INT64, A: INT64 }) } as const;
      const codes = await Promise.all(
        [await job({ layout: '/x' }), await job({ plan: twice })].map((given) =>
          converter.convert(given, source(batchOf([{ id: 1 }]))).then(
            () => 'converted',
            (error: unknown) => (isLakewardError(error) ? error.code : String(error)),
          ),
        ),
      );
      expect(codes).toEqual(['layout-invalid', 'schema-invalid']);
    }));

  test('an inferred plan fits its sample', () =>
    within(async ({ converter, job }) => {
      const records = [
        { id: 1, at: '2026-11-20T00:00:00Z', price: 1 },
        { id: 2, price: 1.5, nested: { a: [1] }, none: null },
      ];
      const eventTime = { from: 'field', field: 'at', form: 'iso' } as const;
      const plan = await converter.infer([batchOf(records)], { eventTime, layout: 'p={shop}/{dd}' });
      expect(plan).toEqual({
        version: 1,
        misfit: 'extra',
        columns: columns({
          id: INT64,
          at: { kind: 'timestamp', from: 'iso' },
          price: { kind: 'double' },
          nested: { kind: 'json' },
          shop: STRING,
        }),
      });
      const result = await converter.convert(await job({ plan, eventTime }), source(batchOf(records)));
      expect(result.rows).toBe(1);
      expect((await rejectedRows(result)).map(({ code }) => code)).toEqual(['event-time-missing']);
    }));

  test('closing twice is fine, converting after it fails', () =>
    within(async ({ converter, job }) => {
      await converter.open();
      await converter.close();
      await converter.close();
      await expect(converter.convert(await job({}), source())).rejects.toMatchObject({ code: 'convert-failed' });
    }));
}
