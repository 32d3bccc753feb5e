/**
 * Two processes that take records for one stream, in one clock that is driven by hand: each with its own copy of the catalog, a lake that is
 * away from either now and then, appends that take time, a process that dies in the middle of a change, and shards that change all the while.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { memoryBroker } from '../../src/broker/memory/memory-broker.ts';
import { createCatalog } from '../../src/catalog/catalog.ts';
import type { ManualClock } from '../../src/clock/manual-clock.ts';
import { manualClock } from '../../src/clock/manual-clock.ts';
import { scaleTarget } from '../../src/ingest/shard-targets.ts';
import type { Streams } from '../../src/ingest/streams.ts';
import { createStreams } from '../../src/ingest/streams.ts';
import { memoryStore } from '../../src/lake/memory/memory-store.ts';
import { LakewardError, isLakewardError } from '../../src/model/errors.ts';
import { asShard } from '../../src/model/stream.ts';
import type { Broker } from '../../src/ports/broker.ts';
import type { Catalog } from '../../src/ports/catalog.ts';
import type { LakeStore } from '../../src/ports/lake-store.ts';
import type { KeyedLoad, Put } from './keyed-load.ts';
import { followedNumbers, keyedLoad, putInto, shardData } from './keyed-load.ts';
import { DAY_MS } from './open-door.ts';

/** How long an append may take while a change waits for it: less than what is added to the lease. */
const APPEND_MS_MAX = 400;

interface Process {
  streams: Streams;
  /** Ends it as it stands and starts it again. */
  restart(): Promise<void>;
  readonly catalog: Catalog;
  isLakeAway: boolean;
}

interface World {
  readonly clock: ManualClock;
  readonly broker: Broker;
  readonly processes: readonly Process[];
}

function upTo(clock: ManualClock, max: number): number {
  return Math.floor(clock.random() * max);
}

/** Calls reject while the lake is away from the process. */
function awayAtTimes(store: LakeStore, process: { readonly isLakeAway: boolean }): LakeStore {
  const wrapped = Object.entries(store).map(([name, method]) => [
    name,
    (...args: unknown[]) => {
      if (process.isLakeAway) return Promise.reject(new LakewardError('lake-unavailable', 'away for the test'));
      return (method as (...given: unknown[]) => unknown)(...args);
    },
  ]);
  return Object.fromEntries(wrapped) as LakeStore;
}

async function aWorld(seed: number): Promise<World> {
  const clock = manualClock({ seed });
  const store = memoryStore({ clock });
  const broker = memoryBroker({ clock });
  let stored = 0;
  const slow: Broker = {
    ...broker,
    async open(storage, call) {
      stored = Math.max(stored, storage.shardCount);
      return broker.open({ ...storage, shardCount: stored }, call);
    },
    async append(id, batch, call) {
      await clock.sleep(upTo(clock, APPEND_MS_MAX * 0.8));
      const result = await broker.append(id, batch, call);
      await clock.sleep(upTo(clock, APPEND_MS_MAX * 0.2));
      return result;
    },
  };
  const processes = await Promise.all(
    [0, 1].map(async () => {
      const state = { isLakeAway: false };
      const catalog = createCatalog({ store: awayAtTimes(store, state), clock });
      await catalog.open();
      const shared = { storedShards: async () => stored };
      const started = (): Streams => {
        const streams = createStreams({ broker: slow, catalog, clock, shared });
        streams.start();
        return streams;
      };
      const process: Process = Object.assign(state, {
        catalog,
        streams: started(),
        async restart() {
          await process.streams.close();
          process.streams = started();
        },
      });
      return process;
    }),
  );
  return { clock, broker, processes };
}

async function until(clock: ManualClock, isDone: () => boolean): Promise<void> {
  for (let turn = 0; !isDone(); turn++) {
    if (turn > 5000) throw new Error('it does not come about');
    await clock.advance(100);
  }
}

function finished(work: Promise<unknown>): () => boolean {
  let isDone = false;
  work.then(
    () => (isDone = true),
    () => (isDone = true),
  );
  return () => isDone;
}

/** Some time with a change of shards by either process, and the lake away from either for a while. */
async function episode(world: World, load: KeyedLoad, isCalm: boolean): Promise<void> {
  const { clock, processes } = world;
  const pick = (): Process => processes[clock.random() < 0.5 ? 0 : 1] as Process;
  const changer = pick();
  const change = changer.streams.shards.begin('s', scaleTarget(1 + upTo(clock, 6))).catch((error: unknown) => {
    if (!isLakewardError(error)) throw error;
  });
  const away = pick();
  await clock.advance(upTo(clock, 2000));
  if (!isCalm && clock.random() < 0.3) await changer.restart();
  away.isLakeAway = !isCalm && clock.random() < 0.6;
  await clock.advance(upTo(clock, 12_000));
  away.isLakeAway = false;
  await until(clock, finished(change));
  await until(clock, finished(load.more(1)));
}

interface Outcome {
  readonly refusals: readonly string[];
}

/** Throws unless every key's numbers are there in order. */
async function run(seed: number, isCalm: boolean): Promise<Outcome> {
  const world = await aWorld(seed);
  const { clock, broker, processes } = world;
  const [one, two] = processes as [Process, Process];
  await one.streams.create({ name: 's', shards: 2, retentionMs: DAY_MS });
  await until(clock, () => two.streams.find('s') !== undefined);
  const puts = processes.map(
    (process): Put =>
      (key, data) =>
        putInto(process.streams, 's')(key, data),
  );
  const load = keyedLoad(puts, 6);
  for (let i = 0; i < 4; i++) await episode(world, load, isCalm);
  await until(clock, () => processes.every(({ streams }) => streams.get('s').document.reshard === undefined));
  await until(clock, finished(load.stop()));
  await until(clock, () => one.catalog.read().version === two.catalog.read().version);

  const { document } = one.streams.get('s');
  const numbers = await followedNumbers(document.shards, (shard) => shardData(broker, document, shard));
  for (const [key, count] of load.acknowledged) expect(numbers.get(key)).toEqual([...Array(count).keys()]);
  for (const { index, closedEnd } of document.shards) {
    if (closedEnd === undefined) continue;
    expect(await broker.locate(document.id, asShard(index), 'latest')).toBe(closedEnd);
  }
  await Promise.all(processes.map(({ streams }) => streams.close()));
  return { refusals: load.refusals };
}

const seeds = fc.integer({ min: 1, max: 1_000_000 });

test('the order of every key is kept, and nothing acknowledged is lost, whatever either process knows of the shards', async () => {
  await fc.assert(
    fc.asyncProperty(seeds, async (seed) => {
      const { refusals } = await run(seed, false);
      expect(refusals.filter((code) => code !== 'shards-moving')).toEqual([]);
    }),
    { numRuns: 20 },
  );
}, 120_000);

test('no record is refused while both processes and the lake are there', async () => {
  await fc.assert(
    fc.asyncProperty(seeds, async (seed) => {
      expect((await run(seed, true)).refusals).toEqual([]);
    }),
    { numRuns: 10 },
  );
}, 120_000);
