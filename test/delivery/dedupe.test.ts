/** Duplicates dropped by the delivery stage on the real converter and a lake in a folder: a memory broker gives the arrivals. */
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { scratchFolders } from '../../src/app/scratch-folders.ts';
import { memoryBroker } from '../../src/broker/memory/memory-broker.ts';
import { createCatalog } from '../../src/catalog/catalog.ts';
import { systemClock } from '../../src/clock/system-clock.ts';
import { duckdbConverter } from '../../src/convert/duckdb-converter.ts';
import type { DeliveryStage } from '../../src/delivery/deliveries.ts';
import { createDeliveries } from '../../src/delivery/deliveries.ts';
import { openLake } from '../../src/landing/lake-identity.ts';
import { openFileStore } from '../../src/lake/file/file-store.ts';
import { memoryStore } from '../../src/lake/memory/memory-store.ts';
import { asStreamId } from '../../src/model/stream.ts';
import type { Broker } from '../../src/ports/broker.ts';
import type { Catalog } from '../../src/ports/catalog.ts';
import type { Converter } from '../../src/ports/converter.ts';
import type { LakeStore } from '../../src/ports/lake-store.ts';
import type { Scheduler } from '../../src/ports/scheduler.ts';
import { silentTelemetry } from '../../src/telemetry/silent.ts';
import { triggeredScheduler } from './stage-fixture.ts';

const clock = systemClock();
const telemetry = silentTelemetry();
const id = asStreamId('11111111-2222-7333-8444-555555555555');
const HOUR_MS = 3_600_000;
const START_MS = clock.nowMs() - 10 * 24 * HOUR_MS;
let folder: string;
let broker: Broker;
let catalog: Catalog;
let converter: Converter;
let lake: { -readonly [K in keyof LakeStore]: LakeStore[K] };
let stage: DeliveryStage;
let scheduler: Scheduler;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lakeward-dedupe-'));
  for (const name of ['lake', 'engines', 'landings']) await mkdir(join(folder, name));
  broker = memoryBroker({ clock });
  await broker.open({ id, shardCount: 1, retentionMs: 1000 * HOUR_MS });
  catalog = createCatalog({ store: memoryStore({ clock }), clock });
  await catalog.open();
  const createdMs = clock.nowMs();
  const shard = { index: 0, startingHashKey: '0', endingHashKey: `${2n ** 128n - 1n}`, createdMs, parents: [] };
  const document = { name: 'events', id, createdMs, retentionMs: 1000 * HOUR_MS, shards: [shard] };
  await catalog.change(0, [{ kind: 'stream', key: 'events', document }]);
  lake = { ...(await openFileStore({ folder: join(folder, 'lake'), clock })) };
  converter = duckdbConverter({
    engines: 1,
    memoryBytes: 256 * 2 ** 20,
    scratchFolder: join(folder, 'engines'),
    telemetry,
    clock,
  });
  stage = await openStage();
}, 60_000);

afterEach(async () => {
  await stage.close();
  await converter.close();
  await catalog.close();
  await broker.close();
  await rm(folder, { recursive: true, force: true });
});

async function openStage(): Promise<DeliveryStage> {
  scheduler = triggeredScheduler();
  const opened = createDeliveries({
    broker,
    catalog,
    converter,
    lake,
    clock,
    telemetry,
    scratch: scratchFolders({ folder: join(folder, 'landings'), clock }),
    lakeId: () => openLake(lake, { clock }),
    scheduler,
    writer: 'test',
    // A checkpoint at every chance.
    upkeep: { everyMs: HOUR_MS, tuning: { checkpointEntries: 1, emptyAfterMs: 0, sweepAfterMs: 0, sweepEveryMs: 0 } },
  });
  await opened.open();
  return opened;
}

const spec = (more: object = {}): ReturnType<DeliveryStage['parse']> =>
  stage.parse({
    name: 'd',
    stream: 'events',
    format: 'ndjson',
    layout: '',
    dedupe: { key: 'id', window: '24h' },
    ...more,
  });

/** Appends records that arrive so many hours after the start. */
async function put(rows: readonly (object | string)[], hours = 0): Promise<void> {
  const data = rows.map((row) => Buffer.from(typeof row === 'string' ? row : JSON.stringify(row)));
  let end = 0;
  await broker.append(id, {
    count: rows.length,
    keys: new Uint8Array(0),
    keyEnds: new Uint32Array(rows.length),
    data: Buffer.concat(data),
    dataEnds: Uint32Array.from(data, (bytes) => (end += bytes.byteLength)),
    shards: new Uint16Array(rows.length),
    arrivalMs: START_MS + hours * HOUR_MS,
  });
}

