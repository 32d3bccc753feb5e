/**
 * The worker of one delivery: waits until the flush rule says so, lands, and goes on. Nothing is buffered here: records are durable in
 * the broker, what has landed is in the landing log, so a worker may die, be doubled or be replaced at any moment.
 *
 *              ┌───────────────── fault that may pass ─────────────────┐
 *              ▼                                                       │
 *   start ► opening ──► waiting ──flush rule──► landing ──committed────┼──► waiting
 *              ▲           │ ▲                     │                   │
 *              │           │ └──── superseded ─────┘                   │
 *           retrying ◄─────┴───────────────────────────────────────────┤
 *         (pause, jitter)                                              └──► suspended (until an operator resumes)
 *
 * `running` is opening, waiting and landing; stop ends it in any state. While one landing is being staged and committed, the next,
 * if the rule calls for it, is read and converted; should the first be superseded or fail, the second is dropped.
 *
 * A worker lands the shards of its share. When the share changes, a landing under way goes on: the log decides whose counts.
 */
import type { DeliveryDocument, DeliverySpec, DeliveryTrouble, FlushReason } from '../model/delivery.ts';
import { LakewardError } from '../model/errors.ts';
import type { Positions } from '../model/stream.ts';
import { unlessAborted } from '../model/waiting.ts';
import type { Pending } from '../ports/broker.ts';
import type { CallOptions } from '../ports/call-options.ts';
import type { ShardMembership, ShardShare } from '../ports/shard-groups.ts';
import { dealtWork } from './dealt-work.ts';
import { asLakewardError, retryPauseMs, suspends, troubleOf } from './fault.ts';
import type { FlushDecision, FlushWait } from './flush.ts';
import { decideFlush } from './flush.ts';
import { flushRequests } from './flush-requests.ts';
import type { IdMemory } from './id-memory.ts';
import { landingBudget } from './landing-budget.ts';
import type { LandingOrder, LandingRoom, PreparedLanding } from './landing-run.ts';
import { land, prepareLanding } from './landing-run.ts';
import { letThroughEnds } from './let-through.ts';
import type { LogHolder, OpenLog } from './log-holder.ts';
import type { DeliveryMetrics } from './metrics.ts';
import { passTime } from './pass-time.ts';
import { checkRejects } from './reject-rule.ts';
import type { DeliveryRoom } from './room.ts';
import { planGrowth } from './plan-growth.ts';
import { progressBook } from './shard-progress.ts';

export interface WorkerOptions {
  readonly room: DeliveryRoom;
  readonly spec: DeliverySpec;
  /** When the delivery was created. */
  readonly createdMs: number;
  readonly letThrough?: DeliveryDocument['letThrough'];
  readonly flushTo?: DeliveryDocument['flushTo'];
  readonly holder: LogHolder;
  readonly ids: IdMemory;
  readonly metrics: DeliveryMetrics;
  readonly membership: Pick<ShardMembership, 'share' | 'watch'>;
}

export interface WorkerView {
  readonly state: 'running' | 'retrying' | 'suspended';
  readonly trouble: DeliveryTrouble | undefined;
  /** How long the step under way (opening or landing) takes, ms; 0 while waiting. */
  readonly busyMs: number;
  /** The shards it lands. */
  readonly share: ShardShare;
}

export interface Worker {
  view(): WorkerView;
  /** Resolves when the log is open, or the first fault is known. */
  readonly opened: Promise<void>;
  /** Lands what is in the share's shards now. Rejects with the fault that keeps it from landing. */
  flush(kind: 'request' | 'shutdown', options?: CallOptions): Promise<void>;
  /** Lands up to these ends now, as far as the share's shards are among them. */
  want(ends: DeliveryDocument['flushTo']): void;
  /** Looks at once whether there is something to do: the stream has more shards, say. */
  wake(): void;
  /** Lets the watermark follow the clock while nothing comes. */
  passTime(open: OpenLog, options?: CallOptions): Promise<void>;
  /** Begins no other landing: others take over. Resolves when the one under way is over. */
  retire(): Promise<void>;
  /** Ends everything under way; what was not committed lands later. Idempotent. */
  stop(): Promise<void>;
}

