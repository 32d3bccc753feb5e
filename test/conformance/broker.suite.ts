/**
 * What every broker does, as its port says. A function of a factory and what the implementation can do; each implementation and
 * each wrapper runs it.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { manualClock, type ManualClock } from '../../src/clock/manual-clock.ts';
import { asOffset, asShard, asStreamId, type Offset, type Positions, type ShardIndex } from '../../src/model/stream.ts';
import type { Broker, BrokerCapabilities } from '../../src/ports/broker.ts';
import { readAll, startOf } from '../broker/read-all.ts';
import { recordsOf, type TextRecord, textBatch } from '../broker/text-batch.ts';

export interface BrokerSuiteOptions {
  readonly name: string;
  readonly capabilities: BrokerCapabilities;
  /** When the run's clock starts, epoch ms: a storage that looks at the wall clock itself wants it about now. */
  readonly startMs?: number;
  /** A new, empty storage; `open` may be called again after `close` when the broker is durable. */
  readonly storage: () => Promise<{ open(clock: ManualClock): Promise<Broker>; cleanUp(): Promise<void> }>;
}

const HOUR_MS = 3_600_000;
const ID = asStreamId('stream-1');
const SHARDS = 4;
const STREAM = { id: ID, shardCount: SHARDS, retentionMs: HOUR_MS };
const at = (shard: number, offset: number): Positions =>
  new Map<ShardIndex, Offset>([[asShard(shard), asOffset(offset)]]);
const texts = (shard: number, ...data: string[]): TextRecord[] =>
  data.map((text) => ({ shard, key: `key-${text}`, data: text }));

