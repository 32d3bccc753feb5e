/**
 * The broker as a model: records in arrays, every rule of the port in its plainest form. Property tests compare the durable brokers
 * with it, and tests of other rooms use it as a fast broker. It keeps nothing beyond the process and is not made for speed.
 */
import { LakewardError } from '../../model/errors.ts';
import type { AppendBatch, RecordBatch } from '../../model/record-batch.ts';
import { asOffset, type Offset, type Positions, type ShardIndex, type StreamId } from '../../model/stream.ts';
import type { Broker, LocateAt, OffsetGap, Pending, ReadResult, StreamStorage } from '../../ports/broker.ts';
import type { Clock } from '../../ports/clock.ts';

interface StoredRecord {
  readonly offset: number;
  readonly key: Uint8Array;
  readonly data: Uint8Array;
  readonly arrivalMs: number;
}

interface Shard {
  /** Ascending, without holes. */
  records: StoredRecord[];
  end: number;
}

interface Stream {
  storage: StreamStorage;
  readonly shards: Shard[];
  readonly waiting: Set<() => void>;
}

/** Records given in one batch. */
const BATCH_RECORDS_MAX = 1000;

export function memoryBroker({ clock }: { readonly clock: Clock }): Broker {
  const streams = new Map<StreamId, Stream>();
  const released = new Map<StreamId, Stream>();
  let closed = false;

  function streamOf(id: StreamId, shards: Iterable<ShardIndex> = []): Stream {
    if (closed) throw new LakewardError('broker-closed', 'the broker is closed');
    const stream = streams.get(id);
    if (stream === undefined) throw new LakewardError('stream-not-found', `no storage of stream ${id} is open`);
    for (const shard of shards) {
      if (stream.shards[shard] === undefined) {
        throw new LakewardError('shard-not-found', `stream ${id} has no shard ${shard}`);
      }
    }
    return stream;
  }

  /** Asks again after every append until `answer` is content or time is up. */
  async function waitFor<T>(id: StreamId, options: WaitFor<T>): Promise<T> {
    const deadlineMs = clock.monotonicMs() + options.waitMs;
    for (;;) {
      options.signal?.throwIfAborted();
      const stream = streamOf(id, options.shards);
      const { answer, content } = options.ask(stream);
      const leftMs = deadlineMs - clock.monotonicMs();
      if (content || leftMs <= 0) return answer;
      await nextAppend(clock, stream, leftMs, options.signal);
    }
  }

  return {
    open: async (storage) => {
      if (closed) throw new LakewardError('broker-closed', 'the broker is closed');
      const stream = streams.get(storage.id) ?? released.get(storage.id) ?? { storage, shards: [], waiting: new Set() };
      stream.storage = storage;
      while (stream.shards.length < storage.shardCount) stream.shards.push({ records: [], end: 0 });
      streams.set(storage.id, stream);
      released.delete(storage.id);
      return { stream: storage.id, gaps: [], tornBytes: 0 };
    },
    release: async (id) => {
      const stream = streams.get(id);
      if (stream === undefined) return;
      streams.delete(id);
      released.set(id, stream);
      wakeAll(stream);
    },
    remove: async (id) => {
      const stream = streams.get(id);
      streams.delete(id);
      released.delete(id);
      wakeAll(stream);
    },
    append: async (id, batch, call) => {
      call?.signal?.throwIfAborted();
      const stream = streamOf(id, batch.shards.subarray(0, batch.count) as Iterable<number> as Iterable<ShardIndex>);
      const offsets = store(stream, batch);
      wakeAll(stream);
      return { offsets, failures: [] };
    },
    read: (id, positions, { maxBytes, waitMs, signal }) =>
      waitFor(id, {
        waitMs,
        signal,
        shards: positions.keys(),
        ask: (stream) => {
          const answer = read(stream, positions, maxBytes);
          return { answer, content: answer.batches.length > 0 || answer.gaps.length > 0 };
        },
      }),
    locate: async (id, shard, at) => locate(streamOf(id, [shard]).shards[shard] as Shard, at),
    pending: (id, positions, { minBytes, minRecords, waitMs, signal }) =>
      waitFor(id, {
        waitMs,
        signal,
        shards: positions.keys(),
        ask: (stream) => {
          const answer = pending(stream, positions);
          return { answer, content: answer.bytes >= minBytes || answer.records >= minRecords };
        },
      }),
    retain: async (id, nowMs) => retain(streamOf(id), nowMs),
    close: async () => {
      closed = true;
      for (const stream of streams.values()) wakeAll(stream);
    },
  };
}

interface WaitFor<T> {
  readonly waitMs: number;
  readonly signal: AbortSignal | undefined;
  readonly shards: Iterable<ShardIndex>;
  ask(stream: Stream): { answer: T; content: boolean };
}

