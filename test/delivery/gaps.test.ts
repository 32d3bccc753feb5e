/** Holes in the stream: unused offsets are passed over in silence, lost ones are recorded and counted; neither keeps the rest from landing. */
import { describe, expect, test } from 'vitest';
import { batchesWithin } from '../../src/delivery/batch-slice.ts';
import type { RecordBatch } from '../../src/model/record-batch.ts';
import { asOffset, asShard } from '../../src/model/stream.ts';
import type { Broker, OffsetGap, ReadResult } from '../../src/ports/broker.ts';
import { inTime, makeWorld } from './stage-fixture.ts';

type Cause = OffsetGap['cause'];

/** A broker whose shard 0 has holes: what lies in them is not given, and named. */
function withHoles(broker: Broker, holes: readonly { from: number; to: number; cause: Cause }[]): Broker {
  return {
    ...broker,
    async read(stream, positions, options): Promise<ReadResult> {
      const asked = new Map(positions);
      const gaps: OffsetGap[] = [];
      for (const { from, to, cause } of holes) {
        const at = asked.get(asShard(0)) ?? -1;
        if (at < from || at >= to) continue;
        gaps.push({ shard: asShard(0), from: asOffset(at), to: asOffset(to), cause });
        asked.set(asShard(0), asOffset(to));
      }
      const result = await broker.read(stream, asked, options);
      // Up to the next hole; the read after it names the hole.
      const stop = Math.min(...holes.map(({ from }) => from).filter((from) => from >= (asked.get(asShard(0)) ?? 0)));
      const stops = new Map(result.next);
      if (Number.isFinite(stop)) stops.set(asShard(0), asOffset(Math.min(stop, result.next.get(asShard(0)) ?? stop)));
      return { batches: batchesWithin(result.batches, stops), gaps: [...gaps, ...result.gaps], next: stops };
    },
  };
}

describe('holes in a stream', () => {
  test.each([
    ['a lost one in the middle', [{ from: 3, to: 6, cause: 'damaged' }], 3],
    ['an unused one in the middle', [{ from: 3, to: 6, cause: 'unused' }], 0],
    ['a lost one at the beginning', [{ from: 0, to: 4, cause: 'expired' }], 4],
    ['an unused one at the beginning', [{ from: 0, to: 4, cause: 'unused' }], 0],
    [
      'an unused one before a lost one',
      [
        { from: 2, to: 4, cause: 'unused' },
        { from: 4, to: 5, cause: 'damaged' },
      ],
      1,
    ],
    [
      'two lost ones side by side',
      [
        { from: 2, to: 4, cause: 'expired' },
        { from: 4, to: 7, cause: 'damaged' },
      ],
      5,
    ],
    ['a lost one at the end', [{ from: 7, to: 10, cause: 'damaged' }], 3],
    ['everything', [{ from: 0, to: 10, cause: 'expired' }], 10],
  ] as const)('%s', async (_name, holes, lost) => {
    const world = await makeWorld({ passes: 2 });
    await world.stream('events', 2);
    const stage = await world.stage({ broker: withHoles(world.broker, holes) });
    await stage.create(stage.parse({ name: 'd', stream: 'events', format: 'ndjson' }));
    const ids = Array.from({ length: 10 }, (_, i) => i);
    await world.put(ids);
    await world.put(['x', 'y'], { shard: 1 });
    const status = await inTime(world.clock, stage.flush('d'));
    const kept = ids.filter((i) => !holes.some(({ from, to }) => i >= from && i < to));
    expect(await world.landed()).toEqual([...kept.map(String), 'x', 'y']);
    expect(status).toMatchObject({ rows: kept.length + 2, lostOffsets: lost, state: 'running' });
    await world.close();
  });
});

test('batches are cut at stops without a copy', () => {
  const batch: RecordBatch = {
    shard: asShard(1),
    firstOffset: asOffset(5),
    count: 3,
    keys: Uint8Array.of(1, 2, 3),
    keyEnds: Uint32Array.of(1, 2, 3),
    data: Uint8Array.of(7, 7, 8, 9),
    dataEnds: Uint32Array.of(2, 3, 4),
    arrivals: Float64Array.of(10, 11, 12),
  };
  const cut = (stop: number): readonly RecordBatch[] => batchesWithin([batch], new Map([[asShard(1), asOffset(stop)]]));
  expect(cut(8)[0]).toBe(batch);
  expect(cut(5)).toEqual([]);
  expect(cut(7)).toMatchObject([{ count: 2, data: Uint8Array.of(7, 7, 8), arrivals: Float64Array.of(10, 11) }]);
  expect(cut(7)[0]?.data.buffer).toBe(batch.data.buffer);
  expect(batchesWithin([batch], new Map())).toEqual([]);
});
