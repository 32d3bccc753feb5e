import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { ERRORS } from '../src/model/errors.ts';
import { errorRows, errorTableComplaints } from './architecture/error-table.ts';
import { importComplaints } from './architecture/import-rules.ts';
import { fenceComplaints, shapeComplaints } from './architecture/shape-rules.ts';
import { parseSource, readSources } from './architecture/source-file.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

describe('the repository', () => {
  const sources = readSources(root, 'src');
  const tests = readSources(root, 'test');

  test('is tested on the Node that its development dependencies pin', () => {
    const { devDependencies } = JSON.parse(readFileSync(`${root}/package.json`, 'utf8')) as {
      devDependencies: { node: string };
    };
    expect(process.versions.node).toBe(devDependencies.node);
  });

  test('has sources and tests to judge', () => {
    expect(sources.length).toBeGreaterThan(10);
    expect(tests.length).toBeGreaterThan(0);
  });

  test('keeps to the table of rooms, the package fences, and has no import cycle', () => {
    expect(importComplaints(sources)).toEqual([]);
  });

  test('reaches for time, chance and the environment only behind their ports', () => {
    expect(fenceComplaints(sources)).toEqual([]);
  });

  test('has short files and functions, telling names, head comments, and no classes but errors', () => {
    expect(shapeComplaints([...sources, ...tests])).toEqual([]);
  });

  test('documents every error code in README, and no other (npm run docs:errors)', () => {
    expect(errorTableComplaints(ERRORS, readFileSync(`${root}/README.md`, 'utf8'))).toEqual([]);
  });
});

describe('an import rule', () => {
  const imports = (path: string, ...specifiers: string[]): string[] =>
    importComplaints([parseSource(path, specifiers.map((specifier) => `import '${specifier}';`).join('\n'))]);

  test.each([
    ['src/delivery/worker.ts', '../ports/broker.ts'],
    ['src/delivery/worker.ts', './flush.ts'],
    ['src/app/compose.ts', '../broker/memory/broker.ts'],
    ['src/lake/s3/store.ts', '@aws-sdk/client-s3'],
    ['src/lake/s3/store.ts', '../path-order.ts'],
    ['src/ingest/kinesis/put-record.ts', '../admission/limit.ts'],
    ['src/ingest/server/listen.ts', 'node:http2'],
    ['src/convert/engine.ts', 'node:fs/promises'],
    ['src/config/schema.ts', 'typebox/compile'],
    ['src/main.ts', './cli/run.ts'],
    ['src/index.ts', './app/compose.ts'],
  ])('lets %s import %s', (path, specifier) => {
    expect(imports(path, specifier)).toEqual([]);
  });

  test.each([
    ['src/model/stream.ts', '../ports/clock.ts', 'model may not import ports'],
    ['src/ingest/http/put.ts', '../../delivery/worker.ts', 'ingest may not import delivery'],
    ['src/delivery/worker.ts', '../ingest/http/put.ts', 'delivery may not import ingest'],
    ['src/compaction/plan.ts', '../delivery/worker.ts', 'compaction may not import delivery'],
    ['src/broker/kafka/broker.ts', '../memory/broker.ts', 'implementations of broker are strangers'],
    ['src/lake/wrap/retry.ts', '../file/store.ts', 'implementations of lake are strangers'],
    ['src/lake/order.ts', './file/store.ts', 'implementations of lake are strangers'],
    ['src/main.ts', './app/compose.ts', 'main.ts may not import app'],
    ['src/shared/things.ts', '../model/stream.ts', "'shared' is not in the table of rooms"],
    ['src/app/compose.ts', '../../test/fakes.ts', 'sources import nothing outside src/'],
    ['src/app/compose.ts', '../model/stream.js', 'a relative import ends with .ts'],
    ['src/ingest/server/listen.ts', '@duckdb/node-api', 'only convert may'],
    ['src/compaction/execute.ts', '@duckdb/node-api', 'only convert may'],
    ['src/lake/file/store.ts', '@aws-sdk/client-s3', 'only lake/s3 may'],
    ['src/app/compose.ts', 'lodash/fp', 'the package has no entry in the table of fences'],
    ['src/app/compose.ts', 'fs', 'the package has no entry in the table of fences'],
    ['src/ingest/server/tls.ts', 'node:fs', 'only broker/embedded, lake, convert, config, cli, app may'],
    ['src/broker/memory/broker.ts', 'node:fs/promises', 'only broker/embedded, lake, convert, config, cli, app may'],
    ['src/delivery/worker.ts', 'node:timers/promises', 'only clock, schedule may'],
    ['src/cli/serve.ts', 'node:process', 'process is a global'],
    ['src/model/hash.ts', 'node:crypto', 'model has no Node'],
  ])('refuses that %s imports %s', (path, specifier, reason) => {
    expect(imports(path, specifier)).toEqual([expect.stringContaining(reason)]);
  });

  test('sees type imports, exports from, dynamic imports and import types', () => {
    const text = [
      `import type { A } from '../delivery/a.ts';`,
      `export { b } from '../delivery/b.ts';`,
      `export * from '../delivery/c.ts';`,
      `await import('../delivery/d.ts');`,
      `type E = import('../delivery/e.ts').E;`,
      `const text = "import '../delivery/f.ts'"; // import '../delivery/g.ts'`,
    ].join('\n');
    const lines = importComplaints([parseSource('src/ingest/x.ts', text)]).map((complaint) => complaint.split(' ')[0]);
    expect(lines).toEqual([
      'src/ingest/x.ts:1',
      'src/ingest/x.ts:2',
      'src/ingest/x.ts:3',
      'src/ingest/x.ts:4',
      'src/ingest/x.ts:5',
    ]);
  });

  test('finds a cycle over three files once', () => {
    const cycle = [
      parseSource('src/model/a.ts', `import './b.ts';`),
      parseSource('src/model/b.ts', `import type { C } from './c.ts';`),
      parseSource('src/model/c.ts', `import './a.ts';`),
    ];
    expect(importComplaints(cycle)).toEqual([
      'import cycle: src/model/a.ts → src/model/b.ts → src/model/c.ts → src/model/a.ts',
    ]);
  });
});