function wakeAll(stream: Stream | undefined): void {
  for (const wake of stream?.waiting ?? []) wake();
}

async function nextAppend(clock: Clock, stream: Stream, ms: number, signal: AbortSignal | undefined): Promise<void> {
  const timer = new AbortController();
  const stop = (): void => timer.abort(signal?.reason);
  signal?.addEventListener('abort', stop);
  const { promise, resolve } = Promise.withResolvers<void>();
  stream.waiting.add(resolve);
  try {
    await Promise.race([promise, clock.sleep(ms, timer.signal)]);
  } finally {
    stream.waiting.delete(resolve);
    signal?.removeEventListener('abort', stop);
    timer.abort();
  }
}

function store(stream: Stream, batch: AppendBatch): Float64Array {
  const offsets = new Float64Array(batch.count);
  for (let i = 0; i < batch.count; i++) {
    const shard = stream.shards[batch.shards[i] ?? 0] as Shard;
    const offset = shard.end++;
    shard.records.push({
      offset,
      key: Uint8Array.from(batch.keys.subarray(i === 0 ? 0 : batch.keyEnds[i - 1], batch.keyEnds[i])),
      data: Uint8Array.from(batch.data.subarray(i === 0 ? 0 : batch.dataEnds[i - 1], batch.dataEnds[i])),
      arrivalMs: batch.arrivalMs,
    });
    offsets[i] = offset;
  }
  return offsets;
}

const bytesOf = ({ key, data }: StoredRecord): number => key.length + data.length;
const recordsFrom = ({ records }: Shard, position: number): StoredRecord[] =>
  records.slice(Math.max(0, position - (records[0]?.offset ?? 0)));

function read(stream: Stream, positions: Positions, maxBytes: number): ReadResult {
  const batches: RecordBatch[] = [];
  const gaps: OffsetGap[] = [];
  const next = new Map<ShardIndex, Offset>();
  let budget = maxBytes;
  for (const [index, position] of positions) {
    const shard = stream.shards[index] as Shard;
    const first = Math.max(position, Math.min(shard.end, shard.records[0]?.offset ?? shard.end));
    if (first > position) gaps.push({ shard: index, from: position, to: asOffset(first), cause: 'expired' });
    const taken: StoredRecord[] = [];
    for (const record of recordsFrom(shard, first)) {
      if (taken.length >= BATCH_RECORDS_MAX || (budget <= 0 && batches.length + taken.length > 0)) break;
      taken.push(record);
      budget -= bytesOf(record);
    }
    if (taken.length > 0) batches.push(toBatch(index, taken));
    next.set(index, asOffset(first + taken.length));
  }
  return { batches, gaps, next };
}

function toBatch(shard: ShardIndex, records: readonly StoredRecord[]): RecordBatch {
  let keyEnd = 0;
  let dataEnd = 0;
  return {
    shard,
    firstOffset: asOffset(records[0]?.offset ?? 0),
    count: records.length,
    keyEnds: Uint32Array.from(records, ({ key }) => (keyEnd += key.length)),
    dataEnds: Uint32Array.from(records, ({ data }) => (dataEnd += data.length)),
    keys: concat(records.map(({ key }) => key)),
    data: concat(records.map(({ data }) => data)),
    arrivals: Float64Array.from(records, ({ arrivalMs }) => arrivalMs),
  };
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function locate(shard: Shard, at: LocateAt): Offset {
  if (at === 'latest') return asOffset(shard.end);
  const from = at === 'earliest' ? -Infinity : at.atMs;
  return asOffset(shard.records.find(({ arrivalMs }) => arrivalMs >= from)?.offset ?? shard.end);
}

function pending(stream: Stream, positions: Positions): Pending {
  let records = 0;
  let bytes = 0;
  let oldest = Infinity;
  const ends = new Map<ShardIndex, Offset>();
  for (const [index, position] of positions) {
    const shard = stream.shards[index] as Shard;
    ends.set(index, asOffset(shard.end));
    for (const record of recordsFrom(shard, position)) {
      records++;
      bytes += bytesOf(record);
      oldest = Math.min(oldest, record.arrivalMs);
    }
  }
  return { records, bytes, exact: true, oldestArrivalMs: oldest === Infinity ? undefined : oldest, ends };
}

function retain(stream: Stream, nowMs: number): number {
  const cutoffMs = nowMs - stream.storage.retentionMs;
  let freed = 0;
  for (const shard of stream.shards) {
    const kept = shard.records.findIndex(({ arrivalMs }) => arrivalMs >= cutoffMs);
    const gone = kept === -1 ? shard.records : shard.records.slice(0, kept);
    freed += gone.reduce((sum, record) => sum + bytesOf(record), 0);
    shard.records = shard.records.slice(gone.length);
  }
  return freed;
}
