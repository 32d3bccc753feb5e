/** The delivery stage on the real parts: embedded broker, DuckDB engines, a lake in a folder. */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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
import type { Catalog } from '../../src/ports/catalog.ts';
import { silentTelemetry } from '../../src/telemetry/silent.ts';
import { triggeredScheduler } from './stage-fixture.ts';

export interface RealStage {
  readonly stage: DeliveryStage;
  readonly catalog: Catalog;
  readonly lakeFolder: string;
  /** Appends rows to the one stream there is, `events` of one shard. */
  readonly put: (rows: readonly object[]) => Promise<void>;
  readonly close: () => Promise<void>;
}

const clock = systemClock();
const telemetry = silentTelemetry();
const id = asStreamId('11111111-2222-7333-8444-555555555555');

export async function realStage(): Promise<RealStage> {
  const folder = await mkdtemp(join(tmpdir(), 'lakeward-delivery-'));
  for (const name of ['streams', 'lake', 'engines', 'landings']) await mkdir(join(folder, name));
  const broker = await openEmbeddedBroker({ folder: join(folder, 'streams'), clock, telemetry });
  await broker.open({ id, shardCount: 1, retentionMs: 86_400_000 });
  const catalog = createCatalog({ store: memoryStore({ clock }), clock });
  await catalog.open();
  const createdMs = clock.nowMs();
  const shard = { index: 0, startingHashKey: '0', endingHashKey: `${2n ** 128n - 1n}`, createdMs, parents: [] };
  const document = { name: 'events', id, createdMs, retentionMs: 86_400_000, shards: [shard] };
  await catalog.change(0, [{ kind: 'stream', key: 'events', document }]);
  const lake = await openFileStore({ folder: join(folder, 'lake'), clock });
  const converter = duckdbConverter({
    engines: 1,
    memoryBytes: 256 * 2 ** 20,
    scratchFolder: join(folder, 'engines'),
    telemetry,
    clock,
  });
  const scratch = scratchFolders({ folder: join(folder, 'landings'), clock });
  const lakeId = await openLake(lake, { clock });
  const ports = { broker, catalog, converter, lake, clock, telemetry, scratch };
  const parts = { ...ports, lakeId: async () => lakeId, scheduler: triggeredScheduler(), writer: 'test' };
  const stage = createDeliveries(parts);
  await stage.open();

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

  async function close(): Promise<void> {
    await stage.close();
    await converter.close();
    await broker.close();
    await rm(folder, { recursive: true, force: true });
  }

  return { stage, catalog, lakeFolder: join(folder, 'lake'), put, close };
}
