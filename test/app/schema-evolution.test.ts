/** Schemas that change under load, through the whole server: what a producer registers and sends lands, and readers see all of it. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import avsc from 'avsc';
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { queryFiles } from '../../src/app/query-files.ts';
import type { DataFile, DeliveryStatus, Page } from '../../src/app/control-answers.ts';
import { call } from '../ingest/open-door.ts';
import { confluentHead } from '../../src/schema/record-frame.ts';
import type { TemporaryServer } from './temporary-server.ts';
import { temporaryServer } from './temporary-server.ts';

const ROUNDS = 12;
const BATCH = 50;

const field = (name: string, type: unknown, fallback?: unknown): object =>
  fallback === undefined ? { name, type } : { name, type, default: fallback };
const nullable = (name: string, type: unknown): object => field(name, ['null', type], null);
const place = { type: 'record', name: 'Place', fields: [field('city', 'string'), nullable('zip', 'int')] };
const price = { type: 'bytes', logicalType: 'decimal', precision: 9, scale: 2 };
const at = { type: 'long', logicalType: 'timestamp-millis' };

/** Six versions, five changes: a field more, a wider one, nested ones, one field less, a double and a list. */
const VERSIONS = [
  [field('id', 'long'), field('v', 'int'), field('n', 'int'), field('old', 'string', '')],
  [field('id', 'long'), field('v', 'int'), field('n', 'int'), field('old', 'string', ''), nullable('page', 'string')],
  [field('id', 'long'), field('v', 'int'), field('n', 'long'), field('old', 'string', ''), nullable('page', 'string')],
  [
    field('id', 'long'),
    field('v', 'int'),
    field('n', 'long'),
    field('old', 'string', ''),
    nullable('place', place),
    nullable('price', price),
  ],
  [
    field('id', 'long'),
    field('v', 'int'),
    field('n', 'long'),
    nullable('place', place),
    nullable('price', price),
    nullable('at', at),
  ],
  [
    field('id', 'long'),
    field('v', 'int'),
    field('n', 'double'),
    nullable('place', place),
    nullable('tags', { type: 'array', items: 'string' }),
  ],
].map((fields) => ({ type: 'record', name: 'Click', fields }));

const valueOf = (version: number, id: number): Record<string, unknown> => ({
  id,
  v: version,
  n: version < 6 ? id % 1000 : (id % 1000) + 0.5,
  old: `old-${id}`,
  page: `/${id}`,
  place: { city: `city-${id}`, zip: id % 7 === 0 ? null : id },
  price: Buffer.from([id % 128]),
  at: 1_700_000_000_000 + id,
  tags: id % 5 === 0 ? [] : [`t${id}`, 'x'],
});

const fieldsOf = (version: number): readonly { readonly name: string }[] =>
  (VERSIONS[version - 1]?.fields ?? []) as { name: string }[];

function asJson(version: number, value: Record<string, unknown>): Buffer {
  const told = { ...value, price: (Number(value['id']) % 128) / 100 };
  const names = fieldsOf(version).map(({ name }) => name);
  return Buffer.from(
    JSON.stringify(
      told,
      names.flatMap((name) => (name === 'place' ? [name, 'city', 'zip'] : [name])),
    ),
  );
}

let server: TemporaryServer;
beforeAll(async () => {
  server = await temporaryServer();
});
afterAll(() => server.close());

async function ask<T>(method: string, path: string, body?: unknown): Promise<T> {
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(server.url + path, {
    method,
    ...(body === undefined ? {} : { headers, body: JSON.stringify(body) }),
  });
  const json = (await response.json()) as T;
  if (!response.ok) throw new Error(`${method} ${path}: ${JSON.stringify(json)}`);
  return json;
}

async function put(records: readonly Buffer[]): Promise<void> {
  const Records = records.map((data, i) => ({ Data: data.toString('base64'), PartitionKey: `k${i % 7}` }));
  const { json } = await call(server.url, 'PutRecords', { StreamName: 'clicks', Records });
  expect(json).toMatchObject({ FailedRecordCount: 0 });
}

const register = (schema: unknown): Promise<{ id: number }> =>
  ask('POST', '/subjects/clicks-value/versions', { schema: JSON.stringify(schema) });
const landed = async (): Promise<readonly DataFile[]> =>
  (await ask<Page<DataFile>>('GET', '/v1/deliveries/clicks/files?limit=1000')).items;
const hashOf = async (path: string): Promise<string> =>
  createHash('sha256')
    .update(await readFile(join(server.lake, path)))
    .digest('hex');

