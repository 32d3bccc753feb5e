/**
 * One landing's records: a contiguous range of each shard, from the landed positions up to the ends known when the landing began,
 * cut by a budget of bytes. Streams it from the broker as often as asked, each time the same records in the same order, and holds at
 * most two reads in memory. A jump over records that retention or damage took ends its shard's range; nothing behind it is given.
 */
import { LakewardError } from '../model/errors.ts';
import type { RecordBatch } from '../model/record-batch.ts';
import { batchBytes } from '../model/record-batch.ts';
import type { Offset, Positions, ShardIndex, StreamId } from '../model/stream.ts';
import type { Broker, OffsetGap, ReadResult } from '../ports/broker.ts';
import { batchesWithin, cutsWithin } from './batch-slice.ts';

/** Bytes of one read of the broker. */
const READ_BYTES = 4 * 1024 * 1024;

export interface RangeOptions {
  readonly broker: Broker;
  readonly stream: StreamId;
  readonly from: Positions;
  readonly ends: Positions;
  /** The range holds no more bytes, but at least one record. */
  readonly bytesMax: number;
  readonly signal: AbortSignal;
}

export interface RangeOutcome {
  /** Shards that moved on. */
  readonly ranges: ReadonlyMap<ShardIndex, { readonly from: Offset; readonly to: Offset }>;
  /** Lost records right behind the ranges. */
  readonly gaps: readonly OffsetGap[];
  readonly records: number;
  readonly bytes: number;
  /** Arrival of the earliest first record of a batch, epoch ms; undefined without records. */
  readonly firstArrivalMs: number | undefined;
  /** For each shard with records the newest last arrival of a batch, epoch ms. */
  readonly lastArrivalMs: ReadonlyMap<ShardIndex, number>;
}

export interface RangeReader {
  /** The first read's records; nothing when the range is empty or begins with a gap. */
  first(): Promise<readonly RecordBatch[]>;
  readonly batches: AsyncIterable<RecordBatch>;
  /** Bytes of the range read so far. */
  readonly bytes: () => number;
  /** What the range turned out to be. Throws `convert-failed` when nobody has read it to its end. */
  outcome(): RangeOutcome;
}

/** What one read gave, without its records: enough to read the same again. */
interface Chunk {
  readonly start: Positions;
  /** Where its shards stand after it. */
  readonly reached: Positions;
  /** Where to read on: without the shards that met a loss or their end. */
  readonly next: Positions;
  readonly gaps: readonly OffsetGap[];
  readonly records: number;
  readonly bytes: number;
  readonly last: boolean;
}
interface Loaded {
  readonly chunk: Chunk;
  readonly batches: readonly RecordBatch[];
}

export function rangeReader(options: RangeOptions): RangeReader {
  const chunks: Promise<Chunk>[] = [];
  const arrivals = { first: undefined as number | undefined, last: new Map<ShardIndex, number>() };
  let bytes = 0;
  let primed: Promise<Loaded> | undefined;
  let whole: readonly Chunk[] | undefined;

  function load(before: Chunk | undefined): Promise<Loaded> {
    const loading = readChunk(options, before?.next ?? options.from, before?.bytes ?? 0).then((loaded) => {
      for (const batch of loaded.batches) noteArrivals(arrivals, batch);
      bytes = loaded.chunk.bytes;
      return loaded;
    });
    const chunk = loading.then((loaded) => loaded.chunk);
    // Whoever comes to this chunk sees the failure; one that nobody comes to is of no interest.
    chunk.catch(() => {});
    chunks.push(chunk);
    return loading;
  }

  async function* iterate(): AsyncGenerator<RecordBatch> {
    const seen: Chunk[] = [];
    let held = primed;
    primed = undefined;
    for (let n = 0; ; n += 1) {
      if (held === undefined && chunks[n] === undefined) held = load(seen[n - 1]);
      const loaded = await held;
      held = undefined;
      const chunk = loaded?.chunk ?? (await chunks[n]);
      if (chunk === undefined) throw new LakewardError('internal', 'a chunk of a range is missing');
      // The next read runs while the converter takes this one.
      if (!chunk.last && chunks[n + 1] === undefined) held = load(chunk);
      yield* loaded?.batches ?? replay(options, chunk);
      seen.push(chunk);
      if (chunk.last) {
        whole = seen;
        return;
      }
    }
  }

  return {
    async first() {
      primed ??= load(undefined);
      return (await primed).batches;
    },
    batches: { [Symbol.asyncIterator]: iterate },
    bytes: () => bytes,
    outcome() {
      if (whole === undefined) throw new LakewardError('convert-failed', 'the converter did not read all records');
      return outcomeOf(options.from, whole, arrivals);
    },
  };
}

