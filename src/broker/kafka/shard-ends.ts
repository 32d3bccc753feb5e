/**
 * Where the shards of a stream begin and end, as Kafka says, and waiting for them to grow. Own appends wake waiters at once; those of
 * other processes are seen by asking Kafka while somebody waits, one request for all waiters of a stream.
 */
import type { LakewardError } from '../../model/errors.ts';
import { asOffset, type Offset, type Positions, type ShardIndex } from '../../model/stream.ts';
import type { Clock } from '../../ports/clock.ts';
import type { KafkaClient } from './kafka-client.ts';
import { unreachable } from './kafka-errors.ts';

/** How soon a record of another process is seen by a waiting reader. */
const POLL_MS = 100;
/** Only retention moves where a shard begins; until that is seen, what it took counts as waiting. */
const STARTS_MS = 10_000;
const LATEST = -1n;
const EARLIEST = -2n;

export interface Clocks {
  /** The time of records and of callers. */
  readonly clock: Clock;
  /** The time of the cluster: how often it is asked, how long an answer may take. */
  readonly pace: Clock;
}

export interface ShardEnds {
  /** Asks Kafka; `latest` is known from then on. `atMs`: the first record that arrived then or later; undefined where there is none. */
  ask(
    shards: Iterable<ShardIndex>,
    at: 'earliest' | 'latest' | { atMs: number },
  ): Promise<Map<ShardIndex, Offset | undefined>>;
  /** The ends seen lately, when those of all these shards are known: a waiter is not later than Kafka by more than its asking. */
  known(shards: Iterable<ShardIndex>): Map<ShardIndex, Offset> | undefined;
  /** Where these shards began when Kafka was asked, seconds ago at most. */
  starts(shards: readonly ShardIndex[]): Promise<Map<ShardIndex, Offset | undefined>>;
  /** Asks anew for where shards begin. */
  forgetStarts(): void;
  /** The newest end known; never goes back. */
  noteEnd(shard: number, end: number): void;
  /** Resolves when an end of these shards has changed since `known`, or the time is up. */
  grown(
    known: Positions,
    options: { readonly waitMs: number; readonly signal: AbortSignal | undefined },
  ): Promise<void>;
  /** Ends every wait with this error. */
  fail(error: LakewardError): void;
}

export function shardEnds(client: KafkaClient, topic: string, { clock, pace }: Clocks): ShardEnds {
  const ends = new Map<ShardIndex, Offset>();
  const waiters = new Set<{ check(): void; fail(error: unknown): void }>();
  let polling = false;

  const ask: ShardEnds['ask'] = async (shards, at) => {
    const wanted = [...shards];
    if (wanted.length === 0) return new Map();
    const timestamp = at === 'latest' ? LATEST : at === 'earliest' ? EARLIEST : BigInt(Math.ceil(at.atMs));
    try {
      const answer = await client.reader.listOffsets({ topics: [topic], partitions: { [topic]: wanted }, timestamp });
      const offsets = answer.get(topic) ?? [];
      // A beginning or an end that is not told must not be taken for nothing: what lies there would be passed over.
      const untold = wanted.find((shard) => (offsets[shard] ?? -1n) < 0n);
      if (untold !== undefined && typeof at === 'string') throw new Error(`nothing was told of partition ${untold}`);
      const found = new Map(
        wanted.map((shard) => {
          const offset = offsets[shard];
          return [shard, offset === undefined || offset < 0n ? undefined : asOffset(Number(offset))];
        }),
      );
      // Or what was known before would pass for newer, and a shard for one that has lost records.
      if (at === 'latest') for (const [shard, end] of found) if (end !== undefined) noteEnd(shard, end);
      return found;
    } catch (error) {
      throw unreachable(`the offsets of topic '${topic}'`, error);
    }
  };

  function noteEnd(shard: number, end: number): void {
    const known = ends.get(shard as ShardIndex);
    if (known !== undefined && known >= end) return;
    ends.set(shard as ShardIndex, asOffset(end));
    for (const waiter of waiters) waiter.check();
  }

  /** Runs while anybody waits. */
  async function pollOn(shards: ReadonlySet<ShardIndex>): Promise<void> {
    if (polling) return;
    polling = true;
    try {
      while (waiters.size > 0) {
        await ask([...shards], 'latest').catch((error: unknown) => {
          for (const waiter of waiters) waiter.fail(error);
        });
        if (waiters.size > 0) await pause();
      }
    } finally {
      polling = false;
      shardsAsked.clear();
    }
  }
  const shardsAsked = new Set<ShardIndex>();
  let pausing = new AbortController();

  async function pause(): Promise<void> {
    pausing = new AbortController();
    await pace.sleep(POLL_MS, pausing.signal).catch(() => undefined);
  }

  let asked: { readonly untilMs: number; readonly offsets: Map<ShardIndex, Offset | undefined> } | undefined;

  return {
    ask,
    known(shards) {
      const found = new Map<ShardIndex, Offset>();
      for (const shard of shards) {
        const end = ends.get(shard);
        if (end === undefined) return undefined;
        found.set(shard, end);
      }
      return found;
    },
    async starts(shards) {
      const nowMs = pace.monotonicMs();
      if (asked === undefined || asked.untilMs < nowMs || shards.some((shard) => !asked?.offsets.has(shard))) {
        asked = { untilMs: nowMs + STARTS_MS, offsets: await ask(shards, 'earliest') };
      }
      return asked.offsets;
    },
    forgetStarts() {
      asked = undefined;
    },
    noteEnd,
    async grown(known, { waitMs, signal }) {
      signal?.throwIfAborted();
      const changed = (): boolean => [...known].some(([shard, end]) => (ends.get(shard) ?? end) > end);
      if (changed() || waitMs <= 0) return;
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const timer = new AbortController();
      const abort = (): void => reject(signal?.reason);
      const waiter = { check: () => changed() && resolve(), fail: reject };
      waiters.add(waiter);
      signal?.addEventListener('abort', abort, { once: true });
      for (const shard of known.keys()) shardsAsked.add(shard);
      void pollOn(shardsAsked);
      try {
        await Promise.race([promise, clock.sleep(waitMs, timer.signal).catch(() => undefined)]);
      } finally {
        waiters.delete(waiter);
        signal?.removeEventListener('abort', abort);
        timer.abort();
        if (waiters.size === 0) pausing.abort();
      }
    },
    fail(error) {
      for (const waiter of waiters) waiter.fail(error);
    },
  };
}
