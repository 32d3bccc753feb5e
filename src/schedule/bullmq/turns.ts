/**
 * Turns of jobs as they come out of the queue. A job is one entry of the queue for ever, under an id made of its name, so at most one
 * process has its turn; after it the entry is put back with the delay to the next.
 *
 *   delayed ──due, or triggered──► waiting ──a worker takes it──► active ──the run ends──► delayed
 *                                     ▲                              │ the process dies or freezes: its lock runs out
 *                                     └──────────────────────────────┘
 *
 * A process that does not have the job (a catalog that is behind, a delivery that is gone) passes the turn on, and drops it when nobody
 * took it for long: who has the job puts it in again.
 */
import { DelayedError, type Job as Turn } from 'bullmq';
import type { Clock } from '../../ports/clock.ts';
import type { Job, Progress } from '../../ports/scheduler.ts';
import type { MeasuredRun } from '../measured-run.ts';
import { cancelled } from '../schedule-errors.ts';
import type { RedisLink } from './redis-link.ts';
import type { RunTickets } from './run-tickets.ts';

const WATCH_MS = 500;
const PASS_ON_MS = 500;
const PASSES_MAX = 20;
/** After a run that this process broke off, for another process. */
const HAND_OVER_MS = 1_000;
export const NOTHING_TOLD: Progress = { share: 0, text: '' };

/** A run under way in this process. */
export interface Run {
  readonly stop: AbortController;
  /** Resolves when it has ended and who waited has been told. */
  readonly over: Promise<void>;
  told: Progress;
}

export interface TurnsRoom {
  readonly link: RedisLink;
  readonly tickets: RunTickets;
  readonly clock: Clock;
  readonly run: MeasuredRun;
  /** The job of that name, while this process takes its turns. */
  readonly jobOf: (name: string) => Job | undefined;
}

export interface Turns {
  /** What the queue's worker calls. */
  take(turn: Turn, token: string | undefined): Promise<void>;
  running(name: string): Run | undefined;
  /** Resolves when every turn taken is back in the queue. */
  settled(): Promise<void>;
}

export function takeTurns(room: TurnsRoom): Turns {
  const { clock, tickets } = room;
  const runs = new Map<string, Run>();
  const taken = new Set<Promise<void>>();

  async function take(turn: Turn, token: string | undefined): Promise<void> {
    const job = room.jobOf(turn.name);
    const againMs = job === undefined || runs.has(turn.name) ? await passOn(turn) : await runHere(job, turn);
    if (againMs === undefined) return;
    // Who lost the entry, or Redis with it, has nothing to put back: the job is put in again by who has it.
    await turn.moveToDelayed(clock.nowMs() + againMs, token).catch(() => {});
    throw new DelayedError();
  }

  /** How long from now others may take it; undefined when it is to be dropped. */
  async function passOn(turn: Turn): Promise<number | undefined> {
    const passes = passesOf(turn);
    if (passes >= PASSES_MAX) return undefined;
    await turn.updateData({ passes: passes + 1 });
    return PASS_ON_MS * (1 + clock.random());
  }

  /** Gives the time to its next turn. */
  async function runHere(job: Job, turn: Turn): Promise<number> {
    const over = Promise.withResolvers<void>();
    const run: Run = { stop: new AbortController(), over: over.promise, told: NOTHING_TOLD };
    runs.set(job.name, run);
    try {
      return await ran(job, turn, run);
    } finally {
      runs.delete(job.name);
      over.resolve();
    }
  }

  async function ran(job: Job, turn: Turn, run: Run): Promise<number> {
    const { signal } = run.stop;
    const served = await atStart(turn).catch(() => undefined);
    // Redis is away: no run without being sure who else waits for one.
    if (served === undefined || signal.aborted) return HAND_OVER_MS;
    const watching = new AbortController();
    void watch(job, turn, { run, signal: watching.signal });
    const report = (progress: Progress): void => {
      run.told = progress;
    };
    const failure = await room.run(job, signal, report, served.length > 0).then(
      () => undefined,
      (error: unknown) => error ?? new Error('the run failed'),
    );
    watching.abort();
    // Broken off here, not by an operator: who waits for it waits for its next run.
    const brokenOff = signal.aborted && failure !== undefined && !isCancel(signal.reason);
    if (brokenOff) return HAND_OVER_MS;
    const waits = await room.link.answered(() => atEnd(job.name, served, failure)).catch(() => false);
    return waits ? 0 : job.everyMs * (1 + job.jitter * clock.random());
  }

  /** Tickets that this run serves. */
  function atStart(turn: Turn): Promise<readonly string[]> {
    return room.link.answered(async () => {
      await tickets.forgetCancel(turn.name);
      if (passesOf(turn) > 0) await turn.updateData({ passes: 0 });
      await turn.updateProgress({ ...NOTHING_TOLD });
      return tickets.asked(turn.name);
    });
  }

  /** Whether somebody asked for one more meanwhile. */
  async function atEnd(name: string, served: readonly string[], failure: unknown): Promise<boolean> {
    await tickets.ended(name, served, failure);
    return (await tickets.asked(name)).length > 0;
  }

  /** Tells others how far the run is, and hears of a cancellation in another process. */
  async function watch(job: Job, turn: Turn, { run, signal }: { run: Run; signal: AbortSignal }): Promise<void> {
    let told = run.told;
    while (!signal.aborted) {
      try {
        await clock.sleep(WATCH_MS, signal);
        if (run.told !== told) await turn.updateProgress({ ...(told = run.told) });
        if (await tickets.isCancelled(job.name)) run.stop.abort(cancelled(job.name));
      } catch {
        // The run is over, or Redis is away: then nobody can ask.
      }
    }
  }

  return {
    take(turn, token) {
      const mine = take(turn, token);
      const kept = mine.catch(() => {}).finally(() => taken.delete(kept));
      taken.add(kept);
      return mine;
    },
    running: (name) => runs.get(name),
    async settled() {
      await Promise.all(taken);
    },
  };
}

function passesOf({ data }: Turn): number {
  const passes = (data as { passes?: unknown } | undefined)?.passes;
  return typeof passes === 'number' ? passes : 0;
}

function isCancel(reason: unknown): boolean {
  return (reason as { code?: unknown } | undefined)?.code === 'run-cancelled';
}
