/** A plan is written for the delivery it was made for, and for no other of its name. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { currentPlan } from '../../src/delivery/plan-keeper.ts';
import type { DeliveryStage } from '../../src/delivery/deliveries.ts';
import type { DeliveryDocument } from '../../src/model/delivery.ts';
import type { World } from './stage-fixture.ts';
import type { Catalog } from '../../src/ports/catalog.ts';
import { makeWorld } from './stage-fixture.ts';

describe('a plan made while its delivery', () => {
  let world: World;
  let stage: DeliveryStage;
  let before: DeliveryDocument;

  beforeEach(async () => {
    world = await makeWorld();
    await world.stream('events');
    stage = await world.stage();
    await create();
    before = world.catalog.read().delivery.get('d') as DeliveryDocument;
  });
  afterEach(() => world.close());

  const create = () => stage.create(stage.parse({ name: 'd', stream: 'events', format: 'ndjson' }));

  /** What is asked for a plan does `meanwhile` before it answers. */
  async function planWhile(meanwhile: () => Promise<unknown>, catalog: Catalog = world.catalog): Promise<unknown> {
    const infer: typeof world.converter.infer = async () => {
      await meanwhile();
      return { version: 1, misfit: 'extra', columns: [{ name: 'id', type: { kind: 'string' }, nullable: true }] };
    };
    const { clock } = world;
    const options = {
      catalog,
      clock,
      converter: { ...world.converter, infer },
      spec: before.spec,
      createdMs: before.createdMs,
    };
    return currentPlan(options, { sample: [], landedVersion: 0, signal: new AbortController().signal });
  }

  test('stays is stored', async () => {
    await planWhile(() => Promise.resolve());
    expect([...world.catalog.read().plan.keys()]).toEqual(['d']);
  });

  test('is overtaken by a plan of another specification is the one to land with', async () => {
    const other = { version: 2, misfit: 'extra', columns: [] } as const;
    const overtaken: Catalog = {
      ...world.catalog,
      async edit(...given) {
        const made = await world.catalog.edit(...given);
        const document = { delivery: 'd', plan: other, createdMs: 0 };
        await world.catalog.change(made.version, [{ kind: 'plan', key: 'd', document }]);
        return made;
      },
    };
    const plan = await planWhile(() => Promise.resolve(), overtaken);
    expect(world.catalog.read().plan.get('d')?.plan).toEqual(other);
    expect(plan).toMatchObject({ version: 1, columns: [{ name: 'id' }] });
  });

  test('is removed is not stored', async () => {
    await expect(planWhile(() => stage.remove('d'))).rejects.toMatchObject({ code: 'service-stopping' });
    expect(world.catalog.read().plan.size).toBe(0);
  });

  test('is removed and made anew is not stored for the new one', async () => {
    const remade = async (): Promise<void> => {
      await stage.remove('d');
      await world.clock.advance(1);
      await create();
    };
    await expect(planWhile(remade)).rejects.toMatchObject({ code: 'service-stopping' });
    expect(world.catalog.read().plan.size).toBe(0);
  });
});
