/**
 * The delivery stage: the port `Deliveries` for front doors, and the life of the workers inside this process. What should run is in
 * the catalog; this room makes it so. It opens neither broker, catalog nor lake: whoever composes the process does.
 */
import type { DeliverySpec } from '../model/delivery.ts';
import type { DeliveryTrouble } from '../model/delivery.ts';
import type { LandingLog } from '../landing/landing-log.ts';
import { LakewardError } from '../model/errors.ts';
import { atMost } from '../model/waiting.ts';
import type { CallOptions } from '../ports/call-options.ts';
import type { CatalogEdit, CatalogState } from '../ports/catalog.ts';
import type { Deliveries, DeliveryStatus, PageOptions } from '../ports/deliveries.ts';
import type { DeliveryShare } from '../ports/processes.ts';
import { application, parseAll } from './application.ts';
import { completenessOf } from './completeness.ts';
import {
  creation,
  declaration,
  documentOf,
  lettingThrough,
  pausing,
  removal,
  replacement,
  resuming,
} from './documents.ts';
import { flushEverywhere } from './flush-everywhere.ts';
import { heldFacts, letGo, releaseAll } from './late-rows.ts';
import { hasLandingLog, logHolder } from './log-holder.ts';
import { rejectedRows } from './rejected-rows.ts';
import { idMemory } from './id-memory.ts';
import { replayRejected } from './replay.ts';
import { readSelection } from './replay-selection.ts';
import type { DeliveryRoom } from './room.ts';
import type { RunningDelivery } from './running-deliveries.ts';
import { runningDeliveries } from './running-deliveries.ts';
import { knownPlan } from './plan-keeper.ts';
import { sharesOf } from './shares.ts';
import { judgeTransform } from './spec-transform.ts';
import { parseDeliverySpec } from './spec.ts';
import { deliveryStatus, pendingOf, waitingEnds } from './status.ts';
import type { Worker } from './worker.ts';
import { hasOthers, isSharedNow, stoppedBy, troubleAnywhere } from './others.ts';

const GAUGES_MS = 15_000;
const GAUGES_JOB = 'delivery gauges';
const PAGE_ITEMS = 100;
const PAGE_ITEMS_MAX = 1000;
/** A landing that takes this long makes no progress. */
const STALLED_MS = 600_000;
/** How long a resume waits to see whether the trouble is over. */
const FIRST_TRY_MS = 3000;

export interface DeliveryComplaint {
  readonly delivery: string;
  readonly trouble: DeliveryTrouble;
}

export interface DeliveryStage extends Deliveries {
  /** Makes the catalog say what the configuration file declares; call before `open`. Throws `stream-not-found`, `argument-invalid`. */
  declare(specs: readonly DeliverySpec[]): Promise<void>;
  /** Makes those of the specifications that do not exist, where several processes' files declare them: the first is as good as any. */
  ensure(specs: readonly DeliverySpec[]): Promise<void>;
  /** Sweeps scratch and starts a worker for every delivery that is not paused. Engines that still start are waited for by the first landing. */
  open(): Promise<void>;
  /** Lands what waits, as far as it fits into the time, then closes. */
  drain(options: { readonly withinMs: number }): Promise<void>;
  /** Makes published files that the lake lost anew from the stream, where that can be done; gives their paths. Throws as the log. */
  rebuildLost(name: string, lost: ReadonlySet<string>, call?: CallOptions): Promise<readonly string[]>;
  /** Stops everything under way; it lands after the next start. Idempotent. */
  close(): Promise<void>;
  /** What this process does for each delivery that it lands. */
  shares(): Promise<readonly DeliveryShare[]>;
  /** Deliveries that do not progress, with why: empty when all is well. A paused one is well. */
  complaints(): readonly DeliveryComplaint[];
}

