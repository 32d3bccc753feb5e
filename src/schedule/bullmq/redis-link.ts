/**
 * The connection to Redis. It comes back by itself for ever; whether it is there is told by log and gauge, and is asked before anything
 * that a person waits for. Redis keeps nothing here that the processes do not know: it only coordinates them. Invariant: after
 * `close` no socket and no timer of it is left, whatever state Redis was in.
 */
import { Redis } from 'ioredis';
import { isLakewardError, LakewardError } from '../../model/errors.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Gauge, Log, Telemetry } from '../../ports/telemetry.ts';

const CONNECT_MS_MAX = 3_000;
const RETRY_MS_MAX = 2_000;
/** How long somebody who waits is let wait for an answer. */
const ANSWER_MS_MAX = 5_000;

export interface RedisLinkOptions {
  /** `redis://` or `rediss://`, with user, password and database where there are any. */
  readonly url: string;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
}

export interface RedisLink {
  /** Commands given while Redis is away wait for it. */
  readonly redis: Redis;
  isThere(): boolean;
  /** For who waits: throws `schedule-unavailable` when Redis is away or takes too long. */
  answered<T>(ask: () => Promise<T>): Promise<T>;
  close(): void;
}

/**
 * Resolves also when Redis is away: then it is told, and waited for in the background. Throws `schedule-unsuitable` when it is there
 * and evicts keys, or does not let us in.
 */
export async function openRedisLink({ url, clock, telemetry }: RedisLinkOptions): Promise<RedisLink> {
  const { redis, disconnectAll } = connections(url);
  const connected = telemetry.gauge({
    name: 'lakeward_schedule_connected',
    help: '1 while the Redis that coordinates the background jobs of several processes answers, else 0.',
  });
  const seen = tellChanges(redis, telemetry.log, connected);
  try {
    await redis.connect();
    await checkSuitable(redis);
  } catch (error) {
    const fatal = unsuitable(error) ?? unsuitable(seen.lastError());
    if (fatal !== undefined) {
      disconnectAll();
      throw fatal;
    }
    seen.away(seen.lastError() ?? error);
  }
  return {
    redis,
    isThere: () => redis.status === 'ready',
    answered: (ask) => answered(redis, clock, ask),
    close: disconnectAll,
  };
}

/** One that is duplicated ends with the one it was made of: who holds a duplicate may be stuck waiting for it. */
function connections(url: string): { redis: Redis; disconnectAll: () => void } {
  const all: Redis[] = [];
  let closed = false;
  const redis = new Redis(url, {
    lazyConnect: true,
    // Blocking commands must outlive a reconnection.
    maxRetriesPerRequest: null,
    connectTimeout: CONNECT_MS_MAX,
    retryStrategy: (tries) => (closed ? null : Math.min(50 * 2 ** tries, RETRY_MS_MAX)),
  });
  const duplicate = redis.duplicate.bind(redis);
  redis.duplicate = (override) => {
    // At once, and again and again: one that is connected on demand gives up when Redis is away then.
    const made = duplicate({ ...override, lazyConnect: false });
    made.on('error', () => {});
    all.push(made);
    return made;
  };
  all.push(redis);
  return {
    redis,
    disconnectAll: () => {
      closed = true;
      for (const one of all) one.disconnect();
    },
  };
}

function tellChanges(redis: Redis, log: Log, connected: Gauge) {
  let isAway = false;
  /** A connection that is refused says why here, and nothing more than that it is closed elsewhere. */
  let reason: unknown;
  const away = (why: unknown): void => {
    connected.set(0);
    if (isAway) return;
    isAway = true;
    log.warn('redis is away, background jobs that processes share wait for it', { error: why });
  };
  connected.set(0);
  redis.on('error', (error) => {
    reason = error;
  });
  // `end` is our own doing.
  redis.on('close', () => (redis.status === 'end' ? connected.set(0) : away(reason)));
  redis.on('ready', () => {
    connected.set(1);
    if (!isAway) return;
    isAway = false;
    log.info('redis is back, background jobs go on');
    // Not the one it was at the start, perhaps.
    checkSuitable(redis).catch((error: unknown) => {
      if (isLakewardError(error, 'schedule-unsuitable')) log.error('redis is not one to keep a schedule in', { error });
    });
  });
  return { away, lastError: () => reason };
}

/** One that evicts keys would drop a job, or half of it. */
async function checkSuitable(redis: Redis): Promise<void> {
  const policy = /^maxmemory_policy:(\S+)/m.exec(await redis.info('memory'))?.[1];
  if (policy === undefined || policy === 'noeviction') return;
  const todo = `it is ${policy}; set maxmemory-policy noeviction`;
  throw new LakewardError('schedule-unsuitable', `the Redis of schedule.redis evicts keys: ${todo}`);
}

function unsuitable(error: unknown): LakewardError | undefined {
  if (isLakewardError(error, 'schedule-unsuitable')) return error;
  if (!(error instanceof Error) || !/^(WRONGPASS|NOAUTH|NOPERM)/.test(error.message)) return undefined;
  const { message } = error;
  return new LakewardError('schedule-unsuitable', `the Redis of schedule.redis does not let us in: ${message}`, {
    cause: error,
  });
}

async function answered<T>(redis: Redis, clock: Clock, ask: () => Promise<T>): Promise<T> {
  const unavailable = (): never => {
    throw new LakewardError('schedule-unavailable', 'the Redis of schedule.redis does not answer');
  };
  if (redis.status !== 'ready') return unavailable();
  const timer = new AbortController();
  try {
    return await Promise.race([ask(), clock.sleep(ANSWER_MS_MAX, timer.signal).then(unavailable)]);
  } finally {
    timer.abort();
  }
}
