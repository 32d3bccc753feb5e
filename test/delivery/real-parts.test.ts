/** The delivery stage on the real parts: embedded broker, DuckDB engines, a lake in a folder; read back by a Parquet reader not ours. */
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { zstdDecompressSync } from 'node:zlib';
import { parquetReadObjects } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { scratchFolders } from '../../src/app/scratch-folders.ts';
import { openEmbeddedBroker } from '../../src/broker/embedded/embedded-broker.ts';
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
import type { Converter } from '../../src/ports/converter.ts';
import { silentTelemetry } from '../../src/telemetry/silent.ts';
import { triggeredScheduler } from './stage-fixture.ts';

const clock = systemClock();
const telemetry = silentTelemetry();
const id = asStreamId('11111111-2222-7333-8444-555555555555');
let folder: string;
let broker: Broker;
let converter: Converter;
let stage: DeliveryStage;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lakeward-delivery-'));
  for (const name of ['streams', 'lake', 'engines', 'landings']) await mkdir(join(folder, name));
  broker = await openEmbeddedBroker({ folder: join(folder, 'streams'), clock, telemetry });
  await broker.open({ id, shardCount: 1, retentionMs: 86_400_000 });
  const catalog = createCatalog({ store: memoryStore({ clock }), clock });
  await catalog.open();
  const createdMs = clock.nowMs();
  const shard = { index: 0, startingHashKey: '0', endingHashKey: `${2n ** 128n - 1n}`, createdMs, parents: [] };
  const document = { name: 'events', id, createdMs, retentionMs: 86_400_000, shards: [shard] };
  await catalog.change(0, [{ kind: 'stream', key: 'events', document }]);
  const lake = await openFileStore({ folder: join(folder, 'lake'), clock });
  converter = duckdbConverter({
    engines: 1,
    memoryBytes: 256 * 2 ** 20,
    scratchFolder: join(folder, 'engines'),
    telemetry,
    clock,
  });
  const scratch = scratchFolders({ folder: join(folder, 'landings'), clock });
  const lakeId = await openLake(lake, { clock });
  const ports = { broker, catalog, converter, lake, clock, telemetry, scratch };
  stage = createDeliveries({ ...ports, lakeId: async () => lakeId, scheduler: triggeredScheduler(), writer: 'test' });
  await stage.open();
}, 30_000);

afterEach(async () => {
  await stage.close();
  await converter.close();
  await broker.close();
  await rm(folder, { recursive: true, force: true });
});

async function put(rows: readonly object[]): Promise<void> {
  const data = rows.map((row) => Buffer.from(JSON.stringify(row)));
  let end = 0;
  await broker.append(id, {
    count: rows.length,
    keys: new Uint8Array(0),
    keyEnds: new Uint32Array(rows.length),
    data: Buffer.concat(data),
    dataEnds: Uint32Array.from(data, (bytes) => (end += bytes.byteLength)),
    shards: new Uint16Array(rows.length),
    arrivalMs: clock.nowMs(),
  });
}

test('rows land as Parquet by event hour, each once, with bad ones apart', { timeout: 60_000 }, async () => {
  const start = Date.UTC(2026, 0, 1);
  const row = (n: number): object => ({ n, at: new Date(start + (n % 3) * 3_600_000).toISOString(), name: `row ${n}` });
  await stage.create(stage.parse({ name: 'd', stream: 'events', eventTime: 'at' }));
  for (let part = 0; part < 4; part += 1) {
    await put(Array.from({ length: 2500 }, (_, i) => row(part * 2500 + i)));
    if (part === 1) await stage.flush('d');
  }
  await put([{ n: 'no time' }]);
  const status = await stage.flush('d');
  expect(status).toMatchObject({ state: 'running', rows: 10_000, rejectedRows: 1, entry: 2, planVersion: 1 });
  const { items } = await stage.files('d');
  const seen: number[] = [];
  for (const file of items) {
    const bytes = await readFile(join(folder, 'lake', file.path));
    const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
    for (const found of await parquetReadObjects({ file: buffer, compressors })) {
      seen.push(Number(found['n']));
      expect(file.partition).toBe(`year=2026/month=01/day=01/hour=0${Number(found['n']) % 3}`);
    }
  }
  expect(seen.length).toBe(10_000);
  expect(new Set(seen).size).toBe(10_000);
  expect((await stage.rejected('d')).items).toMatchObject([{ code: 'event-time-missing', offset: 10_000 }]);
});

test('raw records land as they came, without a plan', { timeout: 60_000 }, async () => {
  const spec = { name: 'd', stream: 'events', format: 'raw', compression: 'zstd', separator: '\n', layout: 'k={k}' };
  await stage.create(stage.parse(spec));
  await put([{ k: 'a', n: 1.5 }, { k: 'a' }, [1]]);
  const status = await stage.flush('d');
  expect(status).toMatchObject({ state: 'running', rows: 2, rejectedRows: 1, planVersion: 0 });
  const { items } = await stage.files('d');
  expect(items).toMatchObject([{ path: expect.stringMatching(/^d\/k=a\/d-.*\.raw\.zst$/) as string, planVersion: 0 }]);
  const bytes = await readFile(join(folder, 'lake', items[0]?.path ?? ''));
  expect(zstdDecompressSync(bytes).toString()).toBe('{"k":"a","n":1.5}\n{"k":"a"}\n');
});
