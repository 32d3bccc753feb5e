/**
 * Workers come and go while records do, on a real Kafka: each record lands once, and in hardly more files than with workers that stay.
 * `LAKEWARD_REBALANCE_SECONDS` makes it longer.
 */
import { expect, test, vi } from 'vitest';
import { kafkaBroker } from '../../src/broker/kafka/kafka-broker.ts';
import { kafkaShardGroups } from '../../src/broker/kafka/shard-group.ts';
import { createCatalog } from '../../src/catalog/catalog.ts';
import { systemClock } from '../../src/clock/system-clock.ts';
import type { DeliveryStage } from '../../src/delivery/deliveries.ts';
import { createDeliveries } from '../../src/delivery/deliveries.ts';
import { openLake } from '../../src/landing/lake-identity.ts';
import { memoryStore } from '../../src/lake/memory/memory-store.ts';
import { asStreamId } from '../../src/model/stream.ts';
import { silentTelemetry } from '../../src/telemetry/silent.ts';
import { describeOnKafka } from '../broker/test-kafka.ts';
import { plainConverter } from '../delivery/plain-converter.ts';
import { triggeredScheduler } from '../delivery/stage-fixture.ts';

const SECONDS = Number(process.env['LAKEWARD_REBALANCE_SECONDS'] ?? 15);
const SHARDS = 8;
const WORKERS = 3;
const FLUSH_AGE = '2s';
const CHURN_EVERY_MS = 3_000;
/** Of the workers' clients, which end by themselves. */
const LEAVING_MS = 10_000;

vi.setConfig({ testTimeout: (4 * SECONDS + 120) * 1000 });

const clock = systemClock();
const telemetry = silentTelemetry();
const pause = (ms: number): Promise<void> => clock.sleep(ms);

interface Worker {
  readonly stage: DeliveryStage;
  /** Gives how long it took. */
  stop(): Promise<number>;
}

async function aWorld(bootstrap: readonly string[]) {
  const id = asStreamId(clock.uuid());
  const local = new Map<string, Uint8Array>();
  const takeLocal = async (path: string): Promise<Uint8Array> => {
    const bytes = local.get(path);
    if (bytes === undefined) throw new Error(`no local file ${path}`);
    local.delete(path);
    return bytes;
  };
  const lake = memoryStore({ clock, takeLocal });
  const lakeId = await openLake(lake, { clock });
  const catalog = createCatalog({ store: memoryStore({ clock }), clock });
  await catalog.open();
  const connect = () => kafkaBroker({ clock, telemetry, bootstrap, topicPrefix: 'r-' });
  const producer = connect();
  const storage = { id, shardCount: SHARDS, retentionMs: 3_600_000 };
  const topic = (await producer.open(storage)).topic?.identity;
  const shards = Array.from({ length: SHARDS }, (_, index) => {
    return { index, startingHashKey: `${index}`, endingHashKey: `${index}`, createdMs: 0, parents: [] };
  });
  const document = { name: 's', id, createdMs: 0, retentionMs: 3_600_000, shards, ...(topic && { topic }) };
  await catalog.change(0, [{ kind: 'stream', key: 's', document }]);
  let scratch = 0;

  async function start(): Promise<Worker> {
    const broker = connect();
    await broker.open({ ...storage, ...(topic && { topic }) });
    const stage = createDeliveries({
      broker,
      groups: kafkaShardGroups({ clock, telemetry, bootstrap }),
      catalog,
      lake,
      lakeId: async () => lakeId,
      converter: plainConverter(local),
      clock,
      telemetry,
      scheduler: triggeredScheduler(),
      scratch: { ...noScratch, make: async () => `/scratch/${(scratch += 1)}` },
      writer: `w${clock.uuid()}`,
    });
    await stage.open();
    return {
      stage,
      async stop() {
        const startedMs = clock.monotonicMs();
        await stage.drain({ withinMs: LEAVING_MS });
        const tookMs = clock.monotonicMs() - startedMs;
        await broker.close();
        return tookMs;
      },
    };
  }

  let sent = 0;
  /** Some records to every shard. */
  async function put(): Promise<void> {
    const count = SHARDS * 5;
    const data = Array.from({ length: count }, () => Buffer.from(JSON.stringify({ id: sent++ })));
    let end = 0;
    const result = await producer.append(id, {
      count,
      keys: new Uint8Array(0),
      keyEnds: new Uint32Array(count),
      data: Buffer.concat(data),
      dataEnds: Uint32Array.from(data, (bytes) => (end += bytes.byteLength)),
      shards: Uint16Array.from({ length: count }, (_, i) => i % SHARDS),
      arrivalMs: clock.nowMs(),
    });
    expect(result.failures).toEqual([]);
  }

  async function files(): Promise<string[]> {
    const found: string[] = [];
    for (let after: Parameters<typeof lake.list>[1] = {}; ; ) {
      const page = await lake.list('d/', after);
      found.push(...page.files.map(({ path }) => path));
      if (page.next === undefined) return found;
      after = { after: page.next };
    }
  }

  async function landed(): Promise<number[]> {
    const ids: number[] = [];
    for (const path of await files()) {
      const text = new TextDecoder().decode(await lake.read(path as Parameters<typeof lake.read>[0]));
      for (const line of text.split('\n')) if (line !== '') ids.push((JSON.parse(line) as { id: number }).id);
    }
    return ids.toSorted((a, b) => a - b);
  }

  return { start, put, files, landed, sent: () => sent, close: () => producer.close() };
}

