import fc from 'fast-check';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KIB, LIMITS, MIB } from '../../src/model/limits.ts';
import type { RejectCode } from '../../src/model/data-file.ts';
import type { Bench } from './records.ts';
import { ARRIVAL_MS, INT64, STRING, allRows, batchOf, bench, columns, rejectedRows, source } from './records.ts';

let made: Bench;
beforeAll(async () => {
  made = await bench();
});
afterAll(async () => made.close());

const nest = (depth: number): string => `${'['.repeat(depth)}${']'.repeat(depth)}`;

describe('hostile records', () => {
  it('are rejected one by one with their bytes, and their neighbours land', async () => {
    const bad: readonly [RejectCode, Uint8Array][] = [
      ['not-utf8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])],
      ['not-json', Buffer.from('{"id":1}\x1e{"id":2}')],
      ['not-json', Buffer.from('{"id":1}\n{"id":2}')],
      ['not-json', Buffer.from('{"id":"\x1f"}')],
      ['not-json', Buffer.from('{"id":1,}')],
      ['not-json', Buffer.from('')],
      ['not-json', Buffer.from('   ')],
      ['not-json', Buffer.from('{"id":1')],
      ['not-an-object', Buffer.from('[{"id":1}]')],
      ['not-an-object', Buffer.from('7')],
      ['too-deep', Buffer.from(`{"x":${nest(LIMITS.jsonDepthMax)}}`)],
      ['too-deep', Buffer.from(`{"x":${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}}`)],
      ['too-deep', Buffer.from(nest(100_000))],
      ['wrong-type', Buffer.from(`{"id":"${'x'.repeat(LIMITS.recordBytesMax - 9)}"}`)],
      ['too-large', Buffer.from(`{"id":"${'x'.repeat(LIMITS.recordBytesMax)}"}`)],
    ];
    const records = bad.flatMap(([, bytes], i) => [bytes, Buffer.from(`{"id":${i}}`)]);
    const result = await made.converter.convert(await made.job({}), source(batchOf(records)));
    const rejected = await rejectedRows(result);
    expect(rejected.map(({ code, offset }) => [code, offset])).toEqual(bad.map(([code], i) => [code, i * 2]));
    for (const [i, row] of rejected.entries())
      expect(Buffer.from(row.data, 'base64').equals(bad[i]?.[1] ?? Buffer.of())).toBe(true);
    expect((await allRows(result)).map(({ id }) => Number(id))).toEqual(bad.map((_, i) => i));
  });

  it('may be as deep and large as the limits say', async () => {
    const plan = { version: 1, misfit: 'reject', columns: columns({ s: STRING, j: { kind: 'json' } }) } as const;
    const records = [
      `{"s":"${'x'.repeat(LIMITS.recordBytesMax - 8)}"}`,
      `{"j":${nest(LIMITS.jsonDepthMax - 1)}}`,
      ' {\n"s" :\r\n"a" }\n',
    ];
    const rows = await allRows(await made.converter.convert(await made.job({ plan }), source(batchOf(records))));
    expect(rows.map(({ s, j }) => [(s as string | null)?.length, j])).toEqual([
      [LIMITS.recordBytesMax - 8, null],
      [undefined, nest(LIMITS.jsonDepthMax - 1)],
      [1, null],
    ]);
  });

  it('cannot leave their partition by its value', async () => {
    const values = [
      '../../x',
      '..',
      '.',
      '',
      '/etc',
      '_rejected',
      'a=b',
      null,
      'x'.repeat(129),
      { o: 1 },
      'ü\0',
      '__HIVE_DEFAULT_PARTITION__',
    ];
    const plan = { version: 1, misfit: 'extra', columns: columns({ v: STRING }) } as const;
    const given = await made.job({ plan, layout: '{v}/{HH}/' });
    const result = await made.converter.convert(given, source(batchOf(values.map((v) => ({ v })))));
    expect((await rejectedRows(result)).map(({ code, offset }) => [code, offset])).toEqual([
      ['partition-value-invalid', 8],
      ['partition-value-invalid', 9],
    ]);
    const partitions = result.files.map(({ partition }) => partition);
    expect(new Set(partitions).size).toBe(10);
    for (const partition of partitions) expect(partition).toMatch(/^[^./][^/]*\/12$/);
    expect(readdirSync(made.folder).every((name) => /^(job-\d+|scratch)$/.test(name))).toBe(true);
  });

  it('may have keys and a schema that look like SQL, JSON or prototypes', async () => {
    const names = [
      '__proto__',
      'constructor',
      "a'); DROP TABLE x; --",
      'q"q',
      'b\\n',
      'a.b',
      'a/b',
      '$.x',
      '*',
      ' sp ',
      'ü😀',
      'partition_number',
      'k'.repeat(5000),
    ];
    const plan = {
      version: 1,
      misfit: 'reject',
      columns: names.map((name) => ({ name, type: STRING, nullable: true })),
    } as const;
    const record = `{${names.map((name) => `${JSON.stringify(name)}:${JSON.stringify(`v-${name}`)}`).join(',')},"toString":1,"":2,"_extra":3}`;
    const given = await made.job({ plan, layout: 'p={__proto__}' });
    const [row] = await allRows(await made.converter.convert(given, source(batchOf([record]))));
    // The reader of this test assigns to `__proto__`, so that one column cannot be seen here.
    for (const name of names.slice(1)) expect(row?.[name]).toBe(`v-${name}`);
    expect(row?.['_extra']).toBe('{"toString":1,"":2,"_extra":3}');
  });

  it('with bad event times are told apart', async () => {
    const eventTime = { from: 'field', field: 'm.t', form: 'ms' } as const;
    const plan = { version: 1, misfit: 'extra', columns: columns({ id: INT64 }) } as const;
    const t = ARRIVAL_MS;
    const records = [
      { m: { t } },
      { m: { t: t + 86_400_000 } },
      { m: { t: t + 86_400_001 } },
      { m: { t: '1' } },
      { m: { t: null } },
      { m: 1 },
      {},
      { m: { t: 1e300 } },
    ];
    const result = await made.converter.convert(
      await made.job({ plan, eventTime, layout: '{dd}' }),
      source(batchOf(records)),
    );
    expect((await rejectedRows(result)).map(({ code, offset }) => [offset, code])).toEqual([
      [2, 'event-time-future'],
      [3, 'event-time-invalid'],
      [4, 'event-time-missing'],
      [5, 'event-time-missing'],
      [6, 'event-time-missing'],
      [7, 'event-time-invalid'],
    ]);
    expect(result.files.map(({ partition }) => partition)).toEqual(['21', '22']);
  });

  it('in any mixture come out exactly once', async () => {
    const value = fc.oneof(
      fc.json({ maxDepth: 3 }),
      fc.string({ unit: 'binary', maxLength: 20 }),
      fc.constantFrom('1e999', '-0', '"\\ud83d"', 'nul', '1.0'),
    );
    const record = fc.oneof(
      {
        weight: 6,
        arbitrary: fc.dictionary(fc.constantFrom('id', 's', 'd', 'x', 'ID', '__proto__'), value).map(
          (members) =>
            `{${Object.entries(members)
              .map(([key, json]) => `"${key}":${json}`)
              .join(',')}}`,
        ),
      },
      fc.json(),
      fc.uint8Array({ maxLength: 30 }),
    );
    const plan = (misfit: 'reject' | 'extra') =>
      ({
        version: 1,
        misfit,
        columns: columns({ id: INT64, s: STRING, d: { kind: 'double' }, j: { kind: 'json' } }),
      }) as const;
    await fc.assert(
      fc.asyncProperty(
        fc.array(record, { minLength: 1, maxLength: 300 }),
        fc.constantFrom('reject', 'extra'),
        async (records, misfit) => {
          const given = await made.job({ plan: plan(misfit), layout: 's={s}/' });
          const cut = records.length >> 1;
          const result = await made.converter.convert(
            given,
            source(batchOf(records.slice(0, cut), 1), batchOf(records.slice(cut), 1, cut)),
          );
          const rows = (await allRows(result)).length;
          const rejected = await rejectedRows(result);
          expect(rows).toBe(result.rows);
          expect(rows + rejected.length).toBe(records.length);
          for (const { offset, data } of rejected)
            expect(Buffer.from(data, 'base64').equals(Buffer.from(records[offset] ?? ''))).toBe(true);
        },
      ),
      { numRuns: 25 },
    );
  });
});

describe('engines', () => {
  it('leave nothing in the scratch folder', async () => {
    expect(readdirSync(join(made.folder, 'scratch')).every((name) => name.startsWith('engine-'))).toBe(true);
    const engine = join(made.folder, 'scratch', 'engine-0');
    expect(existsSync(engine) ? readdirSync(engine).filter((name) => name.startsWith('spool')) : []).toEqual([]);
    expect(LIMITS.recordBytesMax).toBe(10 * KIB * (MIB / KIB));
  });
});