async function landed(): Promise<Record<string, unknown>[]> {
  const { items } = await stage.files('d', { limit: 1000 });
  const rows: Record<string, unknown>[] = [];
  for (const { path } of items) {
    const text = await readFile(join(folder, 'lake', path), 'utf8');
    for (const line of text.split('\n')) if (line !== '') rows.push(JSON.parse(line) as Record<string, unknown>);
  }
  return rows;
}

async function keyFiles(): Promise<string[]> {
  const { files } = await lake.list('_lakeward/d/');
  return files.map(({ path }) => path as string).filter((path) => path.includes('/keys/'));
}

test('a resend lands once: in the same batch, in a later landing, after a restart', { timeout: 60_000 }, async () => {
  await stage.create(spec());
  await put([
    { id: 'a', n: 1 },
    { id: 'b', n: 2 },
    { id: 'a', n: 3 },
  ]);
  expect(await stage.flush('d')).toMatchObject({ rows: 2, duplicateRows: 1, rejectedRows: 0 });
  await put(
    [
      { id: 'b', n: 4 },
      { id: 'c', n: 5 },
    ],
    5,
  );
  expect(await stage.flush('d')).toMatchObject({ rows: 3, duplicateRows: 2, dedupe: { knownIds: 3, cut: false } });
  await stage.close();
  stage = await openStage();
  await put(
    [
      { id: 'a', n: 6 },
      { id: 'c', n: 7 },
      { id: 'd', n: 8 },
    ],
    6,
  );
  expect(await stage.flush('d')).toMatchObject({ rows: 4, duplicateRows: 4 });
  expect((await landed()).map(({ n }) => n)).toEqual([1, 2, 5, 8]);
});

test('the window is counted from the row that landed, not from its last resend', { timeout: 60_000 }, async () => {
  await stage.create(spec());
  for (const [n, hours] of [0, 20, 24, 25, 48].entries()) {
    await put([{ id: 'a', n }], hours);
    await stage.flush('d');
  }
  expect((await landed()).map(({ n }) => n)).toEqual([0, 3]);
  // In one landing the same holds.
  await put([{ id: 'x', n: 10 }], 100);
  await put([{ id: 'x', n: 11 }], 124);
  await put([{ id: 'x', n: 12 }], 125);
  await put([{ id: 'x', n: 13 }], 126);
  expect(await stage.flush('d')).toMatchObject({ rows: 4, duplicateRows: 5 });
  expect((await landed()).map(({ n }) => n)).toEqual([0, 3, 10, 12]);
});

test('rows without an id land, and a rejected row keeps nothing from landing', { timeout: 60_000 }, async () => {
  const avro = {
    type: 'record',
    name: 'r',
    fields: [
      { name: 'id', type: ['null', 'string'] },
      { name: 'n', type: 'long' },
    ],
  };
  await stage.create(spec({ schema: { avro } }));
  await put([
    { n: 1 },
    { id: null, n: 2 },
    { id: 'a', n: 'broken' },
    '{"id":"b"',
    { id: 'a', n: 3 },
    { id: 'a', n: 4 },
  ]);
  const status = await stage.flush('d');
  expect(status).toMatchObject({ rows: 3, rejectedRows: 2, duplicateRows: 1, unkeyedRows: 2 });
  expect((await landed()).map(({ n }) => Number(n))).toEqual([1, 2, 3]);
});

test('turned off it lands everything and forgets, turned on again it begins anew', { timeout: 60_000 }, async () => {
  await stage.create(spec());
  await put([{ id: 'a', n: 1 }]);
  await stage.flush('d');
  await stage.update(spec({ dedupe: 'none' }));
  await put([
    { id: 'a', n: 2 },
    { id: 'a', n: 3 },
  ]);
  await stage.flush('d');
  await stage.update(spec({ dedupe: { key: 'id' } }));
  await put([
    { id: 'a', n: 4 },
    { id: 'a', n: 5 },
  ]);
  expect(await stage.flush('d')).toMatchObject({ rows: 4, duplicateRows: 1, dedupe: { knownIds: 1 } });
  expect((await landed()).map(({ n }) => n)).toEqual([1, 2, 3, 4]);
});

test('files of ids leave the lake some checkpoints after the window has passed them', { timeout: 60_000 }, async () => {
  await stage.create(spec());
  for (let n = 0; n < 6; n++) {
    await put([{ id: `i-${n}`, n }], n * 30);
    await stage.flush('d');
    await scheduler.trigger('delivery maintenance d');
  }
  // Kept: the newest, the one it pushed out, and what the checkpoint before may still be asked for.
  expect((await keyFiles()).length).toBeLessThanOrEqual(3);
  await put([{ id: 'i-5', n: 9 }], 151);
  expect(await stage.flush('d')).toMatchObject({ rows: 6, duplicateRows: 1 });
});

