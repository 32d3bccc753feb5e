/** Transforms in the life of a delivery: checked when it is made, kept with its plan, counted in its log, the same when rebuilt. */
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../../src/clock/system-clock.ts';
import { duckdbConverter } from '../../src/convert/duckdb-converter.ts';
import { newestPlan } from '../../src/delivery/plan-keeper.ts';
import type { Converter } from '../../src/ports/converter.ts';
import { silentTelemetry } from '../../src/telemetry/silent.ts';
import type { World } from './stage-fixture.ts';
import { makeWorld } from './stage-fixture.ts';

let folder: string;
let world: World;
let converter: Converter;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'transforms-'));
  world = await makeWorld();
  const clock = systemClock();
  const real = duckdbConverter({
    engines: 1,
    memoryBytes: 256 * 2 ** 20,
    scratchFolder: join(folder, 'engines'),
    telemetry: silentTelemetry(),
    clock,
  });
  let jobs = 0;
  // The lake of this world takes files from a map.
  converter = {
    ...real,
    async convert(job, batches, call) {
      const directory = join(folder, `job-${jobs++}`);
      await mkdir(directory);
      const result = await real.convert({ ...job, directory }, batches, call);
      const taken = [...result.files, ...(result.rejected === undefined ? [] : [result.rejected])];
      for (const { local } of taken) world.local.set(local, await readFile(local));
      return result;
    },
  };
  await world.stream('events');
}, 30_000);
afterEach(async () => {
  await world.close();
  await converter.close();
  await rm(folder, { recursive: true, force: true });
});

const AVRO = {
  type: 'record',
  name: 'r',
  fields: [
    { name: 'id', type: 'string' },
    { name: 'n', type: ['null', 'long'] },
  ],
};
const base = { name: 'd', stream: 'events', format: 'ndjson', layout: '', start: 'earliest' };

async function landedRows(): Promise<unknown[]> {
  const rows: unknown[] = [];
  for (const path of await world.paths()) {
    if (!path.endsWith('.ndjson') || path.startsWith('_')) continue;
    const bytes = await world.lake.read(path as Parameters<typeof world.lake.read>[0]);
    for (const line of new TextDecoder().decode(bytes).split('\n')) if (line !== '') rows.push(JSON.parse(line));
  }
  return rows;
}

test('is judged when a delivery is made or changed, against its schema', { timeout: 60_000 }, async () => {
  const stage = await world.stage({ converter });
  const spec = (transform: object, more: object = {}) =>
    stage.parse({ ...base, schema: { avro: AVRO }, transform, ...more });
  await expect(stage.create(spec({ where: 'nope = 1', columns: { x: 'now()' } }))).rejects.toMatchObject({
    code: 'transform-invalid',
    message: "delivery 'd': transform.columns.x: the function 'now' is not allowed",
    details: { problems: [{ path: 'transform.columns.x' }] },
  });
  await expect(stage.create(spec({ where: 'nope = 1' }))).rejects.toMatchObject({ code: 'transform-invalid' });
  // What is inferred later cannot be known yet.
  await expect(stage.create(spec({ where: 'now() > nope' }, { schema: 'auto' }))).rejects.toMatchObject({
    code: 'transform-invalid',
  });
  expect(world.catalog.read().delivery.size).toBe(0);
  await stage.create(spec({ where: 'n > 1' }));
  await expect(stage.update(spec({ where: 'n > nope' }))).rejects.toMatchObject({ code: 'transform-invalid' });
  await expect(stage.declare([stage.parse({ ...base, name: 'e', transform: { where: '1;2' } })])).rejects.toMatchObject(
    {
      code: 'transform-invalid',
      message: /delivery 'e': transform\.where: /,
    },
  );
});

test('is kept with the plan, and what it filters and rejects is counted', { timeout: 60_000 }, async () => {
  const stage = await world.stage({ converter });
  const spec = (transform: object) => stage.parse({ ...base, schema: { avro: AVRO }, transform });
  await stage.create(spec({ where: 'n < 4', columns: { id: 'md5(id)', ratio: '10 // (n - 2)' }, drop: ['_extra'] }));
  for (const n of [1, 2, 3, 4]) await world.put([`r${n}`], { fields: { n, big: 9 } });
  await world.put(['last'], { fields: { n: 'x' } });
  const status = await stage.flush('d');
  expect(status).toMatchObject({ rows: 3, filteredRows: 1, rejectedRows: 1, planVersion: 1 });
  expect(newestPlan(world.catalog.read(), 'd')?.transform?.output.map(({ name, type }) => [name, type.kind])).toEqual([
    ['id', 'string'],
    ['n', 'int'],
    ['ratio', 'int'],
  ]);
  const update = await stage.update(spec({ columns: { n: 'n::int + 2147483647' } }));
  expect(update.planVersion).toBe(1);
  await world.put(['a', 'b'], { fields: { n: 0 } });
  await world.put(['c'], { fields: { n: 1 } });
  expect(await stage.flush('d')).toMatchObject({ rows: 5, filteredRows: 1, rejectedRows: 2, planVersion: 2 });
  expect((await stage.rejected('d')).items.map(({ code, column }) => [code, column])).toEqual([
    ['wrong-type', 'n'],
    ['transform-failed', 'n'],
  ]);
  const rows = await landedRows();
  expect(rows).toHaveLength(5);
  expect(rows).toContainEqual({ id: 'a', n: 2_147_483_647, _extra: null });
});

test('suspends a delivery whose inferred columns lack what it names', { timeout: 60_000 }, async () => {
  const stage = await world.stage({ converter });
  await stage.create(stage.parse({ ...base, transform: { columns: { email: 'md5(email)' } } }));
  await world.put(['a'], { fields: { n: 1 } });
  await expect(stage.flush('d')).rejects.toMatchObject({
    code: 'transform-invalid',
    message: "transform.columns.email: there is no column 'email'",
  });
  const [status] = await stage.status('d');
  expect(status).toMatchObject({ state: 'suspended', rows: 0, pending: { records: 1 } });
  await stage.update(stage.parse({ ...base, transform: { columns: { n: 'n + 1' } } }));
  expect(await stage.flush('d')).toMatchObject({ state: 'running', rows: 1 });
  expect(await landedRows()).toEqual([expect.objectContaining({ id: 'a', n: 2 })]);
});

test('rows that are all filtered make no file and are not met again', { timeout: 60_000 }, async () => {
  const stage = await world.stage({ converter });
  await stage.create(stage.parse({ ...base, transform: { where: "id = 'z'" } }));
  await world.put(['a', 'b']);
  expect(await stage.flush('d')).toMatchObject({ rows: 0, files: 0, filteredRows: 2, pending: { records: 0 } });
  await world.put(['z']);
  expect(await stage.flush('d')).toMatchObject({ rows: 1, files: 1, filteredRows: 2 });
});