const noScratch = {
  write: async () => undefined,
  read: async () => new Uint8Array(0),
  move: async () => undefined,
  remove: async () => undefined,
  writePieces: async () => 0,
  // oxlint-disable-next-line no-empty-function
  async *readPieces() {},
  sweep: async () => undefined,
};

await describeOnKafka('workers that come and go', (kafka) => {
  test('land every record once, in hardly more files than workers that stay', async () => {
    const world = await aWorld([kafka().bootstrap]);
    const workers = await Promise.all(Array.from({ length: WORKERS }, () => world.start()));
    const [first] = workers;
    if (first === undefined) throw new Error('no worker');
    const spec = { name: 'd', stream: 's', format: 'ndjson', layout: '', flush: { age: FLUSH_AGE }, start: 'earliest' };
    await first.stage.create(first.stage.parse(spec));
    const all = async () => (await Promise.all(workers.map(({ stage }) => stage.shares()))).flat();
    await vi.waitFor(async () => expect((await all()).flatMap(({ shards }) => shards).length).toBe(SHARDS), 30_000);

    /** Files made while records come for the given time. */
    async function during(churn: () => Promise<void>): Promise<number> {
      const before = (await world.files()).length;
      const endMs = clock.monotonicMs() + SECONDS * 1000;
      let churning = Promise.resolve();
      for (let dueMs = clock.monotonicMs(); clock.monotonicMs() < endMs; await pause(50)) {
        await world.put();
        if (clock.monotonicMs() - dueMs < CHURN_EVERY_MS) continue;
        dueMs = clock.monotonicMs();
        churning = churning.then(churn);
      }
      await churning;
      return (await world.files()).length - before;
    }

    const steady = await during(async () => undefined);
    let turn = 0;
    const leaves: number[] = [];
    const changing = await during(async () => {
      turn += 1;
      if (turn % 2 === 0) workers.push(await world.start());
      else leaves.push((await workers.shift()?.stop()) ?? 0);
    });
    const last = workers.at(-1) as Worker;
    await vi.waitFor(() => last.stage.flush('d'), 60_000);
    const landed = await world.landed();
    console.log(`rebalances: ${turn} in ${SECONDS} s, ${landed.length} records, files ${steady} -> ${changing}`);
    expect(landed).toEqual(Array.from({ length: world.sent() }, (_, i) => i));
    expect(changing).toBeLessThanOrEqual(1.5 * steady);
    expect(Math.max(...leaves)).toBeLessThan(LEAVING_MS);
    await Promise.all(workers.map((worker) => worker.stop()));
    await world.close();
  });
});
