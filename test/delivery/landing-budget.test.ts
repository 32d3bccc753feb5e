/** Landings that were too much are made smaller, down to one record, and grow again; what staging left behind is dropped. */
import { describe, expect, test } from 'vitest';
import { landingBudget } from '../../src/delivery/landing-budget.ts';
import { rangeReader } from '../../src/delivery/range-reader.ts';
import { LakewardError } from '../../src/model/errors.ts';
import type { RecordBatch } from '../../src/model/record-batch.ts';
import { batchBytes } from '../../src/model/record-batch.ts';
import { asOffset, asShard } from '../../src/model/stream.ts';
import type { World } from './stage-fixture.ts';
import { makeWorld } from './stage-fixture.ts';

const TOO_MUCH = new LakewardError('convert-failed', 'out of memory', { details: { resource: true } });

async function recordsOf(batches: AsyncIterable<RecordBatch>): Promise<{ count: number; bytes: number }> {
  let count = 0;
  let bytes = 0;
  for await (const batch of batches) {
    count += batch.count;
    bytes += batchBytes(batch);
  }
  return { count, bytes };
}

/** Fails conversions of more records than this for want of memory. */
function withRoomFor(world: World, recordsMax: number): number[] {
  const tried: number[] = [];
  const convert = world.converter.convert.bind(world.converter);
  world.converter.convert = async (job, batches, options) => {
    const { count } = await recordsOf(batches);
    tried.push(count);
    if (count > recordsMax) throw TOO_MUCH;
    return convert(job, batches, options);
  };
  return tried;
}

describe('a budget', () => {
  test('halves what was too much, and doubles after a while', () => {
    const budget = landingBudget();
    expect(budget.bytesMax(1000)).toBe(1000);
    budget.failed(TOO_MUCH, 600);
    expect(budget.bytesMax(1000)).toBe(300);
    budget.failed(TOO_MUCH, 0);
    expect(budget.bytesMax(1000)).toBe(150);
    for (let i = 0; i < 8; i += 1) budget.converted();
    expect(budget.bytesMax(1000)).toBe(300);
    for (let i = 0; i < 16; i += 1) budget.converted();
    expect(budget.bytesMax(1000)).toBe(1000);
  });

  test('stays as it is after other faults, and never ends at nothing', () => {
    const budget = landingBudget();
    budget.failed(new LakewardError('convert-failed', 'a refusal'), 600);
    budget.failed(new LakewardError('lake-unavailable', 'away'), 600);
    expect(budget.bytesMax(1000)).toBe(1000);
    for (let i = 0; i < 20; i += 1) budget.failed(TOO_MUCH, 600);
    expect(budget.bytesMax(1000)).toBe(1);
  });
});

describe('a range', () => {
  test.each([1, 10, 39, 40, 41, 97, 100_000])(
    'of at most %i bytes holds no more, or one record, each time the same',
    async (bytesMax) => {
      const world = await makeWorld();
      try {
        const { id } = await world.stream('events', 2);
        for (const shard of [0, 1])
          await world.putRaw(
            Array.from({ length: 20 }, (_, i) => `{"id":"${shard}-${100 + i}"}`),
            { shard },
          );
        let positions = new Map([0, 1].map((shard) => [asShard(shard), asOffset(0)]));
        const ends = new Map([0, 1].map((shard) => [asShard(shard), asOffset(20)]));
        let total = 0;
        for (let n = 0; total < 40 && n < 41; n += 1) {
          const { signal } = new AbortController();
          const reader = rangeReader({ broker: world.broker, stream: id, from: positions, ends, bytesMax, signal });
          const first = await recordsOf(reader.batches);
          expect(await recordsOf(reader.batches)).toEqual(first);
          expect(first.count).toBeGreaterThan(0);
          expect(first.count === 1 || first.bytes <= bytesMax).toBe(true);
          total += first.count;
          const { ranges, records, bytes } = reader.outcome();
          expect({ count: records, bytes }).toEqual(first);
          positions = new Map([...positions, ...[...ranges].map(([shard, { to }]) => [shard, to] as const)]);
        }
        expect([total, positions]).toEqual([40, ends]);
      } finally {
        await world.close();
      }
    },
  );
});

describe('a delivery whose conversions lack memory', () => {
  test.each([1, 3, 20])('lands %i records at a time where more do not fit, each once', async (recordsMax) => {
    const world = await makeWorld();
    try {
      await world.stream('events', 2);
      const stage = await world.stage();
      const tried = withRoomFor(world, recordsMax);
      await stage.create(stage.parse({ name: 'd', stream: 'events', format: 'ndjson', flush: { records: 1 } }));
      const ids = Array.from({ length: 64 }, (_, i) => 100 + i);
      await world.put(ids.slice(0, 32));
      await world.put(ids.slice(32), { shard: 1 });
      await world.clock.advance(600_000);
      expect(await world.landed()).toEqual(ids.map(String));
      expect((await stage.status('d'))[0]).toMatchObject({ state: 'running', rows: 64 });
      expect(tried.filter((count) => count > recordsMax).length).toBeLessThan(24);
    } finally {
      await world.close();
    }
  });
});
