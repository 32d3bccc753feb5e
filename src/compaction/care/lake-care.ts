/**
 * The port `LakeCare`: one run of a delivery at a time in this process, remembered until the next. Two processes at once do no harm, the
 * landing log sees to that. Expiry by the deliveries' own retention is a job for the processes that compact.
 */
import type { DeliverySpec } from '../../model/delivery.ts';
import { isLakewardError, LakewardError } from '../../model/errors.ts';
import type { CareOrder, CareReport, CareRun, LakeCare } from '../../ports/lake-care.ts';
import type { Scheduler } from '../../ports/scheduler.ts';
import { check } from './check.ts';
import { erase } from './erase.ts';
import { expire } from './expire.ts';
import { repair } from './repair.ts';
import type { CareCall, CareRoom } from './room.ts';

const EXPIRY_JOB = 'lake expiry';
const HOUR_MS = 3_600_000;
const JITTER = 0.2;

export interface CareStageRoom extends CareRoom {
  readonly scheduler: Scheduler;
  /** Whether this process has the job. */
  readonly compacts: boolean;
}

export interface CareStage extends LakeCare {
  open(): void;
  /** Ends what runs; every file is whole. Idempotent. */
  close(): Promise<void>;
}

interface Begun {
  run: CareRun;
  readonly cancel: AbortController;
  ended: Promise<void>;
}

export function createLakeCare(room: CareStageRoom): CareStage {
  const { catalog, clock, scheduler } = room;
  const log = room.telemetry.log.child({ room: 'care' });
  const runs = new Map<string, Begun>();

  function specOf(delivery: string): DeliverySpec {
    const spec = catalog.read().delivery.get(delivery)?.spec;
    if (spec !== undefined) return spec;
    throw new LakewardError('delivery-not-found', `there is no delivery '${delivery}'`);
  }

  function begunOf(delivery: string): Begun {
    const begun = runs.get(specOf(delivery).name);
    if (begun !== undefined) return begun;
    throw new LakewardError('not-found', `nothing was asked of this process about the files of '${delivery}'`);
  }

  async function carry(begun: Begun, work: (call: CareCall) => Promise<CareReport>): Promise<void> {
    const { signal } = begun.cancel;
    const report = (running: { share: number; text: string }): void => {
      begun.run = { ...begun.run, running };
    };
    const { running: _running, ...run } = begun.run;
    try {
      const done = await work({ signal, report });
      begun.run = { ...run, outcome: 'done', report: done };
    } catch (error) {
      begun.run = { ...run, outcome: signal.aborted ? 'cancelled' : 'failed', error: factsOf(error) };
      if (!signal.aborted) log.warn('the care of a lake failed', { delivery: run.delivery, kind: run.kind, error });
    }
  }

  async function expireAll(signal: AbortSignal): Promise<void> {
    const nowMs = room.trustedNowMs();
    if (nowMs === undefined) return;
    const failures: unknown[] = [];
    for (const { spec } of catalog.read().delivery.values()) {
      if (spec.retentionMs === undefined) continue;
      signal.throwIfAborted();
      const order = { kind: 'expire', dryRun: false } as const;
      await expire(room, { spec, order, nowMs }, { signal, report: () => undefined }).catch((error: unknown) => {
        failures.push(error);
      });
    }
    if (failures.length > 0) throw failures[0];
  }

  return {
    async begin(delivery, order) {
      const spec = specOf(delivery);
      if (runs.get(delivery)?.run.running !== undefined) {
        throw new LakewardError('care-running', `something is under way on the files of '${delivery}' already`);
      }
      const run: CareRun = {
        id: clock.uuid(),
        delivery,
        kind: order.kind,
        startedMs: clock.nowMs(),
        running: { share: 0, text: 'begins' },
      };
      const begun: Begun = { run, cancel: new AbortController(), ended: Promise.resolve() };
      runs.set(delivery, begun);
      begun.ended = carry(begun, (call) => workOf(room, spec, order, call));
      return run;
    },
    look: (delivery) => begunOf(delivery).run,
    async cancel(delivery) {
      const begun = begunOf(delivery);
      begun.cancel.abort(new LakewardError('run-cancelled', 'an operator ended it'));
      await begun.ended;
      return begun.run;
    },
    open() {
      if (room.compacts) {
        scheduler.add({ name: EXPIRY_JOB, everyMs: HOUR_MS, jitter: JITTER, run: (signal) => expireAll(signal) });
      }
    },
    async close() {
      for (const { cancel } of runs.values()) cancel.abort(new LakewardError('service-stopping', 'the server stops'));
      await Promise.all([...runs.values()].map(({ ended }) => ended));
      if (room.compacts) await scheduler.remove(EXPIRY_JOB);
    },
  };
}

async function workOf(room: CareRoom, spec: DeliverySpec, order: CareOrder, call: CareCall): Promise<CareReport> {
  if (order.kind === 'erase') return erase(room, { spec, order }, call);
  if (order.kind === 'check') return (await check(room, { spec, order }, call)).report;
  if (order.kind === 'repair') return repair(room, { spec, order }, call);
  // An operator decides with a dry run at hand: the clock is taken at its word.
  return expire(room, { spec, order, nowMs: room.clock.nowMs() }, call);
}

function factsOf(error: unknown): { readonly code: string; readonly message: string } {
  const message = error instanceof Error ? error.message : String(error);
  return { code: isLakewardError(error) ? error.code : 'internal', message };
}
