/** SQL of operators that means harm, or does it by accident: refused, or bounded. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { inSandbox } from '../../src/convert/engine/instance.ts';
import type { ColumnPlan, Transform } from '../../src/model/column-plan.ts';
import { isLakewardError } from '../../src/model/errors.ts';
import { MIB } from '../../src/model/limits.ts';
import type { Bench } from '../convert/records.ts';
import { INT64, STRING, batchOf, bench, columns, rejectedRows, source } from '../convert/records.ts';

let made: Bench;
beforeAll(async () => {
  made = await bench({ hangMs: 2000 });
});
afterAll(() => made.close());

const PLAN: ColumnPlan = {
  version: 1,
  misfit: 'extra',
  columns: columns({ a: INT64, b: STRING, s: { kind: 'struct', fields: columns({ x: INT64 }) } }),
};

interface Problem {
  readonly path: string;
  readonly reason: string;
}

async function problemsOf(transform: Transform, plan: ColumnPlan | 'none' = PLAN): Promise<readonly Problem[]> {
  try {
    await made.converter.checkTransform(transform, plan === 'none' ? undefined : plan);
  } catch (error) {
    if (isLakewardError(error, 'transform-invalid')) return error.details?.['problems'] as Problem[];
    throw error;
  }
  return [];
}

async function refusal(transform: Transform, plan: ColumnPlan | 'none' = PLAN): Promise<string> {
  const problems = await problemsOf(transform, plan);
  return problems.length === 0 ? 'accepted' : problems.map(({ path, reason }) => `${path}: ${reason}`).join('; ');
}

/** None may get through, as a column or as the filter. */
const HARMFUL = [
  // Files, networks, settings and the process.
  "read_text('/etc/passwd')",
  "(SELECT content FROM read_text('/etc/passwd'))",
  "(FROM '/etc/passwd')",
  "EXISTS(SELECT 1 FROM glob('/*'))",
  "a = ANY(SELECT a FROM read_csv('/etc/passwd'))",
  "getenv('HOME')",
  "current_setting('home_directory')",
  "getvariable('x')",
  "query('SELECT 1')",
  "json_serialize_plan('SELECT 1')",
  "write_log('x')",
  "parse_path('/etc/passwd')",
  // Statements, and text around the expression.
  "1; COPY (SELECT 1) TO '/tmp/x'",
  "1) TO '/tmp/x'; --",
  "a FROM read_csv('/etc/passwd')",
  "a INTO OUTFILE '/tmp/x'",
  "1; ATTACH '/tmp/x.db'",
  '1; PRAGMA version',
  "1; SET memory_limit = '1TB'",
  '1; INSTALL httpfs',
  '1 UNION ALL SELECT 2',
  'a ORDER BY 1',
  'a LIMIT 1',
  'DISTINCT a',
  'a, b',
  'a AS c',
  'a WHERE true',
  'a USING SAMPLE 1',
  'a /* no end',
  "'no end",
  '(',
  ' -- only a comment',
  '*',
  'COLUMNS(*)',
  's.*',
  '?',
  '$1',
  '#1',
  'DEFAULT',
  // What another run would answer differently.
  'random()',
  'uuid()',
  'gen_random_uuid()',
  'uuidv7()',
  'now()',
  'today()',
  'transaction_timestamp()',
  'current_localtimestamp()',
  'get_current_time()',
  'age(b::timestamp)',
  'version()',
  'txid_current()',
  "nextval('s')",
  'setseed(0.5)',
  'hash(a)',
  // Time and memory without bound.
  'sleep_ms(100000)',
  "repeat('x', 1000000000)",
  "repeat('x', a)",
  "repeat(repeat(repeat('x', 1000), 1000), 1000)",
  "lpad(b, 1000000000, 'x')",
  "rpad(b, 1000 * 1000 * 1000, 'x')",
  "format('{:1000000000}', a)",
  "printf('%1000000000d', a)",
  'range(1000000000000)',
  'generate_series(1, 1000000000000)',
  'bar(a, 0, 1, 1000000000)',
  'levenshtein(b, b)',
  'list_transform([1], x -> x)',
  'unnest([1, 2])',
  "'(a*)*b'::bit",
  'sum(a)',
  'row_number() OVER ()',
  // Functions that die on deep JSON.
  "json_merge_patch(b, '{}')",
  'json_structure(b)',
  "json_contains(b, '1')",
  'b::variant',
  "error('x')",
  // Others that are not known.
  'nosuchfunction(a)',
  'other.md5(b)',
  'memory.main.md5(b)',
  'b COLLATE nocase',
  "b::enum('x')",
  'b::nosuchtype',
  'b::int[]',
  '1e999',
  '',
];

/** They read like columns, and there are none of these names. */
const NO_COLUMNS = [
  'current_timestamp',
  'current_date',
  'current_user',
  'nosuchcolumn',
  'lines.a',
  'rowid',
  'memory.a',
];