const NOW: FlushWait = { minBytes: 1, minRecords: 1, waitMs: 0 };
/** Quiet time after which a shard that is read to its end follows the clock. */
const IDLE_AFTER_MS_MIN = 60_000;
/** Nothing waits but the stream goes on: what is between is a loss to be recorded now, or offsets that were never used. */
const PASS_OVER: FlushDecision = { flush: 'age' };
/** How long a worker without shards sleeps: only a bound, a share ends it at once. */
const NO_SHARDS_MS = 600_000;
/** Pause when an estimate said that records wait but none were there. */
const NOTHING_THERE_MS = 1000;

export function startWorker(options: WorkerOptions): Worker {
  const { room, spec, holder, metrics } = options;
  const telemetryLog = room.telemetry.log.child({ delivery: spec.name });
  const stopping = new AbortController();
  const requests = flushRequests(options.flushTo);
  const kept = { ...keptByWorker(options), telemetryLog };
  const opened = Promise.withResolvers<void>();
  const dealt = dealtWork(room, spec, options.membership);
  let woken = new AbortController();
  let state: WorkerView['state'] = 'running';
  let trouble: DeliveryTrouble | undefined;
  let attempts = 0;
  let failedIn: 'opening' | 'landing' | undefined;
  let busySinceMs: number | undefined = room.clock.monotonicMs();
  const unwatch = options.membership.watch(() => woken.abort());

  /** Waits, but not beyond a wake or stop: then undefined. */
  async function wakeable<T>(wait: (signal: AbortSignal) => Promise<T>): Promise<T | undefined> {
    const wake = woken;
    try {
      return await wait(AbortSignal.any([stopping.signal, wake.signal]));
    } catch (error) {
      if (wake.signal.aborted && !stopping.signal.aborted) return undefined;
      throw error;
    } finally {
      if (wake.signal.aborted && wake === woken) woken = new AbortController();
    }
  }

  function progressed(): void {
    attempts = 0;
    if (trouble !== undefined) telemetryLog.info('delivery works again', { after: trouble.code });
    trouble = undefined;
    state = 'running';
    failedIn = undefined;
    metrics.working(true);
  }

  async function meet(error: LakewardError): Promise<void> {
    attempts += 1;
    holder.reset();
    trouble = troubleOf(error, trouble, room.clock.nowMs());
    state = suspends(error) || streamGone(error) ? 'suspended' : 'retrying';
    metrics.landing('failed', 0);
    metrics.working(false);
    requests.fail(error);
    opened.resolve();
    const fields = { code: error.code, reason: error.message, attempt: attempts, state, cause: causeOf(error) };
    if (state === 'suspended') telemetryLog.error('delivery suspended', fields);
    else telemetryLog.warn('delivery meets a fault and retries', fields);
    if (state === 'suspended') return;
    const pauseMs = retryPauseMs(attempts, room.clock.random());
    try {
      await wakeable((signal) => room.clock.sleep(pauseMs, signal));
    } catch (stop) {
      // A stop ends the pause by a throw; the loop sees the stop itself.
      if (!stopping.signal.aborted) throw stop;
    }
  }

  /** A stream that is still in the catalog was made anew: opening the log says so. */
  function streamGone(error: LakewardError): boolean {
    return error.code === 'stream-not-found' && !room.catalog.read().stream.has(spec.stream);
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted && state !== 'suspended') {
      let phase: 'opening' | 'landing' = 'opening';
      try {
        busySinceMs = room.clock.monotonicMs();
        const open = await holder.open(stopping.signal);
        // A landing that failed is mended by a landing, not by an open log.
        if (failedIn !== 'landing') progressed();
        phase = 'landing';
        await turns(open);
      } catch (error) {
        if (stopping.signal.aborted) break;
        failedIn = phase;
        await meet(asLakewardError(error));
      }
    }
    busySinceMs = undefined;
    if (stopping.signal.aborted) holder.reset();
    requests.fail(stopped(spec.name));
    opened.resolve();
    dealt.standsStill();
  }

  /** Waits and lands, turn by turn; leaves only by a throw. */
  async function turns(open: OpenLog): Promise<never> {
    const at: LandingRoom = { ...options, ...open, ...kept, signal: stopping.signal };
    const { stream } = open;
    let seenSinceMs: number | undefined;
    let passedOver: Positions | undefined;
    let wait = NOW;
    opened.resolve();
    for (;;) {
      const positions = await dealt.freshPositions(open, at);
      requests.settle(positions);
      busySinceMs = undefined;
      if (positions.size === 0) {
        seenSinceMs = undefined;
        dealt.standsStill();
        await wakeable((signal) => room.clock.sleep(NO_SHARDS_MS, signal));
        continue;
      }
      const pending = await wakeable((signal) => room.broker.pending(stream.id, positions, { ...wait, signal }));
      wait = NOW;
      if (pending === undefined) continue;
      checkEnds(positions, pending.ends);
      if (attempts > 0 && pending.records === 0) progressed();
      if (pending.records === 0) requests.settle(pending.ends);
      seenSinceMs = pending.records === 0 ? undefined : (seenSinceMs ?? room.clock.monotonicMs());
      const decision = holeAhead(positions, pending, passedOver) ? PASS_OVER : decide(positions, pending, seenSinceMs);
      if (decision.flush === undefined) {
        wait = decision.wait;
        continue;
      }
      busySinceMs = room.clock.monotonicMs();
      seenSinceMs = undefined;
      const moved = await landInTurn(at, orderOf(positions, pending.ends, decision.flush));
      progressed();
      if (!moved && pending.records === 0) passedOver = pending.ends;
      else if (!moved) await wakeable((signal) => room.clock.sleep(NOTHING_THERE_MS, signal));
    }
  }

  function decide(positions: Positions, pending: Pending, seenSinceMs: number | undefined): FlushDecision {
    const nowMs = room.clock.nowMs();
    const oldestMs = pending.oldestArrivalMs === undefined ? 0 : Math.max(0, nowMs - pending.oldestArrivalMs);
    metrics.pending({ records: pending.records, bytes: pending.bytes, oldestMs });
    const seenForMs = seenSinceMs === undefined ? undefined : room.clock.monotonicMs() - seenSinceMs;
    return decideFlush({ pending, seenForMs, rule: spec.flush, nowMs, demand: requests.demand(positions) });
  }

  /** Lands one range, and while it is committed prepares the next if there is one. False when there was nothing to land. */
  async function landInTurn(at: LandingRoom, order: LandingOrder): Promise<boolean> {
    let prepared = await prepareLanding(at, order);
    if (prepared.range.ranges.size === 0 && prepared.range.gaps.length === 0) return false;
    for (;;) {
      await judge(at, prepared);
      const [landed, ahead] = await Promise.allSettled([land(at, prepared), prepareAhead(at, prepared)]);
      const next = ahead.status === 'fulfilled' ? ahead.value : undefined;
      if (landed.status === 'rejected' || landed.value === 'superseded' || stopping.signal.aborted) await next?.drop();
      if (landed.status === 'rejected') throw landed.reason;
      if (landed.value === 'superseded') {
        telemetryLog.warn('landing superseded', { nonce: prepared.nonce });
        return true;
      }
      const { range } = prepared;
      if (ahead.status === 'rejected') throw ahead.reason;
      progressed();
      if (next === undefined || range.gaps.length > 0) return true;
      requests.settle(dealt.positions(at));
      busySinceMs = room.clock.monotonicMs();
      prepared = next;
    }
  }

  function orderOf(from: Positions, ends: Positions, reason: FlushReason): LandingOrder {
    const through = letThroughEnds(options.letThrough, from, ends);
    return through === undefined ? { from, ends, reason } : { from, ends: through, reason, letThrough: true };
  }

  /** Throws when the rejects of a landing keep it from being committed. Everything before it is. */
  async function judge(at: LandingRoom, prepared: PreparedLanding): Promise<void> {
    try {
      const { mode } = spec.rejects ?? {};
      if (prepared.order.letThrough === undefined || mode === 'suspend') {
        checkRejects(spec, prepared.converted, at.log.view().rejects.recent);
      }
    } catch (error) {
      await prepared.drop();
      throw error;
    }
  }

  /** The landing after this one, if the rule calls for it by now. A loss at the end of a range is settled first. */
  async function prepareAhead(at: LandingRoom, before: PreparedLanding): Promise<PreparedLanding | undefined> {
    const from = after(before);
    if (before.range.gaps.length > 0 || !dealt.holds(from)) return undefined;
    const pending = await room.broker.pending(at.stream.id, from, { ...NOW, signal: at.signal });
    const decision = pending.records === 0 ? undefined : decide(from, pending, undefined);
    if (decision?.flush === undefined) return undefined;
    const known = before.keys?.after;
    const next = await prepareLanding(at, { ...orderOf(from, pending.ends, decision.flush), known });
    if (next.range.ranges.size > 0) return next;
    await next.drop();
    return undefined;
  }

  function checkEnds(positions: Positions, ends: Positions): void {
    for (const [shard, offset] of positions) {
      const end = ends.get(shard) ?? 0;
      if (offset <= end) continue;
      const what = `shard ${shard} of stream '${spec.stream}' ends at ${end}, but ${offset} has landed`;
      const how = 'restore the data folder, or delete the deliveries and the stream and create them again';
      throw new LakewardError('incarnation-mismatch', `${what}: the stream's records were lost or replaced; ${how}`);
    }
  }

  function refuseWhenOver(): void {
    if (state === 'suspended' && trouble !== undefined) throw new LakewardError(trouble.code, trouble.message);
    if (stopping.signal.aborted) throw stopped(spec.name);
  }

  const running = run();
  return {
    view: () => ({
      state,
      trouble,
      busyMs: busySinceMs === undefined ? 0 : room.clock.monotonicMs() - busySinceMs,
      share: dealt.share(),
    }),
    opened: opened.promise,
    async flush(kind, call) {
      refuseWhenOver();
      const open = await holder.open(stopping.signal);
      const { id } = open.stream;
      const { ends } = await room.broker.pending(id, dealt.positions(open), { ...NOW, signal: call?.signal });
      refuseWhenOver();
      const met = requests.add(kind, ends);
      woken.abort();
      // The caller stops waiting; the landing goes on.
      await unlessAborted(met, call?.signal);
    },
    want(ends) {
      requests.want(ends);
      woken.abort();
    },
    wake: () => woken.abort(),
    passTime: (open, call) =>
      passTime({ room, spec, ...open, progress: kept.progress, positions: dealt.positions(open) }, call),
    async retire() {
      const still = dealt.retire();
      woken.abort();
      await still;
    },
    async stop() {
      unwatch();
      stopping.abort(stopped(spec.name));
      await running;
    },
  };
}