async function readChunk(options: RangeOptions, start: Positions, bytesBefore: number): Promise<Loaded> {
  const asked = new Map([...start].filter(([shard, offset]) => offset < endOf(options.ends, shard)));
  if (asked.size === 0) {
    return {
      chunk: { start: asked, reached: asked, next: asked, gaps: [], records: 0, bytes: bytesBefore, last: true },
      batches: [],
    };
  }
  const result = await options.broker.read(options.stream, asked, {
    maxBytes: Math.min(READ_BYTES, options.bytesMax),
    waitMs: 0,
    signal: options.signal,
  });
  const gaps = firstLosses(result.gaps, options.ends);
  const stops = new Map(
    [...asked].map(([shard, offset]) => [shard, gaps.get(shard)?.from ?? options.ends.get(shard) ?? offset]),
  );
  const found = batchesWithin(result.batches, stops);
  const cuts = cutsWithin(found, options.bytesMax - bytesBefore, bytesBefore === 0);
  for (const [shard, stop] of cuts) {
    stops.set(shard, stop);
    gaps.delete(shard);
  }
  const batches = batchesWithin(found, stops);
  const reached = new Map<ShardIndex, Offset>();
  const next = new Map<ShardIndex, Offset>();
  for (const [shard, offset] of asked) {
    const to = minOffset(result.next.get(shard) ?? offset, stops.get(shard) ?? offset);
    reached.set(shard, to);
    if (!gaps.has(shard)) next.set(shard, to);
  }
  const advanced = [...asked].some(([shard, offset]) => (reached.get(shard) ?? offset) > offset);
  const bytes = bytesBefore + batches.reduce((sum, batch) => sum + batchBytes(batch), 0);
  const chunk = {
    start: asked,
    reached,
    next,
    gaps: [...gaps.values()],
    records: batches.reduce((sum, batch) => sum + batch.count, 0),
    bytes,
    // A range that begins with nothing but a jump is that jump: it lands by itself, without a conversion.
    last: !advanced || bytes === 0 || cuts.size > 0 || bytes >= options.bytesMax,
  };
  return { chunk, batches };
}

/** The same records once more. Throws the retryable `convert-failed` when the broker has lost some of them meanwhile. */
async function* replay(options: RangeOptions, chunk: Chunk): AsyncGenerator<RecordBatch> {
  let records = 0;
  let positions: Positions = chunk.start;
  for (;;) {
    const asked = new Map([...positions].filter(([shard, offset]) => offset < endOf(chunk.reached, shard)));
    if (asked.size === 0) break;
    const result: ReadResult = await options.broker.read(options.stream, asked, {
      maxBytes: READ_BYTES,
      waitMs: 0,
      signal: options.signal,
    });
    for (const batch of batchesWithin(result.batches, chunk.reached)) {
      records += batch.count;
      yield batch;
    }
    if ([...asked].every(([shard, offset]) => (result.next.get(shard) ?? offset) <= offset)) break;
    positions = result.next;
  }
  if (records !== chunk.records) {
    throw new LakewardError(
      'convert-failed',
      'records expired while they were read a second time; the landing starts over',
    );
  }
}

/** The first loss of each shard before its end. */
function firstLosses(gaps: readonly OffsetGap[], ends: Positions): Map<ShardIndex, OffsetGap> {
  const losses = new Map<ShardIndex, OffsetGap>();
  for (const gap of gaps) {
    if (gap.cause === 'unused' || gap.from >= endOf(ends, gap.shard)) continue;
    const known = losses.get(gap.shard);
    if (known === undefined || gap.from < known.from) losses.set(gap.shard, gap);
  }
  return losses;
}

function outcomeOf(
  from: Positions,
  chunks: readonly Chunk[],
  arrivals: { readonly first: number | undefined; readonly last: ReadonlyMap<ShardIndex, number> },
): RangeOutcome {
  const to = new Map(from);
  for (const chunk of chunks) for (const [shard, offset] of chunk.reached) to.set(shard, offset);
  const ranges = new Map<ShardIndex, { from: Offset; to: Offset }>();
  for (const [shard, offset] of from) {
    const end = to.get(shard) ?? offset;
    if (end > offset) ranges.set(shard, { from: offset, to: end });
  }
  return {
    ranges,
    gaps: chunks.flatMap((chunk) => chunk.gaps),
    records: chunks.reduce((sum, chunk) => sum + chunk.records, 0),
    bytes: chunks.at(-1)?.bytes ?? 0,
    firstArrivalMs: arrivals.first,
    lastArrivalMs: arrivals.last,
  };
}

function noteArrivals(
  arrivals: { first: number | undefined; last: Map<ShardIndex, number> },
  batch: RecordBatch,
): void {
  const first = batch.arrivals[0] ?? 0;
  const last = batch.arrivals[batch.count - 1] ?? first;
  arrivals.first = Math.min(arrivals.first ?? first, first);
  arrivals.last.set(batch.shard, Math.max(arrivals.last.get(batch.shard) ?? last, last));
}

function endOf(ends: Positions, shard: ShardIndex): number {
  return ends.get(shard) ?? 0;
}

function minOffset(a: Offset, b: Offset): Offset {
  return a < b ? a : b;
}