export function createDeliveries(room: DeliveryRoom): DeliveryStage {
  const running = runningDeliveries(room);
  const log = room.telemetry.log.child({ room: 'delivery' });
  let unwatch: (() => void) | undefined;

  async function change(edit: (state: CatalogState) => readonly CatalogEdit[], call?: CallOptions): Promise<void> {
    const before = running.all();
    await room.catalog.edit(edit, call);
    await running.reconcile();
    if (room.delivers !== false) return;
    // Who lands lets go of what is deleted; perhaps nobody does just now.
    const { delivery } = room.catalog.read();
    for (const one of before) if (!delivery.has(one.document.spec.name)) await letGo(room, one);
  }

  /** A transform is judged against the columns as far as they are known. */
  async function judge(spec: DeliverySpec, call?: CallOptions): Promise<void> {
    if (spec.transform !== undefined)
      await judgeTransform(room.converter, spec, knownPlan(room.catalog.read(), spec), call);
  }

  function known(name: string): RunningDelivery {
    const delivery = running.get(name);
    if (delivery !== undefined) return delivery;
    documentOf(room.catalog.read(), name);
    throw new LakewardError('service-stopping', `delivery '${name}' does not run in this process now`);
  }

  /** With what other processes have landed. */
  async function freshLog(name: string): Promise<LandingLog> {
    const delivery = known(name);
    const { log } = await delivery.holder.open();
    if (isSharedNow(room, delivery)) await log.refresh();
    return log;
  }

  async function statusOf(name: string): Promise<DeliveryStatus> {
    return deliveryStatus(room, known(name));
  }

  async function gauges(): Promise<void> {
    for (const delivery of running.all()) {
      if (delivery.worker === undefined && room.delivers === false) continue;
      const { records, bytes, oldestArrivalMs } = await pendingOf(room, delivery, delivery.worker?.view().share);
      const oldestMs = oldestArrivalMs === undefined ? 0 : Math.max(0, room.clock.nowMs() - oldestArrivalMs);
      delivery.metrics.pending({ records, bytes, oldestMs });
      delivery.metrics.held(heldFacts(delivery.holder.view()?.held ?? [], room.clock.nowMs()));
    }
  }

  const stage: DeliveryStage = {
    parse: (input) => parseDeliverySpec(input, room.offers),
    async create(spec, call) {
      creation(room.catalog.read(), spec, room.clock.nowMs());
      await judge(spec, call);
      const landedBefore = await hasLandingLog(room, spec, call);
      await change((state) => creation(state, spec, room.clock.nowMs()), call);
      await running.get(spec.name)?.worker?.opened;
      const entry = running.get(spec.name)?.holder.view()?.entry;
      const status = await statusOf(spec.name);
      return landedBefore && entry !== undefined ? { ...status, continues: { entry } } : status;
    },
    async update(spec, call) {
      replacement(room.catalog.read(), spec);
      await judge(spec, call);
      await change((state) => replacement(state, spec), call);
      await running.get(spec.name)?.worker?.opened;
      return statusOf(spec.name);
    },
    async apply(inputs, { dryRun, signal, ...options }) {
      const specs = parseAll(inputs, room.offers);
      const now = { ...options, nowMs: room.clock.nowMs() };
      const { changes } = application(room.catalog.read(), specs, now);
      for (const { after } of changes) if (after !== undefined) await judge(after, { signal });
      let made = changes;
      const edit = (state: CatalogState): readonly CatalogEdit[] => {
        const applied = application(state, specs, now);
        made = applied.changes;
        return applied.edits;
      };
      if (!dryRun) await change(edit, { signal });
      return made;
    },
    remove: (name, call) => change((state) => removal(state, name), call),
    async status(name) {
      if (name !== undefined) return [await statusOf(name)];
      return Promise.all(running.all().map((delivery) => deliveryStatus(room, delivery)));
    },
    async flush(name, call) {
      const delivery = known(name);
      const { document, worker } = delivery;
      if (document.paused) throw new LakewardError('delivery-paused', `delivery '${name}' is paused`);
      if (worker === undefined || isSharedNow(room, delivery)) await flushEverywhere(room, delivery, call);
      else await worker.flush('request', call);
      const { held = [] } = delivery.holder.view() ?? {};
      if (document.spec.late !== undefined || held.length > 0) {
        await releaseAll(room, { log: await freshLog(name), spec: document.spec }, call);
      }
      return statusOf(name);
    },
    async setPaused(name, paused, call) {
      const trouble = paused ? undefined : (await troubleAnywhere(room, known(name)))?.trouble;
      const ends = trouble?.code === 'reject-budget-exceeded' ? await waitingEnds(room, known(name), call) : undefined;
      const nowMs = room.clock.nowMs();
      if (ends !== undefined) await change((state) => lettingThrough(state, name, ends), call);
      else if (paused || !hasOthers(room)) await change((state) => pausing(state, name, paused), call);
      else await change((state) => resuming(state, name, nowMs), call);
      // An operator who resumes wants another try now, whatever stopped the worker.
      const again = trouble !== undefined;
      if (again && running.get(name)?.worker?.view().trouble !== undefined) await running.restart(name);
      await running.get(name)?.worker?.opened;
      if (again) await firstTry(room, running.get(name)?.worker, call);
      return statusOf(name);
    },
    async files(name, options) {
      const log = await freshLog(name);
      const { prefix, after, signal } = options ?? {};
      // What others have merged since is gone from the lake.
      if (after === undefined) await log.refresh({ signal });
      return log.files({ prefix, after, limit: pageLimit(options), signal });
    },
    async completeness(name, query, options) {
      const { spec } = known(name).document;
      const stopped = () => stoppedBy(room, known(name));
      return completenessOf({ clock: room.clock, spec, fresh: () => freshLog(name), stopped }, query, options);
    },
    async rebuildLost(name, lost, call) {
      const log = await freshLog(name);
      return log.rebuildLost(lost, call);
    },
    async sweep(name, options) {
      const log = await freshLog(name);
      return log.sweep(options);
    },
    async rejected(name, options) {
      const log = await freshLog(name);
      const { after, signal } = options ?? {};
      if (after === undefined) await log.refresh({ signal });
      return rejectedRows({ lake: room.lake, log, after, limit: pageLimit(options), signal });
    },
    async replay(name, request, call) {
      const { document, metrics } = known(name);
      const selection = readSelection(request);
      const log = await freshLog(name);
      const { spec, createdMs } = document;
      const signal = call?.signal ?? new AbortController().signal;
      const ids = idMemory(room.scratch, spec.name);
      try {
        return await replayRejected({ room, spec, createdMs, log, metrics, ids, signal }, selection);
      } finally {
        await ids.forget();
      }
    },
    async declare(specs) {
      for (const spec of specs) await judge(spec);
      const before = room.catalog.read().delivery;
      await change((state) => declaration(state, specs, room.clock.nowMs()));
      for (const [name, document] of before) {
        if (room.catalog.read().delivery.has(name)) continue;
        await letGo(room, { document, holder: logHolder(room, document, idMemory(room.scratch, name)) });
      }
    },
    async ensure(specs) {
      const missing = (state: CatalogState) => specs.filter(({ name }) => !state.delivery.has(name));
      for (const spec of missing(room.catalog.read())) await judge(spec);
      await change((state) => missing(state).flatMap((spec) => creation(state, spec, room.clock.nowMs())));
    },
    async open() {
      await room.scratch.sweep();
      unwatch = room.catalog.watch(() => {
        running.reconcile().catch((error: unknown) => log.error('deliveries do not follow the catalog', { error }));
      });
      room.scheduler.add({ name: GAUGES_JOB, everyMs: GAUGES_MS, jitter: 0.1, run: gauges });
      await running.reconcile();
    },
    async drain({ withinMs }) {
      const landings = running.all().map((delivery) => finish(room, delivery));
      await atMost(room.clock, withinMs, Promise.allSettled(landings));
      await stage.close();
    },
    async close() {
      unwatch?.();
      unwatch = undefined;
      await room.scheduler.remove(GAUGES_JOB);
      await running.close();
    },
    shares: () => sharesOf(room, running.all()),
    complaints: () => running.all().flatMap((delivery) => complaintOf(delivery, room.clock.nowMs())),
  };
  return stage;
}