export function brokerSuite({ name, capabilities, startMs, storage }: BrokerSuiteOptions): void {
  describe(`${name} as a broker`, () => {
    let place: Awaited<ReturnType<BrokerSuiteOptions['storage']>>;
    let clock: ManualClock;
    let broker: Broker;
    const put = (records: readonly TextRecord[]) => broker.append(ID, textBatch(records, clock.nowMs()));
    const dataFrom = async (positions: Positions): Promise<string[]> =>
      (await readAll(broker, ID, positions)).records.map(({ data }) => data);

    beforeEach(async () => {
      place = await storage();
      clock = manualClock(startMs === undefined ? {} : { nowMs: startMs });
      broker = await place.open(clock);
      await broker.open(STREAM);
    });
    afterEach(async () => {
      await broker.close();
      await place.cleanUp();
    });

    describe('append and read', () => {
      test('gives back what was stored, byte for byte, with offsets, keys and arrival', async () => {
        const { offsets, failures } = await put([...texts(1, 'a', ''), ...texts(0, 'b'), ...texts(1, 'ünï\0')]);
        expect([...offsets]).toEqual([0, 1, 0, 2]);
        expect(failures).toEqual([]);
        const { records } = await readAll(broker, ID, startOf(SHARDS));
        const arrivalMs = clock.nowMs();
        expect(records.filter(({ shard }) => shard === 1)).toEqual([
          { shard: 1, offset: 0, key: 'key-a', data: 'a', arrivalMs },
          { shard: 1, offset: 1, key: 'key-', data: '', arrivalMs },
          { shard: 1, offset: 2, key: 'key-ünï\0', data: 'ünï\0', arrivalMs },
        ]);
        expect(records.filter(({ shard }) => shard === 0)).toHaveLength(1);
      });

      test('keeps a copy: the memory of a batch may be used again once its append has settled', async () => {
        const batch = textBatch([...texts(1, 'a'), ...texts(2, 'b'), ...texts(1, 'c'.repeat(100))], clock.nowMs());
        await broker.append(ID, batch);
        for (const part of [batch.keys, batch.keyEnds, batch.data, batch.dataEnds, batch.shards]) part.fill(1);
        await put(texts(1, 'd'));
        const { records } = await readAll(broker, ID, startOf(SHARDS));
        const kept = records.filter(({ shard }) => shard === 1).map(({ key, data }) => [key, data]);
        expect(kept).toEqual([
          ['key-a', 'a'],
          [`key-${'c'.repeat(100)}`, 'c'.repeat(100)],
          ['key-d', 'd'],
        ]);
      });

      test('keeps records without key and data', async () => {
        await put([{ shard: 2, key: '', data: '' }]);
        expect(await dataFrom(at(2, 0))).toEqual(['']);
      });

      test('keeps the order of each shard over many concurrent appends', async () => {
        const appends = Array.from({ length: 50 }, (_, i) => put(texts(i % 3, `${i}a`, `${i}b`)));
        const results = await Promise.all(appends);
        for (let i = 3; i < 50; i++) {
          expect(results[i]?.offsets[0]).toBeGreaterThan(results[i - 3]?.offsets[1] ?? Infinity);
        }
        const expected = Array.from({ length: 50 }, (_, i) => i).filter((i) => i % 3 === 1);
        expect(await dataFrom(at(1, 0))).toEqual(expected.flatMap((i) => [`${i}a`, `${i}b`]));
      });

      test('keeps the arrival of each append apart', async () => {
        const early = textBatch(texts(0, 'early'), 1000);
        const late = textBatch(texts(0, 'late'), 2000);
        await Promise.all([broker.append(ID, late), broker.append(ID, early)]);
        const { records } = await readAll(broker, ID, at(0, 0));
        expect(records.map(({ data, arrivalMs }) => [data, arrivalMs])).toEqual([
          ['late', 2000],
          ['early', 1000],
        ]);
      });

      test('starts inside a batch', async () => {
        await put(texts(0, 'a', 'b', 'c', 'd'));
        const { batches, next } = await broker.read(ID, at(0, 2), { maxBytes: 1000, waitMs: 0 });
        expect(recordsOf(batches).map(({ offset, key, data }) => [offset, key, data])).toEqual([
          [2, 'key-c', 'c'],
          [3, 'key-d', 'd'],
        ]);
        expect(next).toEqual(at(0, 4));
      });

      test('gives at least one batch however small the budget, and stops soon after it is spent', async () => {
        for (let i = 0; i < 10; i++) await put(texts(i % 2, 'x'.repeat(100)));
        const { batches } = await broker.read(ID, startOf(SHARDS), { maxBytes: 1, waitMs: 0 });
        expect(batches.length).toBeGreaterThan(0);
        expect(recordsOf(batches).length).toBeLessThan(4);
        expect(await dataFrom(startOf(SHARDS))).toHaveLength(10);
      });

      test('reads only the shards asked for', async () => {
        await put([...texts(0, 'a'), ...texts(3, 'b')]);
        const result = await broker.read(ID, at(3, 0), { maxBytes: 1000, waitMs: 0 });
        expect(recordsOf(result.batches).map(({ data }) => data)).toEqual(['b']);
        expect([...result.next.keys()]).toEqual([3]);
      });

      test('answers an empty append and an empty read at once', async () => {
        expect((await put([])).offsets).toHaveLength(0);
        expect(await broker.read(ID, at(0, 0), { maxBytes: 1, waitMs: 0 })).toEqual({
          batches: [],
          gaps: [],
          next: at(0, 0),
        });
      });

      test('takes a record of ten mebibytes', async () => {
        const data = 'y'.repeat(10 * 1024 * 1024);
        await put([{ shard: 0, key: 'k', data }, ...texts(0, 'after')]);
        const [large, after] = await dataFrom(at(0, 0));
        expect(large === data).toBe(true);
        expect(after).toBe('after');
      });
    });

    describe('refusals', () => {
      const other = asStreamId('other');
      test('names an unknown stream', async () => {
        const refusal = { code: 'stream-not-found' };
        await expect(broker.append(other, textBatch(texts(0, 'a'), 0))).rejects.toMatchObject(refusal);
        await expect(broker.read(other, at(0, 0), { maxBytes: 1, waitMs: 0 })).rejects.toMatchObject(refusal);
        await expect(broker.locate(other, asShard(0), 'latest')).rejects.toMatchObject(refusal);
        await expect(broker.retain(other, 0)).rejects.toMatchObject(refusal);
      });

      test('names an unknown shard, and stores nothing of that batch', async () => {
        const refusal = { code: 'shard-not-found' };
        await expect(put([...texts(0, 'a'), ...texts(SHARDS, 'b')])).rejects.toMatchObject(refusal);
        await expect(broker.read(ID, at(SHARDS, 0), { maxBytes: 1, waitMs: 0 })).rejects.toMatchObject(refusal);
        expect(await dataFrom(startOf(SHARDS))).toEqual([]);
      });

      test('refuses work after close with broker-closed', async () => {
        await broker.close();
        await broker.close();
        await expect(put(texts(0, 'a'))).rejects.toMatchObject({ code: 'broker-closed' });
        await expect(broker.open(STREAM)).rejects.toMatchObject({ code: 'broker-closed' });
      });

      test('an aborted signal rejects with its reason', async () => {
        const reason = new Error('enough');
        const signal = AbortSignal.abort(reason);
        await expect(broker.append(ID, textBatch(texts(0, 'a'), 0), { signal })).rejects.toBe(reason);
        await expect(broker.read(ID, at(0, 0), { maxBytes: 1, waitMs: 0, signal })).rejects.toBe(reason);
        expect(await dataFrom(at(0, 0))).toEqual([]);
      });
    });

    describe('waiting', () => {
      const wait = { maxBytes: 1000, waitMs: 10_000 };
      test('wakes a read by the first record of its shard, and by no other', async () => {
        let answered = false;
        const reading = broker.read(ID, at(1, 0), wait).finally(() => {
          answered = true;
        });
        await put(texts(0, 'other'));
        await clock.settle();
        expect(answered).toBe(false);
        await put(texts(1, 'mine'));
        expect(recordsOf((await reading).batches).map(({ data }) => data)).toEqual(['mine']);
        expect(clock.sleepers()).toBe(0);
      });

      test('ends without records when the time has passed', async () => {
        const reading = broker.read(ID, at(1, 0), wait);
        await clock.advance(10_000);
        expect(await reading).toEqual({ batches: [], gaps: [], next: at(1, 0) });
      });

      test('ends on abort with the reason', async () => {
        const controller = new AbortController();
        const reason = new Error('enough');
        const reading = broker.read(ID, at(1, 0), { ...wait, signal: controller.signal });
        const counting = broker.pending(ID, at(1, 0), {
          minBytes: 1,
          minRecords: 1,
          waitMs: 1000,
          signal: controller.signal,
        });
        const ends = Promise.allSettled([reading, counting]);
        await clock.settle();
        controller.abort(reason);
        expect(await ends).toEqual([
          { status: 'rejected', reason },
          { status: 'rejected', reason },
        ]);
        expect(clock.sleepers()).toBe(0);
      });

      test('ends with stream-not-found when the stream is removed, with broker-closed when the broker closes', async () => {
        const codeOf = (error: unknown): unknown => (error as { code?: unknown }).code;
        const removed = broker.read(ID, at(1, 0), wait).catch(codeOf);
        await clock.settle();
        await broker.remove(ID);
        expect(await removed).toBe('stream-not-found');
        await broker.open(STREAM);
        const closed = broker.read(ID, at(1, 0), wait).catch(codeOf);
        await clock.settle();
        await broker.close();
        expect(await closed).toBe('broker-closed');
      });

      test('serves a thousand waiting reads', async () => {
        const reads = Array.from({ length: 1000 }, (_, i) => broker.read(ID, at(i % SHARDS, 0), wait));
        await clock.settle();
        await put([0, 1, 2, 3].flatMap((shard) => texts(shard, `for ${shard}`)));
        const got = await Promise.all(reads);
        got.forEach(({ batches }, i) => expect(recordsOf(batches)[0]?.data).toBe(`for ${i % SHARDS}`));
        expect(clock.sleepers()).toBe(0);
      });
    });

    describe('locate and pending', () => {
      test('finds earliest, latest and the first record at or after a time', async () => {
        const located = (where: Parameters<Broker['locate']>[2]) => broker.locate(ID, asShard(0), where);
        expect(await located('earliest')).toBe(0);
        expect(await located({ atMs: 0 })).toBe(0);
        for (const arrivalMs of [1000, 3000, 2000, 5000])
          await broker.append(ID, textBatch(texts(0, 'a', 'b'), arrivalMs));
        expect(await located('earliest')).toBe(0);
        expect(await located('latest')).toBe(8);
        expect(await located({ atMs: 1000 })).toBe(0);
        expect(await located({ atMs: 1001 })).toBe(2);
        expect(await located({ atMs: 3001 })).toBe(6);
        expect(await located({ atMs: 5001 })).toBe(8);
      });

      test('finds a time among appends that share a write', async () => {
        await Promise.all([10, 20, 30, 40].map((ms) => broker.append(ID, textBatch(texts(0, 'a', 'b'), ms))));
        expect(await broker.locate(ID, asShard(0), { atMs: 11 })).toBe(2);
        expect(await broker.locate(ID, asShard(0), { atMs: 40 })).toBe(6);
      });

      test('counts what waits behind positions', async () => {
        await broker.append(ID, textBatch([...texts(0, 'aa', 'bb'), ...texts(1, 'c')], 500));
        await broker.append(ID, textBatch(texts(0, 'dd'), 400));
        const now = { minBytes: 0, minRecords: 0, waitMs: 0 };
        const all = await broker.pending(ID, startOf(SHARDS), now);
        expect(all.exact).toBe(capabilities.pendingExact);
        if (!capabilities.pendingExact) return;
        expect(all).toMatchObject({ records: 4, bytes: 3 * 8 + 6, oldestArrivalMs: 400 });
        expect(all.ends).toEqual(new Map([...startOf(SHARDS)].map(([shard]) => [shard, [3, 1, 0, 0][shard]])));
        expect(await broker.pending(ID, at(0, 1), now)).toMatchObject({ records: 2, bytes: 16, oldestArrivalMs: 400 });
        expect(await broker.pending(ID, at(0, 3), now)).toMatchObject({
          records: 0,
          bytes: 0,
          oldestArrivalMs: undefined,
        });
      });

      test('resolves pending when enough records, enough bytes, or enough time came', async () => {
        const far = { minBytes: 1e9, minRecords: 1e9, waitMs: 5000 };
        const byRecords = broker.pending(ID, at(0, 0), { ...far, minRecords: 3 });
        // Two records are 14 bytes, three are 20; an estimate may be off by some.
        const byBytes = broker.pending(ID, at(0, 0), { ...far, minBytes: capabilities.pendingExact ? 20 : 17 });
        const byTime = broker.pending(ID, at(0, 0), far);
        await put(texts(0, 'a'));
        await put(texts(1, 'b'));
        await put(texts(0, 'cc', 'd'));
        expect(await byRecords).toMatchObject({ records: 3 });
        expect(await byBytes).toMatchObject(capabilities.pendingExact ? { records: 3, bytes: 20 } : { records: 3 });
        await clock.advance(5000);
        expect(await byTime).toMatchObject({ records: 3 });
        expect(clock.sleepers()).toBe(0);
      });
    });

    describe('retention', () => {
      test('keeps everything that is young enough, and names what is gone as expired', async () => {
        await put(texts(0, 'old', 'older'));
        await clock.advance(HOUR_MS + 1);
        await put(texts(0, 'young'));
        expect(await broker.retain(ID, clock.nowMs())).toBeGreaterThanOrEqual(0);
        const { records, gaps } = await readAll(broker, ID, at(0, 0));
        expect(records.at(-1)).toMatchObject({ offset: 2, data: 'young' });
        expect(gaps.every(({ cause }) => cause === 'expired')).toBe(true);
        expect(await broker.locate(ID, asShard(0), 'earliest')).toBe(records[0]?.offset);
      });

      test('drops everything when all is old, gives a reader the gap at once, and no offset again', async () => {
        await put([...texts(0, 'a', 'b'), ...texts(1, 'c')]);
        await clock.advance(HOUR_MS + 1);
        expect(await broker.retain(ID, clock.nowMs())).toBeGreaterThan(0);
        const result = await broker.read(ID, startOf(SHARDS), { maxBytes: 1000, waitMs: 60_000 });
        expect(result.batches).toEqual([]);
        expect(result.gaps).toEqual([
          { shard: 0, from: 0, to: 2, cause: 'expired' },
          { shard: 1, from: 0, to: 1, cause: 'expired' },
        ]);
        expect(result.next.get(asShard(0))).toBe(2);
        expect([...(await put(texts(0, 'd'))).offsets]).toEqual([2]);
        expect(await broker.locate(ID, asShard(0), 'earliest')).toBe(2);
      });
    });

    describe('storage of a stream', () => {
      test('opens again as it is, with more shards and another retention', async () => {
        await put(texts(0, 'a'));
        await broker.open({ ...STREAM, shardCount: SHARDS + 2, retentionMs: 2 * HOUR_MS });
        await put(texts(SHARDS + 1, 'b'));
        await clock.advance(HOUR_MS + 1);
        await broker.retain(ID, clock.nowMs());
        expect((await dataFrom(startOf(SHARDS + 2))).toSorted()).toEqual(['a', 'b']);
      });

      test('keeps the records of a stream that was released', async () => {
        await put(texts(0, 'a'));
        await broker.release(ID);
        await broker.release(ID);
        await expect(put(texts(0, 'b'))).rejects.toMatchObject({ code: 'stream-not-found' });
        await broker.open(STREAM);
        expect([...(await put(texts(0, 'c'))).offsets]).toEqual([1]);
        expect(await dataFrom(startOf(SHARDS))).toEqual(['a', 'c']);
      });

      test('is empty when made again after removal', async () => {
        await put(texts(0, 'a'));
        await broker.remove(ID);
        await broker.remove(ID);
        await expect(put(texts(0, 'b'))).rejects.toMatchObject({ code: 'stream-not-found' });
        await broker.open(STREAM);
        expect(await dataFrom(startOf(SHARDS))).toEqual([]);
        expect([...(await put(texts(0, 'c'))).offsets]).toEqual([0]);
      });

      const survivesClosing = (): void =>
        test('holds everything accepted before close, and goes on after it', async () => {
          const accepted = [put(texts(0, 'a', 'b')), put(texts(1, 'c'))];
          await broker.close();
          await Promise.all(accepted);
          broker = await place.open(clock);
          expect(await broker.open(STREAM)).toMatchObject({ stream: ID, gaps: [], tornBytes: 0 });
          expect([...(await put(texts(0, 'd'))).offsets]).toEqual([2]);
          expect(await dataFrom(at(0, 0))).toEqual(['a', 'b', 'd']);
        });
      if (capabilities.durable) survivesClosing();
    });
  });
}
