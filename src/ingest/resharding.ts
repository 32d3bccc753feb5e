/**
 * Changes of the shards of a stream. A round of one:
 *
 *   storage for the children ► the catalog names parents and children ► no writer can still be writing to a parent ► the catalog closes
 *   the parents where they end and opens the children ► the next round, if the target is not reached
 *
 * While a round is under way no writer begins an append to a parent. This process knows when its own are over; of others it knows that
 * they stop once their lease has run out. Whoever began a round may die: every process finishes what it sees, who began it first.
 */
import { LakewardError } from '../model/errors.ts';
import { finishRound, planRound, storageShards } from '../model/reshard.ts';
import type { ReshardDocument, StreamDocument } from '../model/stream.ts';
import { asShard } from '../model/stream.ts';
import { LIMITS } from '../model/limits.ts';
import type { Broker } from '../ports/broker.ts';
import type { Catalog, CatalogState } from '../ports/catalog.ts';
import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/telemetry.ts';
import { refuseAdopted } from './adopted-topic.ts';
import { storageOf } from './live-stream.ts';
import { changeStream, streamNotFound } from './stream-change.ts';

export interface Resharding {
  /**
   * Begins to divide the hash keys into shards with these first hash keys; resolves when that is durable. Throws `stream-not-found`,
   * `stream-updating`, `argument-invalid`, and what `targetOf` throws.
   */
  begin(name: string, targetOf: (document: StreamDocument) => readonly bigint[]): Promise<StreamDocument>;
  /** Resolves with the stream when no change of its shards is under way. Throws `stream-not-found`. */
  done(name: string, signal: AbortSignal): Promise<StreamDocument>;
  /** Finishes every change that the catalog tells of from now on, until `close`. */
  start(): void;
  close(): Promise<void>;
}

export interface ReshardingOptions {
  readonly broker: Broker;
  readonly catalog: Catalog;
  readonly clock: Clock;
  readonly log?: Log | undefined;
  /** Resolves when this process has no append under way that was begun before this version of the stream. */
  readonly settled: (document: StreamDocument) => Promise<void>;
  /** Resolves at the next change of the catalog. */
  readonly changed: (signal: AbortSignal) => Promise<void>;
  /** Time after which no other process begins appends on the strength of an older catalog; 0 where there is none. */
  readonly leaseMs: number;
}

/** How much later than a lease has run out it is taken for that, ms. */
const LEASE_MARGIN_MS = 500;
/** How much longer those wait who did not begin a round: they are only needed when who did is gone. */
const OTHERS_WAIT_MS = 4_000;
const RETRY_MS = 1_000;

export function resharding(options: ReshardingOptions): Resharding {
  const { broker, catalog, clock, log, leaseMs } = options;
  const closing = new AbortController();
  /** Rounds that this process finishes, by stream and number of shards before it. */
  const rounds = new Map<string, Promise<void>>();
  /** Rounds that this process began. */
  const own = new Set<string>();
  let unwatch: (() => void) | undefined;

  function look({ stream }: CatalogState): void {
    for (const document of stream.values()) {
      const key = keyOf(document);
      if (document.reshard === undefined || rounds.has(key)) continue;
      rounds.set(
        key,
        finish(document, key).finally(() => rounds.delete(key)),
      );
    }
  }

  async function finish(document: StreamDocument, key: string): Promise<void> {
    try {
      const othersMs =
        leaseMs === 0 || document.reshard?.unused === true
          ? 0
          : leaseMs + LEASE_MARGIN_MS + (own.has(key) ? 0 : OTHERS_WAIT_MS);
      await Promise.all([
        options.settled(document),
        othersMs === 0 ? undefined : clock.sleep(othersMs, closing.signal),
      ]);
      while (!closing.signal.aborted && isUnderWay(document)) {
        try {
          await close(document);
        } catch (error) {
          log?.warn('a change of shards cannot be finished yet', { stream: document.name, error });
          await clock.sleep(RETRY_MS, closing.signal);
        }
      }
    } catch (error) {
      if (!closing.signal.aborted) log?.error('a change of shards was given up', { stream: document.name, error });
    } finally {
      own.delete(key);
    }
  }

  function isUnderWay(document: StreamDocument): boolean {
    const now = catalog.read().stream.get(document.name);
    return now?.reshard !== undefined && keyOf(now) === keyOf(document);
  }

  async function close(round: StreamDocument): Promise<void> {
    const { id, name, reshard } = round;
    const ends = new Map<number, number>();
    for (const parent of reshard?.parents ?? []) {
      ends.set(parent, await broker.locate(id, asShard(parent), 'latest', { signal: closing.signal }));
    }
    const nowMs = clock.nowMs();
    const next = finishRound(round, ends, nowMs);
    if (next.reshard !== undefined) await broker.open(storageOf(next));
    if (next.reshard !== undefined) own.add(keyOf(next));
    const closed = await changeStream(catalog, name, (document) =>
      document.reshard !== undefined && keyOf(document) === keyOf(round)
        ? finishRound(document, ends, nowMs)
        : document,
    );
    const shards = closed.shards.filter(({ closedMs }) => closedMs === undefined).length;
    log?.info('shards changed', {
      stream: name,
      closed: reshard?.parents,
      open: shards,
      goesOn: next.reshard !== undefined,
    });
  }

  return {
    async begin(name, targetOf) {
      // Who asks may have been told of shards by another process.
      await catalog.refresh();
      const before = catalog.read().stream.get(name);
      if (before === undefined) throw streamNotFound(name);
      const started = roundOf(before, targetOf);
      // Storage first: whoever sees the round can count on it.
      if (started.reshard !== undefined) await broker.open(storageOf(started));
      return await changeStream(catalog, name, (document) => {
        const next = roundOf(document, targetOf);
        if (storageShards(next) > storageShards(started)) throw updating(name);
        if (next.reshard !== undefined) own.add(keyOf(next));
        return next;
      });
    },
    async done(name, signal) {
      for (;;) {
        const document = catalog.read().stream.get(name);
        if (document === undefined) throw streamNotFound(name);
        if (document.reshard === undefined) return document;
        await options.changed(signal);
      }
    },
    start() {
      unwatch ??= catalog.watch(look);
      look(catalog.read());
    },
    async close() {
      unwatch?.();
      closing.abort(new LakewardError('service-stopping', 'the server is stopping'));
      await Promise.allSettled(rounds.values());
    },
  };
}

/** Names a round: shards are only added by one. */
function keyOf({ id, shards }: StreamDocument): string {
  return `${id}/${shards.length}`;
}

/** The stream with its first round begun. */
function roundOf(document: StreamDocument, targetOf: (document: StreamDocument) => readonly bigint[]): StreamDocument {
  refuseAdopted(document);
  if (document.reshard !== undefined) throw updating(document.name);
  const target = targetOf(document);
  if (target.length > LIMITS.shardsMax) {
    throw new LakewardError(
      'argument-invalid',
      `a stream has at most ${LIMITS.shardsMax} open shards (${target.length})`,
    );
  }
  const reshard: ReshardDocument | undefined = planRound(document, target);
  if (reshard === undefined) return document;
  const next = { ...document, reshard };
  if (storageShards(next) > LIMITS.shardsEverMax) {
    const most = `a stream has at most ${LIMITS.shardsEverMax} shards in all, closed ones too`;
    throw new LakewardError('argument-invalid', `${most}; make another stream`);
  }
  return next;
}

function updating(name: string): LakewardError {
  return new LakewardError('stream-updating', `the shards of stream '${name}' are being changed`);
}