describe('the fence around time, chance and environment', () => {
  const fence = (path: string, text: string): number => fenceComplaints([parseSource(path, text)]).length;

  test.each([
    'Date.now();',
    'const now = Date.now;',
    'new Date();',
    'new globalThis.Date();',
    'setTimeout(f, 1);',
    'globalThis.setInterval(f, 1);',
    'const o = { later: setImmediate };',
    'AbortSignal.timeout(5);',
    'Math.random();',
    `Math['random']();`,
    'crypto.randomUUID();',
    'randomUUID();',
    'process.env.HOME;',
    'const { HOME } = process.env;',
    'performance.now();',
    'process.hrtime.bigint();',
  ])('stops %s in a stage', (text) => {
    expect(fence('src/ingest/x.ts', text)).toBeGreaterThan(0);
  });

  test.each([
    'new Date(0);',
    'Date.parse(text);',
    'clock.setTimeout;',
    'const o = { random: 1 }; o.random;',
    '// Date.now()',
  ])('lets %s pass', (text) => {
    expect(fence('src/ingest/x.ts', text)).toBe(0);
  });

  test('is open where these things live, and only there', () => {
    expect(fence('src/clock/system.ts', 'Date.now(); setTimeout(f, 1); Math.random();')).toBe(0);
    expect(fence('src/config/load.ts', 'process.env.X;')).toBe(0);
    expect(fence('src/clock/system.ts', 'process.env.X;')).toBeGreaterThan(0);
    expect(fence('src/config/load.ts', 'Date.now();')).toBeGreaterThan(0);
  });
});

describe('the shape of a file', () => {
  const head = '// Head.\n';
  const shape = (path: string, text: string): string[] => shapeComplaints([parseSource(path, text)]);

  test('is judged by lines at the limit and one above', () => {
    const lines = (count: number): string => head + 'x;\n'.repeat(count - 1);
    expect(shape('src/model/x.ts', lines(400))).toEqual([]);
    expect(shape('src/model/x.ts', lines(401))).toEqual(['src/model/x.ts has 401 lines, at most 400']);
    expect(shape('test/x.test.ts', lines(600))).toEqual([]);
    expect(shape('test/x.test.ts', lines(601))).toHaveLength(1);
    expect(shape('src/main.ts', lines(61))).toHaveLength(1);
  });

  test('counts the lines of a function without those of the functions inside it', () => {
    const body = (count: number): string => 'x;\n'.repeat(count);
    expect(shape('src/model/x.ts', `${head}function f() {\n${body(58)}}`)).toEqual([]);
    expect(shape('src/model/x.ts', `${head}function f() {\n${body(59)}}`)).toEqual([
      'src/model/x.ts:2 f has 61 lines of its own, at most 60',
    ]);
    const factory = `${head}const make = () => ({\na() {\n${body(50)}},\nb() {\n${body(50)}},\n});`;
    expect(shape('src/model/x.ts', factory)).toEqual([]);
    expect(shape('src/model/x.ts', `${head}const o = { m() {\n${body(70)}} };`)).toHaveLength(1);
  });

  test('has a head comment, a name with a meaning, no barrel, and no class but errors', () => {
    expect(shape('src/model/x.ts', 'const x = 1;')).toEqual(['src/model/x.ts: a head comment is missing']);
    expect(shape('src/model/string-utils.ts', head)).toEqual(["src/model/string-utils.ts: 'utils' names no concept"]);
    expect(shape('src/lake/common/x.ts', head)).toHaveLength(1);
    expect(shape('src/model/index.ts', head)).toEqual(['src/model/index.ts: barrel file']);
    expect(shape('src/index.ts', head)).toEqual([]);
    expect(shape('src/model/x.ts', `${head}class A {}`)).toHaveLength(1);
    expect(shape('src/model/x.ts', `${head}class A extends B {}`)).toHaveLength(1);
    expect(shape('src/model/x.ts', `${head}class A extends TypeError {}`)).toEqual([]);
  });
});

describe('the table of errors', () => {
  const catalogue = { 'disk-full': { status: 503, retryable: true, meaning: 'Free a | b.' } };
  const readme = (rows: readonly string[]): string =>
    `# X\n\n## Errors\n\n| code | HTTP | retry | meaning |\n|---|---|---|---|\n${rows.join('\n')}\n\n## Next\n\n| \`no\` |\n`;

  test('is complete when it holds the rows of the catalogue', () => {
    expect(errorRows(catalogue)).toEqual(['| `disk-full` | 503 | yes | Free a \\| b. |']);
    expect(errorTableComplaints(catalogue, readme(errorRows(catalogue)))).toEqual([]);
  });

  test('complains of a code that is missing, unknown or told otherwise', () => {
    expect(errorTableComplaints(catalogue, readme([]))).toEqual([
      expect.stringContaining('README lacks | `disk-full`'),
    ]);
    expect(errorTableComplaints({}, readme(errorRows(catalogue)))).toEqual([expect.stringContaining('README has')]);
    expect(errorTableComplaints(catalogue, readme(['| `disk-full` | 500 | yes | Free a \\| b. |']))).toHaveLength(2);
  });
});
