/**
 * Any interleaving of appends, flushes, time, restarts, a second process, and a lake that fails before or after it did what was asked:
 * in the end every record lies in the visible files exactly once, and the totals of the log agree.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { DeliveryStage } from '../../src/delivery/deliveries.ts';
import { LakewardError } from '../../src/model/errors.ts';
import type { World } from './stage-fixture.ts';
import { inTime, makeWorld } from './stage-fixture.ts';

const METHODS = ['create', 'stage', 'publish', 'read', 'discard', 'list'] as const;

type Action =
  | { readonly kind: 'put'; readonly shard: number; readonly count: number }
  | { readonly kind: 'advance'; readonly ms: number }
  | { readonly kind: 'flush' | 'restart' | 'second' }
  | { readonly kind: 'fault'; readonly calls: number; readonly after: boolean };

const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('put' as const),
      shard: fc.nat(2),
      count: fc.integer({ min: 1, max: 9 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('advance' as const), ms: fc.constantFrom(0, 10, 700, 5000) }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constantFrom('flush' as const, 'restart' as const, 'second' as const) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('fault' as const),
      calls: fc.integer({ min: 1, max: 12 }),
      after: fc.boolean(),
    }),
  },
);

/** A lake that fails the next calls, in turn before and after their effect. Gives the way to set how many. */
function makeFaulty(world: World): (calls: number, after: boolean) => void {
  let left = 0;
  let late = false;
  for (const method of METHODS) {
    const real = world.lake[method].bind(world.lake) as (...call: unknown[]) => Promise<unknown>;
    const faulty = async (...call: unknown[]): Promise<unknown> => {
      if (left <= 0) return real(...call);
      left -= 1;
      // A stage takes the local file away: after its effect a repetition finds none, as on a disk.
      if (late && method !== 'stage') await real(...call);
      throw new LakewardError('lake-unavailable', 'the answer was lost');
    };
    (world.lake as Record<string, unknown>)[method] = faulty;
  }
  return (calls, after) => {
    left = calls;
    late = after;
  };
}

test('every record lands exactly once, whatever happens in between', { timeout: 60_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(action, { minLength: 5, maxLength: 40 }), fc.nat(1000), async (actions, seed) => {
      const world = await makeWorld({ seed });
      await world.stream('events', 3);
      const stages: DeliveryStage[] = [await world.stage()];
      const [first] = stages;
      if (first === undefined) throw new Error('no stage');
      await first.create(
        first.parse({ name: 'd', stream: 'events', format: 'ndjson', flush: { records: 7, age: '2s' } }),
      );
      const fail = makeFaulty(world);
      const put: string[] = [];
      for (const step of actions) {
        if (step.kind === 'put') {
          const ids = Array.from({ length: step.count }, (_, i) => `${put.length + i}`);
          put.push(...ids);
          await world.put(ids, { shard: step.shard });
        } else if (step.kind === 'advance') await world.clock.advance(step.ms);
        else if (step.kind === 'fault') fail(step.calls, step.after);
        else if (step.kind === 'second' && stages.length < 2) stages.push(await world.stage());
        else if (step.kind === 'restart') {
          await inTime(world.clock, (stages.shift() as DeliveryStage).close());
          stages.push(await world.stage());
        } else stages[0]?.flush('d').catch(() => undefined);
      }
      fail(0, false);
      await world.clock.advance(120_000);
      const last = stages.at(-1) as DeliveryStage;
      const status = await inTime(world.clock, last.flush('d'));
      expect(await world.landed()).toEqual(put.toSorted());
      expect(status).toMatchObject({ rows: put.length, rejectedRows: 0, lostOffsets: 0 });
      await inTime(world.clock, world.close());
      expect(world.scratch.size).toBe(0);
    }),
    { numRuns: 60 },
  );
});
