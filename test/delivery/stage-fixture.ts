/**
 * A delivery stage in memory: manual clock, memory broker, memory lake, plain converter. `put` appends records by id, `landed` reads
 * the ids back from the lake's visible files.
 */
import type { ManualClock } from '../../src/clock/manual-clock.ts';
import { manualClock } from '../../src/clock/manual-clock.ts';
import { memoryBroker } from '../../src/broker/memory/memory-broker.ts';
import { createCatalog } from '../../src/catalog/catalog.ts';
import type { DeliveryStage } from '../../src/delivery/deliveries.ts';
import { createDeliveries } from '../../src/delivery/deliveries.ts';
import type { DeliveryRoom } from '../../src/delivery/room.ts';
import { openLake } from '../../src/landing/lake-identity.ts';
import { memoryStore } from '../../src/lake/memory/memory-store.ts';
import type { LakePath } from '../../src/model/lake-path.ts';
import type { StreamDocument, StreamId } from '../../src/model/stream.ts';
import { asStreamId } from '../../src/model/stream.ts';
import type { Broker } from '../../src/ports/broker.ts';
import type { Catalog } from '../../src/ports/catalog.ts';
import type { LakeStore } from '../../src/ports/lake-store.ts';
import type { Job, Scheduler } from '../../src/ports/scheduler.ts';
import { silentTelemetry } from '../../src/telemetry/silent.ts';
import type { PlainConverter } from './plain-converter.ts';
import { plainConverter } from './plain-converter.ts';

const HOUR_MS = 3_600_000;

export interface World {
  readonly clock: ManualClock;
  readonly broker: Broker;
  readonly catalog: Catalog;
  /** Faults are put in by replacing methods. */
  readonly lake: { -readonly [K in keyof LakeStore]: LakeStore[K] };
  readonly converter: PlainConverter;
  /** Converted files not taken by the lake. */
  readonly local: Map<string, Uint8Array>;
  /** Scratch folders not removed. */
  readonly scratch: Set<string>;
  /** A stage on this world; any number may be open, like processes. */
  stage(change?: Partial<DeliveryRoom>): Promise<DeliveryStage>;
  stream(name: string, shards?: number): Promise<StreamDocument>;
  put(ids: readonly (string | number)[], to?: { shard?: number; fields?: object; stream?: string }): Promise<void>;
  putRaw(texts: readonly string[], to?: { shard?: number; stream?: string }): Promise<void>;
  /** Ids in visible data files under the folder, sorted. */
  landed(folder?: string): Promise<string[]>;
  /** Visible files of data, without the product's own. */
  paths(): Promise<string[]>;
  close(): Promise<void>;
}

