/** The watermark of a delivery that several processes land is one of the whole stream, as one process that lands all would say it. */
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { manualClock } from '../../src/clock/manual-clock.ts';
import { type Progress, progressBook } from '../../src/delivery/shard-progress.ts';
import { moveHighs, highTable, type ShardHighs } from '../../src/landing/shard-highs.ts';
import { asOffset, asShard, type Positions } from '../../src/model/stream.ts';
import { type HandDealt, handDealt } from './hand-dealt.ts';
import type { World } from './stage-fixture.ts';
import { makeWorld } from './stage-fixture.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

describe('the watermark of two processes', () => {
  let world: World;
  beforeEach(async () => {
    world = await makeWorld();
    await world.stream('events', 2);
  });
  afterEach(() => world.close());

  const stageWith = async (deal: HandDealt) => world.stage({ groups: deal.groups });
  const spec = {
    name: 'd',
    stream: 'events',
    format: 'ndjson',
    eventTime: { field: 'at', form: 'ms' },
    allowedLateness: '10m',
    flush: { records: 1, age: '1m' },
  };

  test('waits for a shard that another lands, and passes it once it is quiet', async () => {
    const [one, two] = [await stageWith(handDealt([0])), await stageWith(handDealt([1]))];
    await one.create(one.parse(spec));
    const startMs = world.clock.nowMs();
    const land = async (shard: number, t: number): Promise<number | undefined> => {
      await world.put(['x'], { shard, fields: { at: t } });
      await world.clock.advance(5000);
      return (await two.status('d'))[0]?.watermarkMs;
    };
    // Nothing is known of the second shard yet.
    expect(await land(0, startMs)).toBeUndefined();
    const slow = startMs - 30 * MINUTE_MS;
    expect(await land(1, slow)).toBe(slow - 10 * MINUTE_MS);
    expect(await land(0, world.clock.nowMs())).toBe(slow - 10 * MINUTE_MS);
    await world.clock.advance(5 * MINUTE_MS);
    const fastMs = world.clock.nowMs();
    expect(await land(0, fastMs)).toBe(fastMs - 10 * MINUTE_MS);
    await two.close();
    // Another process goes on with what the log knows: no shard is unknown again.
    const three = await stageWith(handDealt([0, 1]));
    await one.close();
    const laterMs = world.clock.nowMs();
    await world.put(['y'], { shard: 0, fields: { at: laterMs } });
    await world.put(['z'], { shard: 1, fields: { at: laterMs } });
    await world.clock.advance(5000);
    expect((await three.status('d'))[0]?.watermarkMs).toBe(laterMs - 10 * MINUTE_MS);
  });
});

interface Step {
  readonly shard: number;
  readonly lagMs: number;
  readonly waitMs: number;
  /** Lands with what it knew before, as a process does whose view is old. */
  readonly stale: boolean;
}

const step: fc.Arbitrary<Step> = fc.record({
  shard: fc.nat(2),
  lagMs: fc.integer({ min: 0, max: 2 * HOUR_MS }),
  waitMs: fc.constantFrom(0, 1000, 90_000, 10 * MINUTE_MS),
  stale: fc.boolean(),
});

test('is never ahead of the one of a single process that knows all, and the same when views are fresh', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 30 }), async (steps) => {
      const clock = manualClock();
      const options = { clock, allowedLatenessMs: 10 * MINUTE_MS, idleAfterMs: 2 * MINUTE_MS };
      const [all, ...others] = Array.from({ length: 4 }, () => progressBook(options));
      const shards = [0, 1, 2].map(asShard);
      let positions: Positions = new Map(shards.map((shard) => [shard, asOffset(0)]));
      let highs: ShardHighs = new Map();
      let [shared, single]: (number | undefined)[] = [undefined, undefined];
      let old = { positions, highs };
      let everStale = false;
      for (const { shard: index, lagMs, waitMs, stale } of steps) {
        await clock.advance(waitMs);
        const shard = asShard(index);
        const at = positions.get(shard) ?? asOffset(0);
        const to = asOffset(at + 1);
        const ends = new Map([...positions, [shard, to]]);
        const range = {
          ranges: new Map([[shard, { from: at, to }]]),
          gaps: [],
          records: 1,
          bytes: 1,
          firstArrivalMs: clock.nowMs(),
          lastArrivalMs: new Map([[shard, clock.nowMs()]]),
        };
        const eventHighMs = new Map([[shard, clock.nowMs() - lagMs]]);
        const facts = { range, ends, eventHighMs, closed: new Map() };
        const seen = stale
          ? { from: new Map([...old.positions, [shard, at]]), highs: own(old.highs, highs, shard) }
          : { from: positions, highs };
        everStale ||= stale;
        const mine = others[index]?.after({ ...facts, ...seen, previousMs: shared });
        const whole: Progress | undefined = all?.after({ ...facts, from: positions, highs, previousMs: single });
        old = { positions, highs };
        shared = Math.max(mine?.watermarkMs ?? -Infinity, shared ?? -Infinity);
        single = whole?.watermarkMs;
        expect(shared).toBeLessThanOrEqual(single ?? -Infinity);
        if (!everStale) expect(shared).toBe(single ?? -Infinity);
        if (!Number.isFinite(shared)) shared = undefined;
        highs = moveHighs(highs, highTable(mine?.highs ?? new Map()));
        positions = ends;
      }
    }),
    { numRuns: 300 },
  );
});

/** A process always knows its own shard. */
function own(old: ShardHighs, now: ShardHighs, shard: ReturnType<typeof asShard>): ShardHighs {
  const held = now.get(shard);
  return held === undefined ? old : new Map([...old, [shard, held]]);
}
