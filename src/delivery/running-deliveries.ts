/**
 * The deliveries this process works on, kept equal to the catalog: a document makes a delivery, a changed one restarts its worker, a
 * paused one stops it, a removed one ends it. One comparison at a time, always with the newest state, so changes never overtake
 * each other.
 */
import type { DeliveryDocument } from '../model/delivery.ts';
import type { StreamDocument } from '../model/stream.ts';
import type { CatalogState } from '../ports/catalog.ts';
import type { ShardMembership } from '../ports/shard-groups.ts';
import type { IdMemory } from './id-memory.ts';
import { idMemory } from './id-memory.ts';
import type { LogHolder } from './log-holder.ts';
import { logHolder } from './log-holder.ts';
import type { DeliveryMetrics } from './metrics.ts';
import { deliveryMetrics } from './metrics.ts';
import { noTries, sendNotices } from './notices.ts';
import type { DeliveryRoom } from './room.ts';
import type { Worker } from './worker.ts';
import { letGo, releaseDue, releaseStanding } from './late-rows.ts';
import { startWorker } from './worker.ts';
import { alone } from './work-share.ts';

const MAINTENANCE_MS = 60_000;
const NOTICES_MS = 10_000;

export interface RunningDelivery {
  readonly document: DeliveryDocument;
  readonly holder: LogHolder;
  readonly ids: IdMemory;
  readonly metrics: DeliveryMetrics;
  /** Absent while paused, and in a process that does not land. */
  readonly worker: Worker | undefined;
  /** Of the worker, through its restarts. */
  readonly membership: ShardMembership | undefined;
}

export interface RunningDeliveries {
  /** By name, in name order. */
  all(): readonly RunningDelivery[];
  get(name: string): RunningDelivery | undefined;
  /** Resolves when the deliveries are as the catalog says at the time of the call or later. */
  reconcile(): Promise<void>;
  /** Starts a worker that suspended itself, or waits to retry, anew. */
  restart(name: string): Promise<void>;
  /** Ends all workers and jobs; nothing starts afterwards. */
  close(): Promise<void>;
}

