/**
 * Writers that number their keys, and a reader that follows parents to their end: what comes out of a stream must be, for every key, all
 * that was acknowledged, in order. The next number of a key is put only after the one before was acknowledged, by whatever process.
 */
import { Buffer } from 'node:buffer';
import { batchWriter } from '../../src/ingest/batch-writer.ts';
import type { Streams } from '../../src/ingest/streams.ts';
import type { StreamDocument } from '../../src/model/stream.ts';
import { asOffset, asShard } from '../../src/model/stream.ts';
import type { Broker } from '../../src/ports/broker.ts';
import { recordsOf } from '../broker/text-batch.ts';

export interface KeyedLoad {
  /** By key: how many numbers were acknowledged. */
  readonly acknowledged: ReadonlyMap<string, number>;
  /** Codes of refused puts. */
  readonly refusals: readonly string[];
  /** Resolves when every key has had so many more acknowledged. */
  more(count: number): Promise<void>;
  stop(): Promise<void>;
}

/** One number of one key. */
export type Put = (key: string, data: string) => Promise<{ readonly code: string | undefined }>;

export function putInto(streams: Streams, name: string): Put {
  return async (key, data) => {
    const bytes = Buffer.from(data);
    const bounds = { records: 1, keyBytes: key.length, dataBytes: bytes.length };
    const records = batchWriter(bounds, (size) => Buffer.alloc(size));
    records.addBytes(bytes, key);
    const { result } = await streams.append(streams.get(name), records);
    return { code: result.failures[0]?.code };
  };
}

/** Each key's puts go to one server after the other. */
export function keyedLoad(servers: readonly Put[], keys: number): KeyedLoad {
  const acknowledged = new Map<string, number>();
  const refusals: string[] = [];
  const stopping = new AbortController();
  const progress = new Set<() => void>();

  async function write(key: string, turn: number): Promise<void> {
    for (let tries = turn; !stopping.signal.aborted; tries++) {
      const number = acknowledged.get(key) ?? 0;
      const { code } = await (servers[tries % servers.length] as Put)(key, `${key} ${number}`);
      if (code === undefined) acknowledged.set(key, number + 1);
      else refusals.push(code);
      for (const tell of progress) tell();
      // Lets others in where a put takes no time.
      await new Promise(setImmediate);
    }
  }
  const writers = Array.from({ length: keys }, (_, i) => write(`key-${i}`, i));
  return {
    acknowledged,
    refusals,
    async more(count) {
      const goals = new Map(
        Array.from({ length: keys }, (_, i) => [`key-${i}`, (acknowledged.get(`key-${i}`) ?? 0) + count]),
      );
      const { promise, resolve } = Promise.withResolvers<void>();
      const check = (): void => {
        if ([...goals].every(([key, goal]) => (acknowledged.get(key) ?? 0) >= goal)) resolve();
      };
      progress.add(check);
      await Promise.race([promise, ...writers]);
      progress.delete(check);
    },
    async stop() {
      stopping.abort();
      await Promise.all(writers);
    },
  };
}

/** By key the numbers, as a reader meets them that reads every shard to its end before its children. */
export async function followedNumbers(broker: Broker, document: StreamDocument): Promise<Map<string, number[]>> {
  const numbers = new Map<string, number[]>();
  const read = new Set<number>();
  while (read.size < document.shards.length) {
    const next = document.shards.find(
      ({ index, parents }) => !read.has(index) && parents.every((parent) => read.has(parent)),
    );
    if (next === undefined) throw new Error('a shard has a parent that is none');
    read.add(next.index);
    for (let at = new Map([[asShard(next.index), asOffset(0)]]); ; ) {
      const result = await broker.read(document.id, at, { maxBytes: 1_000_000, waitMs: 0 });
      for (const { data } of recordsOf(result.batches)) {
        const [key = '', number] = data.split(' ');
        numbers.set(key, [...(numbers.get(key) ?? []), Number(number)]);
      }
      if (result.batches.length === 0 && result.gaps.length === 0) break;
      at = new Map(result.next);
    }
  }
  return numbers;
}
