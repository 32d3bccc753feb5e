/** Landings whose files cannot all be staged leave no stages behind, and what they could not drop is swept while they retry. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { DeliveryStage } from '../../src/delivery/deliveries.ts';
import type { LakePath } from '../../src/model/lake-path.ts';
import { LakewardError } from '../../src/model/errors.ts';
import type { Scheduler } from '../../src/ports/scheduler.ts';
import type { World } from './stage-fixture.ts';
import { makeWorld, triggeredScheduler } from './stage-fixture.ts';

const MINUTE_MS = 60_000;

describe('a landing one of whose files cannot be staged', () => {
  let world: World;
  let stage: DeliveryStage;
  let scheduler: Scheduler;
  let broken: boolean;
  let discards: boolean;

  beforeEach(async () => {
    world = await makeWorld();
    await world.stream('events');
    scheduler = triggeredScheduler();
    stage = await world.stage({ scheduler });
    broken = true;
    discards = true;
    const { stage: take, discard } = world.lake;
    world.lake.stage = async (file, options) => {
      if (broken && file.final.includes('bad')) throw new LakewardError('lake-unavailable', 'no room');
      return take(file, options);
    };
    world.lake.discard = async (handle, options) => {
      if (!discards) throw new LakewardError('lake-unavailable', 'away');
      return discard(handle, options);
    };
    await stage.create(
      stage.parse({ name: 'd', stream: 'events', format: 'ndjson', layout: '{p}/', flush: { records: 1 } }),
    );
    for (const p of ['a1', 'a2', 'a3', 'bad']) await world.put([p], { fields: { p } });
  });
  afterEach(() => world.close());

  async function stagesLeft(): Promise<LakePath[]> {
    const { files } = await world.lake.list('_lakeward/d/');
    return files.map(({ path }) => path).filter((path) => path.includes('/staged/'));
  }

  test('drops the others at each retry', async () => {
    for (let i = 0; i < 60; i += 1) await world.clock.advance(MINUTE_MS / 2);
    expect((await stage.status('d'))[0]).toMatchObject({ state: 'retrying', trouble: { code: 'lake-unavailable' } });
    expect(await stagesLeft()).toEqual([]);
    broken = false;
    await world.clock.advance(MINUTE_MS);
    expect(await world.landed()).toEqual(['a1', 'a2', 'a3', 'bad']);
  });

  test('has what it could not drop swept while it retries', async () => {
    discards = false;
    await world.clock.advance(MINUTE_MS);
    const left = await stagesLeft();
    expect(left.length).toBeGreaterThan(0);
    discards = true;
    // One retry that takes long: a day of them would be many.
    const gate = Promise.withResolvers<void>();
    world.converter.before = () => gate.promise;
    for (let hour = 0; hour < 27; hour += 1) {
      await world.clock.advance(60 * MINUTE_MS);
      await scheduler.trigger('delivery maintenance d');
    }
    expect((await stage.status('d'))[0]).toMatchObject({ state: 'retrying' });
    expect((await stagesLeft()).filter((path) => left.includes(path))).toEqual([]);
    broken = false;
    gate.resolve();
    await world.clock.advance(MINUTE_MS);
    expect(await world.landed()).toEqual(['a1', 'a2', 'a3', 'bad']);
  });
});
