/** What a compaction did, told by every process that shares the lake and the catalog. */
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { createCatalog } from '../../src/catalog/catalog.ts';
import { type CompactionStage, createCompactions } from '../../src/compaction/compactions.ts';
import { parseDeliverySpec } from '../../src/delivery/spec.ts';
import { memoryStore } from '../../src/lake/memory/memory-store.ts';
import type { DeliveryDocument } from '../../src/model/delivery.ts';
import { LakewardError } from '../../src/model/errors.ts';
import { asStreamId } from '../../src/model/stream.ts';
import type { LakeStore } from '../../src/ports/lake-store.ts';
import { intervalScheduler } from '../../src/schedule/interval/interval-scheduler.ts';
import { silentTelemetry } from '../../src/telemetry/silent.ts';
import { type Bench, bench } from '../convert/records.ts';
import { type CompactionWorld, compactionWorld, HOUR_MS, RULE, SPEC } from './world.ts';

let engines: Bench;
let world: CompactionWorld;
beforeAll(async () => {
  engines = await bench();
  world = await compactionWorld(engines);
});
afterAll(async () => {
  await world.close();
  await engines.close();
});

test('the newest run is told by the process that ran it, by others and after a restart, also when the lake cannot keep it', async () => {
  const { clock, store } = world;
  const catalogs = memoryStore({ clock });
  const processOf = async (compacts: boolean, lake: LakeStore = store): Promise<CompactionStage> => {
    const catalog = createCatalog({ store: catalogs, clock });
    await catalog.open();
    if (!catalog.read().delivery.has('d')) {
      const spec = { ...parseDeliverySpec({ name: 'd', stream: 's' }), ...SPEC, stream: 's', compaction: RULE };
      const document: DeliveryDocument = {
        spec,
        streamId: asStreamId('s-1'),
        owner: 'api',
        createdMs: 0,
        paused: false,
      };
      await catalog.change(catalog.read().version, [{ kind: 'delivery', key: 'd', document }]);
    }
    const scheduler = intervalScheduler({ clock, telemetry: silentTelemetry() });
    const stage = createCompactions({ ...world.room({ store: lake }), catalog, scheduler, compacts });
    await stage.open();
    return stage;
  };
  const log = await world.openLog();
  for (const id of [1, 2, 3]) await world.land(log, 'hour=1', [id]);
  await clock.advance(HOUR_MS);
  await log.maintain();
  await clock.advance(HOUR_MS);

  const [one, two] = [await processOf(true), await processOf(false)];
  expect((await two.status('d')).last).toBeUndefined();
  await one.run('d');
  const ended = async (stage: CompactionStage): Promise<void> =>
    vi.waitFor(async () => expect((await stage.status('d')).running).toBeUndefined(), { timeout: 60_000 });
  await ended(one);
  const { last } = await one.status('d');
  expect(last).toMatchObject({ outcome: 'done', filesBefore: 3, filesAfter: 1, rows: 3 });
  expect((await two.status('d')).last).toEqual(last);
  await one.close();

  const full: LakeStore = {
    ...store,
    overwrite: async () => Promise.reject(new LakewardError('lake-unavailable', 'no room')),
  };
  const three = await processOf(true, full);
  expect((await three.status('d')).last).toEqual(last);
  await three.run('d');
  await ended(three);
  expect((await three.status('d')).last).toMatchObject({ outcome: 'done', filesBefore: 0 });
  expect((await two.status('d')).last).toEqual(last);
  await store.overwrite('_lakeward/d/compaction.json' as never, new TextEncoder().encode('{'));
  expect((await two.status('d')).last).toBeUndefined();
  await Promise.all([two.close(), three.close()]);
});
