/**
 * Appends of one process, kept apart from changes of shards: no append is begun to a shard that is being closed, and who closes it can wait
 * for those begun before. Records for such shards wait here, whole requests, until their successors are open; nobody sees an error unless
 * that takes long or too much waits. Where several processes append, one whose knowledge of the shards may be too old holds its records too.
 */
import type { ErrorCode } from '../model/errors.ts';
import { LakewardError } from '../model/errors.ts';
import { MIB } from '../model/limits.ts';
import type { AppendBatch } from '../model/record-batch.ts';
import type { StreamDocument, StreamId } from '../model/stream.ts';
import type { AppendResult, Broker } from '../ports/broker.ts';
import type { Clock } from '../ports/clock.ts';
import type { BatchWriter } from './batch-writer.ts';
import type { LiveStream } from './live-stream.ts';

/** How long a request may wait for one round of a change of its shards, and how many bytes may. Beyond, its records fail as retryable. */
const HOLD_MS_MAX = 6_000;
const HOLD_BYTES_MAX = 64 * MIB;

export interface Stored {
  /** As it was when the records were routed. */
  readonly stream: LiveStream;
  readonly batch: AppendBatch;
  readonly result: AppendResult;
}

export interface ShardWriter {
  /** Routes and stores. Throws `stream-not-found`, what the broker throws, and the signal's reason when that aborts while records wait. */
  append(asked: LiveStream, records: BatchWriter, signal?: AbortSignal): Promise<Stored>;
  /** Resolves when no append is under way that was begun before this version of the stream. */
  settled(document: StreamDocument): Promise<void>;
}

export interface ShardWriterOptions {
  readonly broker: Pick<Broker, 'append'>;
  readonly clock: Clock;
  /** The newest version known. */
  readonly find: (name: string) => LiveStream | undefined;
  /** What must be done before records may go to this version; undefined when they may at once. */
  readonly obstacle: (document: StreamDocument) => ((signal: AbortSignal) => Promise<void>) | undefined;
  /** Resolves at the next change of what `find` gives. */
  readonly changed: (signal: AbortSignal) => Promise<void>;
}

interface Flight {
  readonly document: StreamDocument;
  readonly done: Promise<unknown>;
}

export function shardWriter({ broker, clock, find, obstacle, changed }: ShardWriterOptions): ShardWriter {
  const flights = new Map<StreamId, Set<Flight>>();
  let heldBytes = 0;

  async function track(stream: LiveStream, batch: AppendBatch): Promise<AppendResult> {
    const { document } = stream;
    let ofStream = flights.get(document.id);
    if (ofStream === undefined) flights.set(document.id, (ofStream = new Set()));
    const done = broker.append(document.id, batch);
    const flight = { document, done };
    ofStream.add(flight);
    try {
      return await done;
    } finally {
      ofStream.delete(flight);
      if (ofStream.size === 0 && flights.get(document.id) === ofStream) flights.delete(document.id);
    }
  }

  /** What keeps records from being appended now. No time passes between this and the append. */
  function waitOf(stream: LiveStream, batch: AppendBatch): ((signal: AbortSignal) => Promise<void>) | undefined {
    return touches(batch, stream.closing) ? changed : obstacle(stream.document);
  }

  async function hold(work: (signal: AbortSignal) => Promise<void>, asked: Hold): Promise<boolean> {
    const leftMs = asked.untilMs - clock.monotonicMs();
    if (leftMs <= 0 || heldBytes + asked.bytes > HOLD_BYTES_MAX) return false;
    heldBytes += asked.bytes;
    const timer = new AbortController();
    const signal = asked.signal === undefined ? timer.signal : AbortSignal.any([timer.signal, asked.signal]);
    try {
      const late = clock.sleep(leftMs, signal).catch(() => undefined);
      await Promise.race([work(signal), late]);
    } catch (error) {
      if (!timer.signal.aborted && asked.signal?.aborted !== true) throw error;
    } finally {
      heldBytes -= asked.bytes;
      timer.abort();
    }
    asked.signal?.throwIfAborted();
    return true;
  }

  return {
    async append(asked, records, signal) {
      const { name, id } = asked.document;
      let held: { readonly shards: number; readonly untilMs: number } | undefined;
      for (;;) {
        const stream = find(name);
        if (stream?.document.id !== id) throw new LakewardError('stream-not-found', `there is no stream '${name}'`);
        const batch = records.finish(stream.router, clock.nowMs());
        if (batch.count === 0) return { stream, batch, result: { offsets: new Float64Array(0), failures: [] } };
        const wait = waitOf(stream, batch);
        if (wait === undefined) return { stream, batch, result: await track(stream, batch) };
        const shards = stream.document.shards.length;
        if (held?.shards !== shards) held = { shards, untilMs: clock.monotonicMs() + HOLD_MS_MAX };
        if (!(await hold(wait, { untilMs: held.untilMs, bytes: records.bytes(), signal }))) {
          return { stream, batch, result: failed(batch, 'shards-moving') };
        }
      }
    },
    async settled({ id, shards }) {
      const earlier = [...(flights.get(id) ?? [])].filter(
        ({ document }) => document.reshard === undefined || document.shards.length < shards.length,
      );
      await Promise.allSettled(earlier.map(({ done }) => done));
    },
  };
}

interface Hold {
  readonly untilMs: number;
  readonly bytes: number;
  readonly signal: AbortSignal | undefined;
}

function touches({ count, shards }: AppendBatch, closing: ReadonlySet<number> | undefined): boolean {
  if (closing === undefined) return false;
  for (let i = 0; i < count; i++) if (closing.has(shards[i] as number)) return true;
  return false;
}

function failed({ count }: AppendBatch, code: ErrorCode): AppendResult {
  return {
    offsets: new Float64Array(count).fill(-1),
    failures: Array.from({ length: count }, (_, index) => ({ index, code })),
  };
}