export function runningDeliveries(room: DeliveryRoom): RunningDeliveries {
  const running = new Map<string, RunningDelivery>();
  const lands = room.delivers ?? true;
  const upkeep = room.sharedScheduler ?? room.scheduler;
  let tail: Promise<void> = Promise.resolve();
  let closed = false;
  /** By stream: its shards when its workers were last woken. */
  let seen = new Map<string, StreamDocument['shards']>();

  /** One after the other; a failure is its caller's. */
  function inTurn(work: () => Promise<void>): Promise<void> {
    const mine = tail.then(work);
    tail = mine.catch(() => {});
    return mine;
  }

  function start(document: DeliveryDocument, kept?: RunningDelivery): void {
    const { spec, createdMs, letThrough, flushTo } = document;
    const ids = kept?.ids ?? idMemory(room.scratch, spec.name);
    const sameSpec = JSON.stringify(kept?.document.spec) === JSON.stringify(spec);
    const holder = kept !== undefined && sameSpec ? kept.holder : logHolder(room, document, ids);
    const metrics = kept?.metrics ?? deliveryMetrics(room.telemetry, spec.name);
    const membership = document.paused || !lands ? undefined : (kept?.membership ?? join(document));
    const worker =
      membership && startWorker({ room, spec, createdMs, letThrough, flushTo, holder, ids, metrics, membership });
    running.set(spec.name, { document, holder, ids, metrics, worker, membership });
    if (kept === undefined && lands) upkeep.add(maintenance(spec.name));
    if (lands && spec.notify !== undefined && kept?.document.spec.notify === undefined) upkeep.add(notices(spec.name));
  }

  /** A worker whose stream is gone says so by itself. */
  function join({ spec, streamId }: DeliveryDocument): ShardMembership {
    const stream = room.catalog.read().stream.get(spec.stream);
    const groups = stream?.id === streamId ? room.groups : undefined;
    return (groups ?? alone).join(spec.name, stream ?? { id: streamId });
  }

  async function end(name: string, delivery: RunningDelivery): Promise<void> {
    await upkeep.remove(jobName(name));
    if (delivery.document.spec.notify !== undefined) await upkeep.remove(noticesJob(name));
    await delivery.worker?.stop();
    await delivery.membership?.leave();
    await delivery.ids.forget();
    running.delete(name);
  }

  function readsItsStream({ document: { spec, streamId } }: RunningDelivery): boolean {
    return room.catalog.read().stream.get(spec.stream)?.id === streamId;
  }

  function maintenance(name: string): Parameters<typeof upkeep.add>[0] {
    return {
      name: jobName(name),
      everyMs: room.upkeep?.everyMs ?? MAINTENANCE_MS,
      jitter: 0.2,
      async run(signal) {
        const delivery = running.get(name);
        const { state, trouble } = delivery?.worker?.view() ?? {};
        // Lost files are told once, not by every look.
        if (delivery === undefined || trouble?.code === 'stage-lost') return;
        try {
          if (state === 'suspended' || !readsItsStream(delivery)) {
            return await releaseStanding(room, delivery, signal);
          }
          const open = await delivery.holder.open(signal);
          await open.log.maintain({ signal });
          if (state === 'running') await delivery.worker?.passTime(open, { signal });
          await releaseDue(room, { ...open, spec: delivery.document.spec, signal });
        } catch (error) {
          // What keeps the worker from landing is told once by it; stages it leaves are swept meanwhile if that can be done.
          if (state !== 'retrying' && state !== 'suspended') throw error;
        }
      },
    };
  }

  function notices(name: string): Parameters<typeof upkeep.add>[0] {
    const tries = noTries();
    return {
      name: noticesJob(name),
      everyMs: NOTICES_MS,
      jitter: 0.2,
      async run(signal) {
        const { document, metrics } = running.get(name) ?? {};
        if (document?.spec.notify === undefined || metrics === undefined) return;
        await sendNotices({ room, spec: document.spec, streamId: document.streamId, metrics, tries }, signal);
      },
    };
  }

  async function apply(state: CatalogState): Promise<void> {
    if (closed) return;
    for (const [name, delivery] of running) {
      const document = state.delivery.get(name);
      const { createdMs, streamId } = delivery.document;
      if (document?.createdMs === createdMs && document.streamId === streamId) continue;
      await end(name, delivery);
      if (lands) await letGo(room, delivery);
    }
    for (const [name, document] of state.delivery) {
      const delivery = running.get(name);
      if (delivery !== undefined && sameButFlush(delivery.document, document)) {
        if (delivery.document.flushTo !== document.flushTo) delivery.worker?.want(document.flushTo);
        running.set(name, { ...delivery, document });
        continue;
      }
      await delivery?.worker?.stop();
      if (document.spec.notify === undefined && delivery?.document.spec.notify !== undefined) {
        await upkeep.remove(noticesJob(name));
      }
      if (document.paused) await delivery?.membership?.leave();
      start(document, delivery);
    }
    for (const { document, worker } of running.values()) {
      const { shards } = state.stream.get(document.spec.stream) ?? {};
      if (shards !== seen.get(document.spec.stream)) worker?.wake();
    }
    seen = new Map([...state.stream].map(([name, { shards }]) => [name, shards]));
  }

  return {
    all: () => [...running.values()].toSorted((a, b) => (a.document.spec.name < b.document.spec.name ? -1 : 1)),
    get: (name) => running.get(name),
    reconcile: () => inTurn(() => apply(room.catalog.read())),
    restart: (name) =>
      inTurn(async () => {
        const delivery = running.get(name);
        if (closed || delivery?.worker === undefined) return;
        await delivery.worker.stop();
        start(delivery.document, delivery);
      }),
    close: () =>
      inTurn(async () => {
        closed = true;
        await Promise.all([...running].map(([name, delivery]) => end(name, delivery)));
      }),
  };
}

/** A demand to land now needs no other worker. */
function sameButFlush(a: DeliveryDocument, b: DeliveryDocument): boolean {
  return JSON.stringify({ ...a, flushTo: undefined }) === JSON.stringify({ ...b, flushTo: undefined });
}

function noticesJob(delivery: string): string {
  return `delivery notices ${delivery}`;
}

function jobName(delivery: string): string {
  return `delivery maintenance ${delivery}`;
}
