/**
 * The queue of jobs in Redis, and the worker that takes their turns. Puts a job in, hurries it, asks for its state. Putting in is
 * idempotent by the job's id, and every process does it again and again: so a Redis that was emptied has all jobs within seconds.
 */
import { Queue, Worker } from 'bullmq';
import { LakewardError } from '../../model/errors.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Job, Progress } from '../../ports/scheduler.ts';
import type { Log } from '../../ports/telemetry.ts';
import type { RedisLink } from './redis-link.ts';
import { NOTHING_TOLD, type Turns } from './turns.ts';

/** Runs at a time in one process. */
const RUNS_MAX = 16;
/** Stalls are no fault of a job. */
const STALLS_MAX = 1_000_000_000;
const RETRY_MS = 1_000;

export interface JobQueueOptions {
  readonly link: RedisLink;
  readonly prefix: string;
  readonly queue: string;
  /** How long a process that does not answer keeps a turn. */
  readonly lockMs: number;
  readonly clock: Clock;
  readonly log: Log;
}

/** A run under way somewhere. */
export interface ActiveRun {
  /** Another number for each. */
  readonly turn: number;
  readonly told: Progress;
}

export interface JobQueue {
  putIn(jobs: readonly Job[]): Promise<void>;
  /** Where the entry still waits longer than the job's cadence, because that was another, its turn comes sooner. */
  adjust(job: Job): Promise<void>;
  /** Its turn is now, unless it has it. */
  hurry(job: Job): Promise<void>;
  active(name: string): Promise<ActiveRun | undefined>;
  /** From the first call on. */
  work(turns: Turns): void;
  close(): Promise<void>;
}

export function jobQueue({ link, prefix, queue: name, lockMs, clock, log }: JobQueueOptions): JobQueue {
  const queue = new Queue(name, { connection: link.redis, prefix });
  // What fails is tried again; that Redis is away is told by the link.
  queue.on('error', () => {});
  let worker: Worker | undefined;

  const entryOf = (job: Job, delay: number) => ({
    name: job.name,
    data: {},
    opts: { jobId: entryId(job.name), delay, removeOnComplete: true, removeOnFail: true },
  });
  const waitOf = ({ everyMs, jitter }: Job): number => Math.ceil(everyMs * (1 + jitter * clock.random()));

  return {
    async putIn(jobs) {
      if (jobs.length > 0) await queue.addBulk(jobs.map((job) => entryOf(job, waitOf(job))));
    },
    async adjust(job) {
      const kept = await queue.getJob(entryId(job.name));
      if (kept === undefined || kept.delay <= Math.ceil(job.everyMs * (1 + job.jitter))) return;
      if (await kept.isDelayed()) await kept.changeDelay(waitOf(job));
    },
    async hurry(job) {
      const { data, opts } = entryOf(job, 0);
      await queue.add(job.name, data, opts);
      const kept = await queue.getJob(entryId(job.name));
      // It may have its turn by now.
      if (await kept?.isDelayed()) await kept?.promote().catch(() => {});
    },
    async active(jobName) {
      const kept = await queue.getJob(entryId(jobName));
      if (kept === undefined || !(await kept.isActive())) return undefined;
      return { turn: kept.attemptsStarted, told: progressOf(kept.progress) };
    },
    work(turns) {
      if (worker !== undefined) return;
      worker = new Worker(name, (turn, token) => turns.take(turn, token), {
        connection: link.redis,
        prefix,
        concurrency: RUNS_MAX,
        lockDuration: lockMs,
        stalledInterval: Math.ceil(lockMs / 3),
        maxStalledCount: STALLS_MAX,
        runRetryDelay: RETRY_MS,
      });
      worker.on('error', () => {});
      worker.on('lockRenewalFailed', (ids: string[]) => {
        for (const id of ids) {
          const jobName = nameOf(id);
          log.warn('a run lost its turn, it is broken off', { job: jobName });
          const reason = new LakewardError('schedule-unavailable', 'another process may have the turn by now');
          turns.running(jobName)?.stop.abort(reason);
        }
      });
    },
    async close() {
      // By force: all turns are back by now, or Redis is away, and it would be waited for.
      await worker?.close(true);
      await queue.close();
    },
  };
}

/** Ids may hold no colon and be no number. */
function entryId(name: string): string {
  return `job-${encodeURIComponent(name)}`;
}

function nameOf(id: string): string {
  return decodeURIComponent(id.slice('job-'.length));
}

function progressOf(kept: unknown): Progress {
  const { share, text } = kept as Partial<Progress>;
  return typeof share === 'number' && typeof text === 'string' ? { share, text } : NOTHING_TOLD;
}