test('a schema evolves five times under load: nothing is rejected, old files stay, union by name is right', {
  timeout: 120_000,
}, async () => {
  await ask('POST', '/v1/streams', { name: 'clicks', shards: 2 });
  await ask('POST', '/v1/deliveries', {
    name: 'clicks',
    stream: 'clicks',
    layout: '',
    schema: { subject: 'clicks-value' },
    flush: { age: '200ms' },
  });
  const sent = new Map<number, Record<string, unknown>>();
  const hashes = new Map<string, string>();
  const writers: { id: number; type: avsc.Type }[] = [];
  let nextId = 1;

  /** Producers that are up to date, that are a version behind, and that send JSON. */
  async function load(version: number): Promise<void> {
    for (let round = 0; round < ROUNDS; round++) {
      const batch: Buffer[] = [];
      for (let i = 0; i < BATCH; i++) {
        const id = nextId++;
        const used = i % 3 === 1 ? Math.max(1, version - 1) : version;
        const writer = writers[used - 1];
        if (writer === undefined) throw new Error('no such version');
        const value = valueOf(used, id);
        sent.set(id, value);
        batch.push(
          i % 10 === 9 ? asJson(used, value) : Buffer.concat([confluentHead(writer.id), writer.type.toBuffer(value)]),
        );
      }
      await put(batch);
    }
  }

  for (const [i, schema] of VERSIONS.entries()) {
    const { id } = await register(schema);
    writers.push({ id, type: avsc.Type.forSchema(schema as avsc.Schema, { wrapUnions: false }) });
    await load(i + 1);
    await ask('POST', '/v1/deliveries/clicks/flush');
    for (const { path } of await landed()) if (!hashes.has(path)) hashes.set(path, await hashOf(path));
  }

  const status = await ask<DeliveryStatus>('GET', '/v1/deliveries/clicks');
  expect(status).toMatchObject({
    rows: sent.size,
    rejectedRows: 0,
    extraRows: 0,
    state: 'running',
    planVersion: 6,
    follows: { subject: 'clicks-value', through: 6, refused: [] },
  });
  const files = await landed();
  expect(new Set(files.map(({ planVersion }) => planVersion))).toEqual(new Set([1, 2, 3, 4, 5, 6]));
  for (const [path, hash] of hashes) expect(await hashOf(path)).toBe(hash);

  let mixed = 0;
  const seen = new Set<number>();
  for (const { path, rows, planVersion } of files) {
    const file = await asyncBufferFromFile(join(server.lake, path));
    const read = (await parquetReadObjects({ file, compressors })) as { id: bigint; v: number }[];
    expect(read).toHaveLength(rows);
    for (const { id } of read) seen.add(Number(id));
    const versions = new Set(read.map(({ v }) => v));
    if (versions.size > 1) mixed += 1;
    expect(Math.max(...versions)).toBeLessThanOrEqual(planVersion);
  }
  expect(seen.size).toBe(sent.size);
  expect(mixed).toBeGreaterThan(0);

  const all = `read_parquet('${join(server.lake, 'clicks')}/*.parquet', union_by_name = true)`;
  const rows = await queryFiles(
    `SELECT id, v, n, old, page, place.city AS city, place.zip AS zip, price::VARCHAR AS price, epoch_ms("at") AS at, to_json(tags)::VARCHAR AS tags FROM ${all} ORDER BY id`,
  );
  expect(rows).toHaveLength(sent.size);
  for (const row of rows) {
    const id = Number(row['id']);
    const value = sent.get(id);
    const version = Number(value?.['v']);
    const has = new Set(fieldsOf(version).map(({ name }) => name));
    const told = (name: string, text: unknown): unknown => (has.has(name) ? text : null);
    expect({ ...row, id, v: Number(row['v']), at: row['at'] === null ? null : Number(row['at']) }).toEqual({
      id,
      v: version,
      n: value?.['n'],
      old: told('old', `old-${id}`),
      page: told('page', `/${id}`),
      city: told('place', `city-${id}`),
      zip: told('place', id % 7 === 0 ? null : id),
      price: told('price', ((id % 128) / 100).toFixed(2)),
      at: told('at', 1_700_000_000_000 + id),
      tags: told('tags', JSON.stringify(id % 5 === 0 ? [] : [`t${id}`, 'x'])),
    });
  }
});

test('a version that cannot follow is told and stops nothing', { timeout: 60_000 }, async () => {
  const refused = {
    type: 'record',
    name: 'Click',
    fields: [field('id', 'string'), field('v', 'int'), field('n', 'double')],
  };
  await ask('PUT', '/config/clicks-value', { compatibility: 'NONE' });
  const { id } = await register(refused);
  const type = avsc.Type.forSchema(refused as avsc.Schema);
  const fitting = VERSIONS[5] as avsc.Schema;
  const newest = await ask<{ id: number }>('POST', '/subjects/clicks-value', { schema: JSON.stringify(fitting) });
  const before = await ask<DeliveryStatus>('GET', '/v1/deliveries/clicks');
  await put([
    Buffer.concat([confluentHead(id), type.toBuffer({ id: 'x', v: 7, n: 1 })]),
    Buffer.concat([
      confluentHead(newest.id),
      avsc.Type.forSchema(fitting, { wrapUnions: false }).toBuffer(valueOf(6, 1e6)),
    ]),
    Buffer.concat([confluentHead(99), type.toBuffer({ id: 'x', v: 7, n: 1 })]),
  ]);
  const status = await ask<DeliveryStatus>('POST', '/v1/deliveries/clicks/flush');
  expect(status.rows).toBe(before.rows + 1);
  expect(status).toMatchObject({
    state: 'running',
    planVersion: 6,
    follows: { through: 7, refused: [{ version: 7 }] },
  });
  expect(status.follows?.refused[0]?.reason).toContain("column 'id' cannot follow the schema before");
  const reasons = status.rejects.groups.map(({ code, column }) => `${code} ${column ?? ''}`).toSorted();
  expect(reasons).toEqual(['schema-unknown ', 'wrong-type id']);
});
