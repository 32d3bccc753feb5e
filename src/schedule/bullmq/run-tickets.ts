/**
 * Who waits for a run, kept in Redis because the run may be in another process. A ticket is in the set of its job from when it is asked
 * for until a run that began later has ended; the end of that run is then found under the ticket. A Redis that lost both is
 * asked anew by who waits, so a trigger is never lost, and at worst runs twice.
 *
 *   <prefix>:asked:<job>     set of tickets                     written by who triggers and by the runner, a day at most
 *   <prefix>:ended:<ticket>  how the run ended, JSON            written by the runner, an hour
 *   <prefix>:cancel:<job>    there: the run is to be aborted    written by who cancels, taken away by the runner, a minute
 */
import type { Redis } from 'ioredis';
import { ERRORS, type ErrorCode, isLakewardError, LakewardError } from '../../model/errors.ts';

const ASKED_S = 86_400;
const ENDED_S = 3_600;
const CANCEL_S = 60;

/** What a run threw, as it travels; nothing: it was done. */
interface RunEnd {
  readonly code?: string;
  readonly message?: string;
}

export interface RunTickets {
  ask(job: string, ticket: string): Promise<void>;
  /** `lost`: Redis does not know it. */
  look(job: string, ticket: string): Promise<'waits' | 'lost' | { readonly error?: Error }>;
  /** Tickets that a run beginning now serves. */
  asked(job: string): Promise<readonly string[]>;
  /** Tells those who wait; an error of the catalogue arrives as one. */
  ended(job: string, tickets: readonly string[], error: unknown): Promise<void>;
  cancel(job: string): Promise<void>;
  isCancelled(job: string): Promise<boolean>;
  forgetCancel(job: string): Promise<void>;
}

export function runTickets(redis: Redis, prefix: string): RunTickets {
  const askedKey = (job: string): string => `${prefix}:asked:${job}`;
  const endedKey = (ticket: string): string => `${prefix}:ended:${ticket}`;
  const cancelKey = (job: string): string => `${prefix}:cancel:${job}`;
  return {
    async ask(job, ticket) {
      await redis.multi().sadd(askedKey(job), ticket).expire(askedKey(job), ASKED_S).exec();
    },
    async look(job, ticket) {
      // In this order: what ends meanwhile is seen by the second.
      const isAsked = await redis.sismember(askedKey(job), ticket);
      const end = await redis.get(endedKey(ticket));
      if (end !== null) return outcomeOf(JSON.parse(end) as RunEnd);
      return isAsked === 1 ? 'waits' : 'lost';
    },
    asked: (job) => redis.smembers(askedKey(job)),
    async ended(job, tickets, error) {
      if (tickets.length === 0) return;
      const text = JSON.stringify(endOf(error));
      const change = redis.multi().srem(askedKey(job), ...tickets);
      for (const ticket of tickets) change.set(endedKey(ticket), text, 'EX', ENDED_S);
      await change.exec();
    },
    async cancel(job) {
      await redis.set(cancelKey(job), '1', 'EX', CANCEL_S);
    },
    isCancelled: async (job) => (await redis.exists(cancelKey(job))) === 1,
    async forgetCancel(job) {
      await redis.del(cancelKey(job));
    },
  };
}

function endOf(error: unknown): RunEnd {
  if (error === undefined) return {};
  if (isLakewardError(error)) return { code: error.code, message: error.message };
  return { message: error instanceof Error ? error.message : 'the run failed' };
}

function outcomeOf({ code, message }: RunEnd): { readonly error?: Error } {
  if (message === undefined) return {};
  if (code !== undefined && code in ERRORS) return { error: new LakewardError(code as ErrorCode, message) };
  return { error: new Error(message) };
}
