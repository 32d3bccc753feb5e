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
import { readAll } from '../broker/read-all.ts';

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
export function keyedLoad(servers: readonly Put[], keys: number, prefix = 'key'): KeyedLoad {
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
  const writers = Array.from({ length: keys }, (_, i) => write(`${prefix}-${i}`, i));
  return {
    acknowledged,
    refusals,
    async more(count) {
      const goals = new Map(
        Array.from({ length: keys }, (_, i) => [`${prefix}-${i}`, (acknowledged.get(`${prefix}-${i}`) ?? 0) + count]),
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

export interface FollowedShard {
  readonly index: number;
  readonly parents: readonly number[];
}

/** By key the numbers, as a reader meets them that reads every shard to its end before its children. */
export async function followedNumbers(
  shards: readonly FollowedShard[],
  read: (shard: number) => Promise<readonly string[]>,
): Promise<Map<string, number[]>> {
  const numbers = new Map<string, number[]>();
  const done = new Set<number>();
  while (done.size < shards.length) {
    const next = shards.find(({ index, parents }) => !done.has(index) && parents.every((parent) => done.has(parent)));
    if (next === undefined) throw new Error('a shard has a parent that is none');
    done.add(next.index);
    for (const data of await read(next.index)) {
      const [key = '', number] = data.split(' ');
      numbers.set(key, [...(numbers.get(key) ?? []), Number(number)]);
    }
  }
  return numbers;
}

/** All data of a shard. */
export async function shardData(broker: Broker, { id }: StreamDocument, shard: number): Promise<string[]> {
  const { records } = await readAll(broker, id, new Map([[asShard(shard), asOffset(0)]]));
  return records.map(({ data }) => data);
}