export async function makeWorld(options: { seed?: number; passes?: number } = {}): Promise<World> {
  const clock = manualClock({ seed: options.seed ?? 1 });
  const broker = memoryBroker({ clock });
  const catalog = createCatalog({ store: memoryStore({ clock }), clock });
  await catalog.open();
  const local = new Map<string, Uint8Array>();
  const lake = memoryStore({
    clock,
    async takeLocal(path) {
      const bytes = local.get(path);
      if (bytes === undefined) throw new Error(`no local file ${path}`);
      local.delete(path);
      return bytes;
    },
  });
  const lakeId = await openLake(lake, { clock });
  const converter = plainConverter(local, options.passes);
  const scratch = new Set<string>();
  const stages: DeliveryStage[] = [];
  let folders = 0;

  async function putRaw(texts: readonly string[], to: { shard?: number; stream?: string } = {}): Promise<void> {
    const stream = catalog.read().stream.get(to.stream ?? 'events');
    if (stream === undefined) throw new Error('no stream');
    const data = texts.map((text) => new TextEncoder().encode(text));
    let end = 0;
    const result = await broker.append(stream.id, {
      count: texts.length,
      keys: new Uint8Array(0),
      keyEnds: new Uint32Array(texts.length),
      data: Buffer.concat(data),
      dataEnds: Uint32Array.from(data, (bytes) => (end += bytes.byteLength)),
      shards: new Uint16Array(texts.length).fill(to.shard ?? 0),
      arrivalMs: clock.nowMs(),
    });
    if (result.failures.length > 0) throw new Error('append failed');
  }

  async function files(): Promise<LakePath[]> {
    const { files: listed } = await lake.list('');
    return listed.map((file) => file.path);
  }

  return {
    clock,
    broker,
    catalog,
    lake,
    converter,
    local,
    scratch,
    async stage(change = {}) {
      const stage = createDeliveries({
        broker,
        catalog,
        converter,
        lake,
        lakeId: async () => lakeId,
        clock,
        telemetry: silentTelemetry(),
        scheduler: triggeredScheduler(),
        scratch: {
          async make() {
            folders += 1;
            scratch.add(`/scratch/${folders}`);
            return `/scratch/${folders}`;
          },
          async write(path, bytes) {
            local.set(path, bytes);
          },
          async read(path) {
            return local.get(path) ?? new Uint8Array(0);
          },
          async move(from, to) {
            local.set(to, local.get(from) ?? new Uint8Array(0));
            local.delete(from);
          },
          async remove(path) {
            scratch.delete(path);
            for (const file of local.keys()) if (file.startsWith(`${path}/`)) local.delete(file);
          },
          async writePieces(path, pieces) {
            const all: Uint8Array[] = [];
            for await (const piece of pieces) all.push(Uint8Array.from(piece));
            local.set(path, new Uint8Array(Buffer.concat(all)));
            return local.get(path)?.byteLength ?? 0;
          },
          async *readPieces(path) {
            yield local.get(path) ?? new Uint8Array();
          },
          sweep: async () => {},
        },
        writer: `writer-${stages.length}`,
        ...change,
      });
      stages.push(stage);
      await stage.open();
      return stage;
    },
    async stream(name, shards = 1) {
      const id: StreamId = asStreamId(clock.uuid());
      const createdMs = clock.nowMs();
      const document: StreamDocument = {
        name,
        id,
        createdMs,
        retentionMs: 24 * HOUR_MS,
        // Hash ranges do not matter here: records are put to shards directly.
        shards: Array.from({ length: shards }, (_, index) => ({
          index,
          startingHashKey: String(index),
          endingHashKey: String(index),
          createdMs,
          parents: [],
        })),
      };
      await broker.open({ id, shardCount: shards, retentionMs: document.retentionMs });
      await catalog.change(catalog.read().version, [{ kind: 'stream', key: name, document }]);
      return document;
    },
    put: (ids, to = {}) =>
      putRaw(
        ids.map((id) => JSON.stringify({ id: String(id), ...to.fields })),
        to,
      ),
    putRaw,
    async landed(folder = '') {
      const ids: string[] = [];
      for (const path of await files()) {
        if (path.startsWith('_') || !path.startsWith(folder)) continue;
        const text = new TextDecoder().decode(await lake.read(path));
        for (const line of text.split('\n')) if (line !== '') ids.push((JSON.parse(line) as { id: string }).id);
      }
      return ids.toSorted();
    },
    paths: async () => (await files()).filter((path) => !path.startsWith('_lakeward/')),
    async close() {
      for (const stage of stages) await stage.close();
      await catalog.close();
      await broker.close();
    },
  };
}

/** Runs jobs when told to, never by itself. */
export function triggeredScheduler(): Scheduler {
  const jobs = new Map<string, Job>();
  return {
    add(job) {
      if (jobs.has(job.name)) throw new Error(`two jobs are named ${job.name}`);
      jobs.set(job.name, job);
    },
    async remove(name) {
      jobs.delete(name);
    },
    async trigger(name) {
      await jobs.get(name)?.run(new AbortController().signal, () => {}, true);
    },
    progress: async () => undefined,
    cancel: async () => {},
    async close() {
      jobs.clear();
    },
  };
}

/** Lets time pass in small steps until the promise has ended; for work that pauses and retries on the way. */
export async function inTime<T>(clock: ManualClock, work: Promise<T>, stepMs = 100, stepsMax = 2000): Promise<T> {
  let over = false;
  void Promise.allSettled([work]).then(() => {
    over = true;
  });
  for (let i = 0; i < stepsMax; i += 1) {
    await clock.settle();
    if (over) return work;
    await clock.advance(stepMs);
  }
  throw new Error('the work did not end in time');
}
