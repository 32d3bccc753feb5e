/**
 * The deliveries this process works on, kept equal to the catalog: a document makes a delivery, a changed one restarts its worker, a
 * paused one stops it, a removed one ends it. One comparison at a time, always with the newest state, so changes never overtake
 * each other.
 */
import type { DeliveryDocument } from '../model/delivery.ts';
import type { CatalogState } from '../ports/catalog.ts';
import type { IdMemory } from './id-memory.ts';
import { idMemory } from './id-memory.ts';
import type { LogHolder } from './log-holder.ts';
import { logHolder } from './log-holder.ts';
import type { DeliveryMetrics } from './metrics.ts';
import { deliveryMetrics } from './metrics.ts';
import type { DeliveryRoom } from './room.ts';
import type { Worker } from './worker.ts';
import { startWorker } from './worker.ts';

const MAINTENANCE_MS = 60_000;

export interface RunningDelivery {
  readonly document: DeliveryDocument;
  readonly holder: LogHolder;
  readonly ids: IdMemory;
  readonly metrics: DeliveryMetrics;
  /** Absent while paused, and in a process that does not land. */
  readonly worker: Worker | undefined;
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

  /** One after the other; a failure is its caller's. */
  function inTurn(work: () => Promise<void>): Promise<void> {
    const mine = tail.then(work);
    tail = mine.catch(() => {});
    return mine;
  }

  function start(document: DeliveryDocument, kept?: RunningDelivery): void {
    const { spec, createdMs, letThrough } = document;
    const ids = kept?.ids ?? idMemory(room.scratch, spec.name);
    const sameSpec = JSON.stringify(kept?.document.spec) === JSON.stringify(spec);
    const holder = kept !== undefined && sameSpec ? kept.holder : logHolder(room, document, ids);
    const metrics = kept?.metrics ?? deliveryMetrics(room.telemetry, spec.name);
    const worker =
      document.paused || !lands ? undefined : startWorker({ room, spec, createdMs, letThrough, holder, ids, metrics });
    running.set(spec.name, { document, holder, ids, metrics, worker });
    if (kept === undefined && lands) upkeep.add(maintenance(spec.name));
  }

  async function end(name: string, delivery: RunningDelivery): Promise<void> {
    await upkeep.remove(jobName(name));
    await delivery.worker?.stop();
    await delivery.ids.forget();
    running.delete(name);
  }

  function maintenance(name: string): Parameters<typeof upkeep.add>[0] {
    return {
      name: jobName(name),
      everyMs: room.upkeep?.everyMs ?? MAINTENANCE_MS,
      jitter: 0.2,
      async run(signal) {
        const delivery = running.get(name);
        const state = delivery?.worker?.view().state;
        if (delivery === undefined || state === 'suspended') return;
        try {
          const { log } = await delivery.holder.open(signal);
          await log.maintain({ signal });
        } catch (error) {
          // What keeps the worker from landing is told once by it; stages it leaves are swept meanwhile if that can be done.
          if (state !== 'retrying') throw error;
        }
      },
    };
  }

  async function apply(state: CatalogState): Promise<void> {
    if (closed) return;
    for (const [name, delivery] of running) {
      const document = state.delivery.get(name);
      const { createdMs, streamId } = delivery.document;
      if (document?.createdMs !== createdMs || document.streamId !== streamId) await end(name, delivery);
    }
    for (const [name, document] of state.delivery) {
      const delivery = running.get(name);
      if (delivery !== undefined && JSON.stringify(delivery.document) === JSON.stringify(document)) continue;
      await delivery?.worker?.stop();
      start(document, delivery);
    }
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

function jobName(delivery: string): string {
  return `delivery maintenance ${delivery}`;
}