describe('an expression', () => {
  it('that means harm is refused, each by itself', async () => {
    const columns = Object.fromEntries(HARMFUL.map((sql, n) => [`c${n}`, sql]));
    const told = new Map((await problemsOf({ columns })).map(({ path, reason }) => [path, reason]));
    const reasons = HARMFUL.map((_, n) => told.get(`columns.c${n}`));
    expect(HARMFUL.filter((_, n) => reasons[n] === undefined)).toEqual([]);
    expect(told.size).toBe(HARMFUL.length);
    for (const sql of NO_COLUMNS)
      expect(await refusal({ columns: { c: sql } })).toMatch(/^columns\.c: there is no column '/);
    for (const sql of ['a; DROP TABLE t', 'a; SELECT 1', 'a, b'])
      expect(await refusal({ columns: { c: sql } })).toContain('it is not one expression');
    for (const where of ["read_text('/etc/passwd') <> ''", 'true; SELECT 1', '(SELECT true)', 'random() < 0.5'])
      expect((await problemsOf({ where })).map(({ path }) => path)).toEqual(['where']);
  });

  it.each([
    ['parentheses', (n: number) => `${'('.repeat(n)}a${')'.repeat(n)}`],
    ['NOT', (n: number) => `${'NOT '.repeat(n)}true`],
    ['a sum', (n: number) => `${'a+'.repeat(n)}a`],
    ['casts', (n: number) => `a${'::int'.repeat(n)}`],
    ['CASE', (n: number) => `${'CASE WHEN true THEN '.repeat(n)}1${' END'.repeat(n)}`],
    ['calls', (n: number) => `${'abs('.repeat(n)}a${')'.repeat(n)}`],
  ] as const)('that nests %s deeply is refused or bounded, and the engine lives', async (_, nest) => {
    expect(await refusal({ columns: { c: nest(97) } })).toBe('accepted');
    for (const depth of [101, 900, 5000, 100_000]) {
      const told = await refusal({ columns: { c: nest(depth) } });
      expect(told).toMatch(/accepted|nested deeper|depth limit|memory exhausted|recursion/i);
    }
  });

  it('names all its problems, and what is missing once the columns are known', async () => {
    const transform = { where: 'a', columns: { c: 'nope + 1', d: 'a', e: 's' }, drop: ['x', 'b'] };
    expect(await refusal(transform)).toBe("columns.c: there is no column 'nope'; drop: there is no column 'x'");
    expect(await refusal(transform, 'none')).toBe('accepted');
    expect(await refusal({ where: 'a' })).toBe('where: it is BIGINT, not BOOLEAN');
    expect(await refusal({ where: 'a = 1', columns: { c: 's.y', d: 'to_days(1)' } })).toMatch(
      /^columns\.c: Binder Error: .*; columns\.d: its type is INTERVAL: cast it/,
    );
    expect(await refusal({ keep: [] })).toBe('drop: no column is left');
    expect(await refusal({ columns: { c: 's.x', d: 's', e: "a::varchar || 'x' -- comment\n" } })).toBe('accepted');
  });
});

describe('the fence around it', () => {
  it('lets nothing through that the judge would overlook', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'fence-'));
    try {
      await writeFile(join(folder, 'in.csv'), 'a\n1\n');
      await writeFile(join(tmpdir(), 'fence-outside.csv'), 'a\n1\n');
      await inSandbox({ memoryBytes: 128 * MIB }, [folder], async (connection) => {
        const run = async (sql: string): Promise<string> => {
          try {
            return JSON.stringify((await connection.runAndReadAll(sql)).getRowObjectsJson());
          } catch (error) {
            return String(error);
          }
        };
        expect(await run(`SELECT a::INT AS a FROM read_csv('${folder}/in.csv')`)).toBe('[{"a":1}]');
        const refused = [
          "SELECT * FROM read_text('/etc/passwd')",
          `SELECT * FROM read_text('${folder}/../fence-outside.csv')`,
          `COPY (SELECT 1) TO '${folder}x'`,
          `COPY (SELECT 1) TO '${join(tmpdir(), 'fence-written')}'`,
          "ATTACH '/tmp/fence.db'",
          'INSTALL httpfs',
          'LOAD httpfs',
          "SET memory_limit = '1TB'",
          'SET enable_external_access = true',
          "SET allowed_directories = ['/']",
          'RESET lock_configuration',
          "SELECT * FROM read_csv('http://127.0.0.1:1/x')",
        ];
        const answers = await Promise.all(refused.map(run));
        expect(refused.filter((_, n) => !/Error/.test(answers[n] ?? ''))).toEqual([]);
      });
    } finally {
      await rm(folder, { recursive: true, force: true });
      await rm(join(tmpdir(), 'fence-outside.csv'), { force: true });
    }
  });
});

describe('an expression that explodes on a row', () => {
  async function converted(transform: Transform, records: readonly object[]) {
    const checked = await made.converter.checkTransform(transform, PLAN);
    if (checked === undefined) throw new Error('no transform');
    const result = await made.converter.convert(
      await made.job({ plan: { ...PLAN, transform: checked } }),
      source(batchOf(records)),
    );
    return { rows: result.rows, codes: (await rejectedRows(result)).map(({ code, offset }) => `${code} ${offset}`) };
  }
  const others = [{ a: 1, b: 'b' }];

  it('in memory costs that row', { timeout: 120_000 }, async () => {
    const row = { a: 99, b: 'x'.repeat(60_000) };
    const result = await converted({ columns: { c: "length(replace(b, 'x', b))" } }, [...others, row]);
    expect(result).toEqual({ rows: 1, codes: [expect.stringMatching(/^(engine-crash|transform-failed) 1$/)] });
  });

  it('in time costs that row', { timeout: 120_000 }, async () => {
    const row = { a: 99, b: 'x'.repeat(5000) };
    const result = await converted({ where: "b NOT LIKE '%_x%_x%_x%_x%_x%_x%_y'" }, [...others, row]);
    expect(result).toEqual({ rows: 1, codes: ['engine-crash 1'] });
  });
});
