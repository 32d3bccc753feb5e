/**
 * The port `Compactions`, and the jobs of the deliveries that have a rule: kept equal to the catalog, one runner of a delivery at a time
 * through the scheduler. That is thrift; that two runners do no harm is the landing log's doing.
 */
import type { CompactionRule, DeliverySpec } from '../model/delivery.ts';
import { LakewardError } from '../model/errors.ts';
import type { Catalog } from '../ports/catalog.ts';
import type { CompactionRun, Compactions, CompactionStatus } from '../ports/compactions.ts';
import type { Job, Scheduler } from '../ports/scheduler.ts';
import { type CompactionMetrics, compactionMetrics } from './metrics.ts';
import { readRun, saveRun } from './last-run.ts';
import { planMerges } from './plan.ts';
import type { CompactionRoom } from './room.ts';
import { runCompaction } from './run.ts';

const JITTER = 0.2;
const DAY_MINUTES = 24 * 60;

export interface CompactionStageRoom extends CompactionRoom {
  readonly catalog: Catalog;
  readonly scheduler: Scheduler;
  /** Whether this process compacts; otherwise it plans only. */
  readonly compacts: boolean;
}

export interface CompactionStage extends Compactions {
  /** Adds the jobs, and follows the catalog. */
  open(): Promise<void>;
  /** Ends what runs; every file is whole. Idempotent. */
  close(): Promise<void>;
}

interface Compacted {
  readonly everyMs: number;
  readonly metrics: CompactionMetrics;
  readonly stubborn: Set<string>;
  /** The newest run of this process, when the lake could not take what it did. */
  unsaved: CompactionRun | undefined;
  /** Begun by an operator here. */
  begun: Promise<void> | undefined;
}

export function createCompactions(room: CompactionStageRoom): CompactionStage {
  const { catalog, scheduler, clock } = room;
  const log = room.telemetry.log.child({ room: 'compaction' });
  const known = new Map<string, Compacted>();
  let unwatch: (() => void) | undefined;
  let tail: Promise<void> = Promise.resolve();

  function ruled(delivery: string): { readonly spec: DeliverySpec; readonly rule: CompactionRule } {
    const spec = catalog.read().delivery.get(delivery)?.spec;
    if (spec === undefined) throw new LakewardError('delivery-not-found', `there is no delivery '${delivery}'`);
    if (spec.compaction !== undefined) return { spec, rule: spec.compaction };
    const how = 'give it a rule, like {"compaction": {"readers": "listing"}}';
    throw new LakewardError('argument-invalid', `delivery '${delivery}' is not compacted; ${how}`);
  }

  function mine(delivery: string): Compacted {
    const its = known.get(delivery);
    if (its !== undefined) return its;
    throw new LakewardError('argument-invalid', 'this process has not the role compact; ask one that has');
  }

  function jobOf(delivery: string, its: Compacted): Job {
    return {
      name: jobName(delivery),
      everyMs: its.everyMs,
      jitter: JITTER,
      async run(signal, report, asked) {
        const spec = catalog.read().delivery.get(delivery)?.spec;
        const rule = spec?.compaction;
        if (spec === undefined || rule === undefined) return;
        // An operator asked: the time of day does not count.
        if (!asked && !isWithin(rule.window, clock.nowMs())) return;
        if (asked) its.stubborn.clear();
        const { metrics, stubborn } = its;
        const done = await runCompaction({ room, spec, rule, metrics, stubborn, signal, report });
        its.unsaved = done;
        await saveRun(room.lake, delivery, done);
        its.unsaved = undefined;
      },
    };
  }

  async function follow(): Promise<void> {
    const wanted = new Map<string, number>();
    for (const { spec } of catalog.read().delivery.values()) {
      if (spec.compaction !== undefined && room.compacts) wanted.set(spec.name, spec.compaction.everyMs);
    }
    for (const [delivery, { everyMs }] of known) {
      if (wanted.get(delivery) === everyMs) continue;
      await scheduler.remove(jobName(delivery));
      known.delete(delivery);
    }
    for (const [delivery, everyMs] of wanted) {
      if (known.has(delivery)) continue;
      const metrics = compactionMetrics(room.telemetry, delivery);
      const its: Compacted = { everyMs, metrics, stubborn: new Set(), unsaved: undefined, begun: undefined };
      known.set(delivery, its);
      scheduler.add(jobOf(delivery, its));
    }
  }

  /** One after the other; each with the newest state. */
  function inTurn(): Promise<void> {
    const mine = tail.then(follow);
    tail = mine.catch(() => undefined);
    return mine;
  }

  async function status(delivery: string): Promise<CompactionStatus> {
    const { rule } = ruled(delivery);
    const its = known.get(delivery);
    const told = its === undefined ? undefined : await scheduler.progress(jobName(delivery));
    const running = told ?? (its?.begun === undefined ? undefined : { share: 0, text: 'begins' });
    const saved = await readRun(room.lake, delivery);
    const { unsaved = saved } = its ?? {};
    const last = (saved?.startedMs ?? 0) > (unsaved?.startedMs ?? 0) ? saved : unsaved;
    return { delivery, rule, ...(running === undefined ? {} : { running }), ...(last === undefined ? {} : { last }) };
  }

  return {
    status,
    async plan(delivery, call) {
      const { spec, rule } = ruled(delivery);
      const landed = await room.openLog(delivery, call);
      return (await planMerges(room, { spec, rule, log: landed }, call)).told;
    },
    async run(delivery) {
      ruled(delivery);
      const its = mine(delivery);
      its.begun ??= scheduler
        .trigger(jobName(delivery))
        .catch((error: unknown) => log.warn('a compaction did not run', { delivery, error }))
        .finally(() => {
          its.begun = undefined;
        });
      return status(delivery);
    },
    async cancel(delivery) {
      ruled(delivery);
      mine(delivery);
      await scheduler.cancel(jobName(delivery));
      return status(delivery);
    },
    async open() {
      unwatch = catalog.watch(() => {
        inTurn().catch((error: unknown) => log.error('compactions do not follow the catalog', { error }));
      });
      await inTurn();
    },
    async close() {
      unwatch?.();
      await tail;
      for (const delivery of known.keys()) await scheduler.remove(jobName(delivery));
      known.clear();
    },
  };
}

function jobName(delivery: string): string {
  return `compaction ${delivery}`;
}

/** Whether a time lies in a window of the day, UTC. */
export function isWithin(window: CompactionRule['window'], nowMs: number): boolean {
  if (window === undefined) return true;
  const minute = Math.floor(nowMs / 60_000) % DAY_MINUTES;
  const { fromMinute, toMinute } = window;
  return fromMinute <= toMinute ? minute >= fromMinute && minute < toMinute : minute >= fromMinute || minute < toMinute;
}
