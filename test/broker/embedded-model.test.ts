import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { openEmbeddedBroker } from '../../src/broker/embedded/embedded-broker.ts';
import { memoryBroker } from '../../src/broker/memory/memory-broker.ts';
import { manualClock, type ManualClock } from '../../src/clock/manual-clock.ts';
import { asOffset, asShard, asStreamId, type Positions } from '../../src/model/stream.ts';
import type { Broker } from '../../src/ports/broker.ts';
import { silentTelemetry } from '../../src/telemetry/silent.ts';
import { powerCutFileSystem } from '../faults/power-cut-file-system.ts';
import { readAll } from './read-all.ts';
import { textBatch } from './text-batch.ts';

const ID = asStreamId('model');
const SHARDS = 3;
const RETENTION_MS = 3_600_000;

interface Model {
  readonly memory: Broker;
}
interface Real {
  broker: Broker;
  readonly clock: ManualClock;
  readonly reopen: () => Promise<Broker>;
}
type Command = fc.AsyncCommand<Model, Real>;

const command = (name: string, run: (model: Model, real: Real) => Promise<void>): Command => ({
  check: () => true,
  run,
  toString: () => name,
});

/** The embedded log drops whole segments, so it may keep what the model dropped: compared is what both must have. */
async function commonStart({ memory }: Model, { broker }: Real, shard: number): Promise<number> {
  const [least, kept] = await Promise.all([
    memory.locate(ID, asShard(shard), 'earliest'),
    broker.locate(ID, asShard(shard), 'earliest'),
  ]);
  expect(kept).toBeLessThanOrEqual(least);
  return least;
}

const record = fc.record({
  shard: fc.nat(SHARDS - 1),
  key: fc.string({ maxLength: 5 }),
  data: fc.string({ unit: 'binary', maxLength: 40 }),
});

const append = fc.array(record, { maxLength: 8 }).map((records) =>
  command(`append(${JSON.stringify(records)})`, async ({ memory }, { broker, clock }) => {
    const batch = textBatch(records, clock.nowMs());
    const [expected, got] = await Promise.all([memory.append(ID, batch), broker.append(ID, batch)]);
    expect(got).toEqual(expected);
  }),
);

const appendTogether = fc
  .array(fc.array(record, { minLength: 1, maxLength: 4 }), { minLength: 2, maxLength: 4 })
  .map((batches) =>
    command(`appendTogether(${JSON.stringify(batches)})`, async ({ memory }, { broker, clock }) => {
      const made = batches.map((records, i) => textBatch(records, clock.nowMs() - i));
      const expected = [];
      for (const batch of made) expected.push(await memory.append(ID, batch));
      expect(await Promise.all(made.map((batch) => broker.append(ID, batch)))).toEqual(expected);
    }),
  );

const read = fc
  .tuple(fc.array(fc.nat(30), { minLength: SHARDS, maxLength: SHARDS }), fc.integer({ min: 1, max: 200 }))
  .map(([offsets, maxBytes]) =>
    command(`read(${offsets.join()}, ${maxBytes})`, async (model, real) => {
      const positions = new Map(offsets.map((offset, shard) => [asShard(shard), asOffset(offset)]));
      for (const [shard, offset] of positions) {
        const least = await commonStart(model, real, shard);
        positions.set(shard, asOffset(Math.max(offset, least)));
      }
      const byPlace = async (broker: Broker) => {
        const { records, gaps, next } = await readAll(broker, ID, positions, maxBytes);
        expect(gaps).toEqual([]);
        return { next, records: records.toSorted((a, b) => a.shard - b.shard || a.offset - b.offset) };
      };
      expect(await byPlace(real.broker)).toEqual(await byPlace(model.memory));
    }),
  );

const pending = fc.array(fc.nat(30), { minLength: 1, maxLength: SHARDS }).map((offsets) =>
  command(`pending(${offsets.join()})`, async (model, real) => {
    const positions: [ReturnType<typeof asShard>, ReturnType<typeof asOffset>][] = [];
    for (const [shard, offset] of offsets.entries()) {
      const least = await commonStart(model, real, shard);
      positions.push([asShard(shard), asOffset(Math.max(offset, least))]);
    }
    const at: Positions = new Map(positions);
    const now = { minBytes: 0, minRecords: 0, waitMs: 0 };
    expect(await real.broker.pending(ID, at, now)).toEqual(await model.memory.pending(ID, at, now));
  }),
);

const locate = fc.tuple(fc.nat(SHARDS - 1), fc.nat(20_000_000)).map(([shard, backMs]) =>
  command(`locate(${shard}, -${backMs})`, async (model, real) => {
    const atMs = real.clock.nowMs() - backMs;
    const least = await commonStart(model, real, shard);
    const expected = await model.memory.locate(ID, asShard(shard), { atMs });
    const got = await real.broker.locate(ID, asShard(shard), { atMs });
    if (got >= least) expect(got).toBe(expected);
    expect(got).toBeLessThanOrEqual(expected);
    expect(await real.broker.locate(ID, asShard(shard), 'latest')).toBe(
      await model.memory.locate(ID, asShard(shard), 'latest'),
    );
  }),
);

const reopen = fc.constant(
  command('reopen', async (_, real) => {
    await real.broker.close();
    real.broker = await real.reopen();
  }),
);

const crash = fc.constant(
  command('crash', async (_, real) => {
    real.broker = await real.reopen();
  }),
);

const retain = fc.nat(2 * RETENTION_MS).map((ms) =>
  command(`retain after ${ms}`, async ({ memory }, { broker, clock }) => {
    await clock.advance(ms);
    await memory.retain(ID, clock.nowMs());
    await broker.retain(ID, clock.nowMs());
  }),
);

describe('the embedded broker', () => {
  test('does what the model does, through closing, crashes and retention', async () => {
    const commands = fc.commands([append, append, appendTogether, read, pending, locate, reopen, crash, retain], {
      maxCommands: 60,
      size: '+1',
    });
    await fc.assert(
      fc.asyncProperty(commands, fc.integer({ min: 300, max: 2000 }), async (steps, segmentBytes) => {
        const clock = manualClock();
        const fileSystem = powerCutFileSystem(1);
        const storage = { id: ID, shardCount: SHARDS, retentionMs: RETENTION_MS };
        const open = async (): Promise<Broker> => {
          const options = { reserveBytes: 0, segmentBytes, groupBytes: 200 };
          const broker = await openEmbeddedBroker({
            folder: '/log',
            clock,
            telemetry: silentTelemetry(),
            fileSystem,
            options,
          });
          expect((await broker.open(storage)).gaps).toEqual([]);
          return broker;
        };
        const memory = memoryBroker({ clock });
        await memory.open(storage);
        const real: Real = { broker: await open(), clock, reopen: open };
        await fc.asyncModelRun(() => ({ model: { memory }, real }), steps);
        await real.broker.close();
      }),
      { numRuns: 200 },
    );
  });
});
