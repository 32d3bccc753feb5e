import { expect, test } from 'vitest';
import { closedShards, countStragglers } from '../../src/delivery/closed-shards.ts';
import type { StreamDocument } from '../../src/model/stream.ts';
import { asOffset, asShard, asStreamId } from '../../src/model/stream.ts';

const shard = (index: number) => ({ index, startingHashKey: '0', endingHashKey: '1', createdMs: 0, parents: [] });

test('records behind the end of a closed shard are stragglers, wherever a landing begins', () => {
  const opened: StreamDocument = {
    name: 's',
    id: asStreamId('1'),
    createdMs: 0,
    retentionMs: 1,
    shards: [shard(0), shard(1)],
  };
  const now = { ...opened, shards: [{ ...shard(0), closedMs: 5, closedEnd: 10 }, shard(1), shard(2)] };
  const closed = closedShards({ stream: new Map([['s', now]]) }, opened);
  const count = (from: number, to: number, of = 0): number =>
    countStragglers(new Map([[asShard(of), { from: asOffset(from), to: asOffset(to) }]]), closed);
  expect([count(0, 10), count(0, 12), count(10, 13), count(11, 13), count(0, 99, 1)]).toEqual([0, 2, 3, 2, 0]);
  // A stream made anew under the name says nothing of this one.
  const other = { ...now, id: asStreamId('2') };
  expect(closedShards({ stream: new Map([['s', other]]) }, opened).size).toBe(0);
});
