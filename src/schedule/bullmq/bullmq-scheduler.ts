/**
 * A scheduler that processes share through Redis: BullMQ's queue sees to it that one process at a time has a job's turn. What jobs there
 * are, every process knows from its catalog and puts into the queue again and again, so a Redis that restarts empty loses nothing.
 * While Redis is away the jobs wait: they are thrift, and what must not happen twice is fenced by the landing log, not here. A run
 * whose process died or froze is another process's within 30 s.
 */
import type { Clock } from '../../ports/clock.ts';
import type { Job, Scheduler } from '../../ports/scheduler.ts';
import type { Telemetry } from '../../ports/telemetry.ts';
import { measuredRuns } from '../measured-run.ts';
import { cancelled, removed, stopping, taken, unknownJob } from '../schedule-errors.ts';
import { type JobQueue, jobQueue } from './job-queue.ts';
import { openRedisLink, type RedisLink } from './redis-link.ts';
import { type RunTickets, runTickets } from './run-tickets.ts';
import { takeTurns, type Turns } from './turns.ts';

/** A turn whose process died or froze is another's within twice this. */
const LOCK_MS = 15_000;
const PUT_IN_EVERY_MS = 10_000;
const POLL_MS = 100;
/** Looks for the end of a run between two of whether its turn comes at all. */
const POLLS_A_HURRY = 10;
const HAND_BACK_MS_MAX = 1_000;

export interface BullmqSchedulerOptions {
  readonly url: string;
  /** Tells installations that share a Redis apart. */
  readonly prefix: string;
  /** Processes that name the same have the same jobs. */
  readonly queue: string;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  /** Another pace, for tests. */
  readonly tuning?: { readonly lockMs: number; readonly putInEveryMs: number };
}

interface Entry {
  readonly job: Job;
  /** Aborted when this process has the job no more. */
  readonly gone: AbortController;
}

interface Room {
  readonly link: RedisLink;
  readonly queue: JobQueue;
  readonly tickets: RunTickets;
  readonly turns: Turns;
  readonly clock: Clock;
}

/** Throws `schedule-unsuitable`. Opens also while Redis is away. */
export async function bullmqScheduler(options: BullmqSchedulerOptions): Promise<Scheduler> {
  const { clock, telemetry, prefix, tuning } = options;
  const link = await openRedisLink(options);
  const entries = new Map<string, Entry>();
  const queue = jobQueue({ ...options, link, lockMs: tuning?.lockMs ?? LOCK_MS, log: telemetry.log });
  const tickets = runTickets(link.redis, `${prefix}:${options.queue}`);
  const run = measuredRuns(clock, telemetry);
  const turns = takeTurns({ link, tickets, clock, run, jobOf: (name) => entries.get(name)?.job });
  const room: Room = { link, queue, tickets, turns, clock };
  const closing = new AbortController();
  let closed: Promise<void> | undefined;

  function putIn(jobs: readonly Job[]): Promise<void> {
    return link.isThere() ? queue.putIn(jobs).catch(() => {}) : Promise.resolve();
  }

  const putInAll = (): Promise<void> => putIn([...entries.values()].map(({ job }) => job));

  async function keepAllIn(): Promise<void> {
    while (!closing.signal.aborted) {
      await clock.sleep(tuning?.putInEveryMs ?? PUT_IN_EVERY_MS, closing.signal).then(putInAll, () => {});
    }
  }

  function known(name: string): Entry {
    const entry = entries.get(name);
    if (closed !== undefined) throw stopping();
    if (entry === undefined) throw unknownJob(name);
    return entry;
  }

  async function drop(name: string, entry: Entry, reason: Error): Promise<void> {
    const underWay = turns.running(name);
    underWay?.stop.abort(reason);
    await underWay?.over;
    entry.gone.abort(reason);
    // Only now may the name be taken again: never two runs under one name.
    if (entries.get(name) === entry) entries.delete(name);
  }

  async function handBack(): Promise<void> {
    await Promise.all([...entries].map(([name, entry]) => drop(name, entry, stopping())));
    await turns.settled();
    await queue.close();
  }

  async function close(): Promise<void> {
    closing.abort();
    const timer = new AbortController();
    // Without Redis none of it ends by itself.
    await Promise.race([handBack(), clock.sleep(HAND_BACK_MS_MAX, timer.signal).catch(() => {})]);
    timer.abort();
    link.close();
  }

  link.redis.on('ready', () => void putInAll());
  void keepAllIn();
  return {
    add(job) {
      if (closed !== undefined) throw stopping();
      if (entries.has(job.name)) throw taken(job.name);
      entries.set(job.name, { job, gone: new AbortController() });
      queue.work(turns);
      void putIn([job]).then(() => (link.isThere() ? queue.adjust(job).catch(() => {}) : undefined));
    },
    async remove(name) {
      const entry = entries.get(name);
      if (entry !== undefined) await drop(name, entry, removed(name));
    },
    trigger: async (name) => triggered(room, known(name)),
    async progress(name) {
      known(name);
      const here = turns.running(name);
      return here === undefined ? (await link.answered(() => queue.active(name)))?.told : here.told;
    },
    cancel: async (name) => cancelRun(room, known(name)),
    close: () => (closed ??= close()),
  };
}

/** Takes a ticket, sees to it that the job has its turn, and waits until a run that began later has ended. */
async function triggered(room: Room, { job, gone }: Entry): Promise<void> {
  const { link, queue, tickets, clock } = room;
  const ticket = clock.uuid();
  const look = () => link.answered(() => tickets.look(job.name, ticket));
  await link.answered(() => tickets.ask(job.name, ticket));
  for (let polls = 0; ; polls += 1) {
    const wasGone = gone.signal.aborted;
    const seen = await look().catch(() => 'away' as const);
    if (typeof seen === 'object') {
      if (seen.error !== undefined) throw seen.error;
      return;
    }
    if (wasGone) throw gone.signal.reason;
    // Redis away, or it lost the ticket: who waits goes on and asks again.
    if (seen === 'lost') await link.answered(() => tickets.ask(job.name, ticket)).catch(() => {});
    if (seen !== 'away' && polls % POLLS_A_HURRY === 0) await link.answered(() => queue.hurry(job)).catch(() => {});
    await clock.sleep(POLL_MS, gone.signal).catch(() => {});
  }
}

async function cancelRun({ link, queue, tickets, turns, clock }: Room, { job, gone }: Entry): Promise<void> {
  const here = turns.running(job.name);
  if (here !== undefined) {
    here.stop.abort(cancelled(job.name));
    return here.over;
  }
  const active = () => link.answered(() => queue.active(job.name));
  const first = await active();
  if (first === undefined) return;
  await link.answered(() => tickets.cancel(job.name));
  while ((await active())?.turn === first.turn) await clock.sleep(POLL_MS, gone.signal);
}
