/** Schemas that change while rows come in, on the real parts: every row lands, and all files are read as one table. */
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { AnswerRow } from '../../src/convert/query.ts';
import { queryFiles } from '../../src/convert/query.ts';
import type { RealStage } from './real-stage.ts';
import { realStage } from './real-stage.ts';

let made: RealStage;
beforeEach(async () => {
  made = await realStage();
}, 30_000);
afterEach(() => made.close());

const base = { name: 'd', stream: 'events', layout: '', format: 'parquet' };
const avro = (...fields: object[]) => ({ avro: { type: 'record', name: 'R', fields } });
const field = (name: string, type: unknown) => ({ name, type });
const files = (): string => `'${join(made.lakeFolder, 'd', '*.parquet')}'`;
const ask = (sql: string): Promise<readonly AnswerRow[]> =>
  queryFiles(sql.replace('ALL', `read_parquet(${files()}, union_by_name = true)`));
const planVersions = (): unknown => made.catalog.read().plan.get('d')?.plan.version;

/** One after the other: what schema version v asks for, and a row as producers of that version send it. */
const point = (...names: string[]) => ({
  type: 'record',
  name: 'Point',
  fields: names.map((name) => field(name, ['null', 'int'])),
});
const color = (...symbols: string[]) => ({ type: 'enum', name: 'Color', symbols });
const VERSIONS: readonly { readonly fields: readonly object[]; readonly row: (id: number) => object }[] = [
  { fields: [field('n', 'int')], row: (id) => ({ id, n: id }) },
  {
    fields: [field('n', 'long'), field('tags', { type: 'array', items: 'string' })],
    row: (id) => ({ id, n: 2 ** 40, tags: ['a', `t${id}`] }),
  },
  { fields: [field('n', 'long'), field('p', point('x'))], row: (id) => ({ id, n: 1, p: { x: id } }) },
  {
    fields: [field('n', 'double'), field('p', point('x', 'y')), field('c', color('RED'))],
    row: (id) => ({ id, n: 0.5, p: { x: 1, y: id }, c: 'RED' }),
  },
  { fields: [field('c', color('RED', 'BLUE')), field('n', 'double')], row: (id) => ({ id, n: 0.25, c: 'BLUE' }) },
  {
    fields: [field('n', 'double'), field('m', { type: 'map', values: 'long' })],
    row: (id) => ({ id, n: id, m: { k: id } }),
  },
];

test('five changes under load: nothing is rejected, old files stay, one query reads all', {
  timeout: 120_000,
}, async () => {
  const ROWS = 200;
  let next = 0;
  const rowsSent: object[] = [];
  const send = async (version: number): Promise<void> => {
    const rows = Array.from({ length: ROWS }, () => VERSIONS[version]?.row(next++) ?? {});
    rowsSent.push(...rows);
    await made.put(rows);
  };
  let landing: Promise<unknown> = Promise.resolve();
  for (const [version, { fields }] of VERSIONS.entries()) {
    const spec = made.stage.parse({ ...base, schema: avro(field('id', 'long'), ...fields) });
    await (version === 0 ? made.stage.create(spec) : made.stage.update(spec));
    await send(version);
    // Producers of the version before go on for a while, and a landing is under way when the next change comes.
    if (version > 0) await send(version - 1);
    await landing;
    await made.stage.flush('d');
    await send(version);
    landing = made.stage.flush('d').catch(() => undefined);
  }
  await landing;
  const status = await made.stage.flush('d');
  expect(status).toMatchObject({ state: 'running', rows: next, rejectedRows: 0 });
  expect(planVersions()).toBe(6);

  const [whole] = await ask(`SELECT count(*) AS rows, count(DISTINCT id) AS ids, min(id) AS first, max(id) AS last,
    any_value(typeof(n)) AS n, any_value(typeof(p)) AS p, any_value(typeof(tags)) AS tags, any_value(typeof(m)) AS m FROM ALL`);
  expect(whole).toEqual({
    rows: String(next),
    ids: String(next),
    first: '0',
    last: String(next - 1),
    n: 'DOUBLE',
    p: 'STRUCT(x INTEGER, y INTEGER)',
    tags: 'VARCHAR[]',
    m: 'MAP(VARCHAR, BIGINT)',
  });
  const values = await ask('SELECT id, n, p, tags, c, m, _extra FROM ALL ORDER BY id');
  expect(values.map((row) => merged(row))).toEqual(rowsSent.map((row) => JSON.parse(JSON.stringify(row)) as object));
});