/** Lands what waits when nobody else would; otherwise leaves it to the others, who take over once the landing under way is over. */
async function finish(room: DeliveryRoom, delivery: RunningDelivery): Promise<void> {
  const { worker, membership } = delivery;
  if (worker === undefined || membership === undefined) return;
  if (!isSharedNow(room, delivery)) return worker.flush('shutdown');
  await worker.retire();
  await membership.leave();
}

function complaintOf({ document, worker }: RunningDelivery, nowMs: number): DeliveryComplaint[] {
  if (worker === undefined) return [];
  const delivery = document.spec.name;
  const { trouble, busyMs } = worker.view();
  if (trouble !== undefined) return [{ delivery, trouble }];
  if (busyMs < STALLED_MS) return [];
  const message = `a landing is under way for ${Math.round(busyMs / 1000)} s`;
  return [{ delivery, trouble: { code: 'internal', message, sinceMs: nowMs - busyMs } }];
}

/**
 * Lets a worker that was in trouble show whether it is over: a reason that lasts is met again at once, often only by landing. A long
 * landing is not waited for.
 */
async function firstTry({ clock }: DeliveryRoom, worker: Worker | undefined, call?: CallOptions): Promise<void> {
  if (worker === undefined || worker.view().trouble !== undefined) return;
  const timer = new AbortController();
  const { signal } = timer;
  // What fails here is in the worker's view.
  const tried = worker.flush('request', { signal: AbortSignal.any([signal, ...(call?.signal ? [call.signal] : [])]) });
  await Promise.race([tried.catch(() => {}), clock.sleep(FIRST_TRY_MS, signal).catch(() => {})]);
  timer.abort();
}

function pageLimit(options: PageOptions | undefined): number {
  const limit = options?.limit ?? PAGE_ITEMS;
  if (Number.isInteger(limit) && limit >= 1 && limit <= PAGE_ITEMS_MAX) return limit;
  throw new LakewardError('argument-invalid', `limit is ${limit}; accepted are 1 to ${PAGE_ITEMS_MAX}`);
}