test('a file of ids that no entry names is swept, those that are named stay', { timeout: 60_000 }, async () => {
  await stage.create(spec());
  await put([{ id: 'a', n: 1 }]);
  const { create } = lake;
  lake.create = async (path, bytes, call) => {
    if (!path.includes('/log/')) return await create(path, bytes, call);
    lake.create = create;
    // The landing dies between its ids and its entry, as another one takes over.
    throw new Error('the process ends here');
  };
  await stage.flush('d').catch(() => undefined);
  lake.create = create;
  await stage.close();
  const stray = await keyFiles();
  expect(stray.length).toBe(1);
  stage = await openStage();
  await put([{ id: 'a', n: 2 }], 1);
  expect(await stage.flush('d')).toMatchObject({ rows: 1, duplicateRows: 1 });
  await scheduler.trigger('delivery maintenance d');
  const [left, ...others] = await keyFiles();
  expect(others).toEqual([]);
  expect(stray).not.toContain(left);
  await put([{ id: 'a', n: 3 }], 2);
  expect(await stage.flush('d')).toMatchObject({ rows: 1, duplicateRows: 2 });
});

test('committed files that the lake lost come back without the duplicates', { timeout: 60_000 }, async () => {
  await stage.create(spec());
  await put([{ id: 'a', n: 1 }]);
  await stage.flush('d');
  const { publish } = lake;
  lake.publish = async (handle, call) => {
    if (!handle.final.startsWith('d/')) return await publish(handle, call);
    lake.publish = publish;
    await lake.discard(handle);
    return 'stage-lost';
  };
  await put(
    [
      { id: 'a', n: 2 },
      { id: 'b', n: 3 },
      { id: 'b', n: 4 },
    ],
    1,
  );
  expect(await stage.flush('d')).toMatchObject({ rows: 2, duplicateRows: 2 });
  expect((await landed()).map(({ n }) => n)).toEqual([1, 3]);
  await put([{ id: 'b', n: 5 }], 2);
  expect(await stage.flush('d')).toMatchObject({ rows: 2, duplicateRows: 3 });
});

test('a file of ids that is gone stops the landing and says what to do, and nothing doubles', {
  timeout: 60_000,
}, async () => {
  await stage.create(spec());
  await put([{ id: 'a', n: 1 }]);
  await stage.flush('d');
  await stage.close();
  const [path] = await keyFiles();
  const bytes = await readFile(join(folder, 'lake', path ?? ''));
  await rm(join(folder, 'lake', path ?? ''));
  stage = await openStage();
  await put([{ id: 'a', n: 2 }], 1);
  await expect(stage.flush('d')).rejects.toMatchObject({ code: 'lake-unavailable' });
  await lake.create(path as Parameters<LakeStore['create']>[0], bytes);
  await stage.setPaused('d', true);
  await stage.setPaused('d', false);
  expect(await stage.flush('d')).toMatchObject({ rows: 1, duplicateRows: 1 });
});

test('a replayed row whose id has landed meanwhile is a duplicate, and one that lands is remembered', {
  timeout: 60_000,
}, async () => {
  const avro = {
    type: 'record',
    name: 'R',
    fields: [
      { name: 'id', type: 'string' },
      { name: 'n', type: 'long' },
    ],
  };
  const edited = (offset: number, row: object) => ({
    edits: [{ shard: 0, offset, data: Buffer.from(JSON.stringify(row)).toString('base64') }],
  });
  await stage.create(spec({ schema: { avro } }));
  await put([
    { id: 'x', n: 'bad' },
    { id: 'y', n: 'bad' },
    { id: 'z', n: 'bad' },
  ]);
  await put([{ id: 'x', n: 5 }], 1);
  expect(await stage.flush('d')).toMatchObject({ rows: 1, rejectedRows: 3 });
  expect(await stage.replay('d', edited(0, { id: 'x', n: 1 }))).toMatchObject({ replayedRows: 1, failedRows: 0 });
  expect((await stage.status('d'))[0]).toMatchObject({ rows: 1, duplicateRows: 1, rejects: { openRows: 2 } });
  expect(await stage.replay('d', edited(1, { id: 'y', n: 2 }))).toMatchObject({ replayedRows: 1 });
  await put([{ id: 'y', n: 3 }], 2);
  expect(await stage.flush('d')).toMatchObject({ rows: 2, duplicateRows: 2, rejects: { openRows: 1 } });

  // A replay that the lake loses is taken back: its ids keep nothing from landing.
  const { publish } = lake;
  let losses = 1;
  lake.publish = async (handle, call) => {
    if (handle.final.startsWith('d/') && losses-- > 0) await lake.discard(handle);
    return publish(handle, call);
  };
  expect(await stage.replay('d', edited(2, { id: 'z', n: 4 }))).toMatchObject({ replayedRows: 1 });
  expect((await landed()).map(({ id: key, n }) => `${String(key)}${String(n)}`).toSorted()).toEqual(['x5', 'y2', 'z4']);
});