/** A row as it was sent, whatever of it was in columns and in `_extra`. */
function merged({ id, n, p, tags, c, m, _extra }: AnswerRow): object {
  const pairs = Object.entries({ n, p: p && withoutNulls(p), tags, c, m: m && entries(m) });
  const extra = typeof _extra === 'string' ? Object.entries(JSON.parse(_extra) as object) : [];
  const row: Record<string, unknown> = { id: Number(id) };
  for (const [key, value] of [...pairs, ...extra]) {
    if (key.startsWith('p.')) (row['p'] as Record<string, unknown>)[key.slice(2)] = value;
    else if (value !== null) row[key] = key === 'n' ? Number(value) : value;
  }
  return row;
}

function withoutNulls(value: unknown): object {
  return Object.fromEntries(Object.entries(value as object).filter(([, one]) => one !== null));
}

function entries(map: unknown): object {
  return Object.fromEntries((map as { key: string; value: string }[]).map(({ key, value }) => [key, Number(value)]));
}

test('a schema that cannot follow what has landed is refused, and the delivery goes on', {
  timeout: 60_000,
}, async () => {
  const update = (...fields: object[]) => made.stage.update(made.stage.parse({ ...base, schema: avro(...fields) }));
  await made.stage.create(made.stage.parse({ ...base, schema: avro(field('id', 'string')) }));
  // Nothing has landed: anything may follow.
  await update(field('id', 'long'), field('s', point('x')));
  await made.put([{ id: 1, s: { x: 1 } }]);
  await made.stage.flush('d');
  const refusal = { code: 'schema-invalid', message: expect.stringContaining("column 's.x'") };
  const other = { ...point(), fields: [field('x', 'string')] };
  await expect(update(field('id', 'long'), field('s', other))).rejects.toMatchObject(refusal);
  await made.put([{ id: 2, s: { x: 2 } }]);
  expect(await made.stage.flush('d')).toMatchObject({ rows: 2, rejectedRows: 0 });
  // A field left out is still landed when it comes, and may be missing.
  await update(field('id', 'long'));
  await made.put([{ id: 3, s: { x: 3 } }, { id: 4 }]);
  expect(await made.stage.flush('d')).toMatchObject({ rows: 4, rejectedRows: 0 });
  expect(await ask('SELECT count(s.x) AS x FROM ALL')).toEqual([{ x: '3' }]);
});

test('inferred columns grow where the delivery says so', { timeout: 60_000 }, async () => {
  await made.stage.create(made.stage.parse({ ...base, evolve: 'add' }));
  const rows = (from: number, more: (id: number) => object): object[] =>
    Array.from({ length: 200 }, (_, i) => ({ id: from + i, n: 1, ...more(from + i) }));
  await made.put(rows(0, () => ({})));
  await made.stage.flush('d');
  expect(planVersions()).toBe(1);
  await made.put(
    rows(200, (id) => ({ n: id % 4 === 0 ? 0.5 : 1, late: `l${id}`, gone: null, ...(id === 300 ? { rare: 1 } : {}) })),
  );
  await made.stage.flush('d');
  await made.put(rows(400, (id) => ({ n: 0.5, late: `l${id}`, gone: null })));
  await made.stage.flush('d');
  expect(planVersions()).toBe(2);
  await made.put(rows(600, (id) => ({ n: 0.5, late: `l${id}` })));
  expect(await made.stage.flush('d')).toMatchObject({ rows: 800, rejectedRows: 0 });
  expect(planVersions()).toBe(2);
  expect(
    await ask(`SELECT count(*) AS rows, count(late) AS late, sum(n) AS n, count(_extra) AS extra FROM ALL`),
  ).toEqual([{ rows: '800', late: '400', n: 200 + 150 + 200, extra: '400' }].map((row) => ({ ...row, extra: '400' })));
  expect(
    (await ask('SELECT column_name FROM (DESCRIBE SELECT * FROM ALL)')).map(({ column_name }) => column_name),
  ).toEqual(['id', 'n', '_extra', 'late']);
});