/** What one landing leaves to the next, as long as the worker lives. */
function keptByWorker({ room, spec }: WorkerOptions): Pick<LandingRoom, 'progress' | 'budget' | 'growth'> {
  return {
    progress: progressBook({
      clock: room.clock,
      allowedLatenessMs: spec.allowedLatenessMs,
      idleAfterMs: Math.max(IDLE_AFTER_MS_MIN, 2 * spec.flush.ageMs),
    }),
    budget: landingBudget(),
    growth: spec.evolve === 'add' ? planGrowth() : undefined,
  };
}

/** Offsets between what has landed and the end hold no records, and nobody has looked yet why. */
function holeAhead(positions: Positions, pending: Pending, passedOver: Positions | undefined): boolean {
  if (pending.records > 0) return false;
  return [...positions].some(([shard, offset]) => {
    const end = pending.ends.get(shard) ?? 0;
    return offset < end && passedOver?.get(shard) !== end;
  });
}

function after({ order, range }: PreparedLanding): Positions {
  const positions = new Map(order.from);
  for (const [shard, { to }] of range.ranges) positions.set(shard, to);
  return positions;
}

function stopped(name: string): LakewardError {
  return new LakewardError('service-stopping', `delivery '${name}' was stopped; its records stay in the stream`);
}

function causeOf(error: LakewardError): string | undefined {
  return error.cause instanceof Error ? error.cause.message : undefined;
}
