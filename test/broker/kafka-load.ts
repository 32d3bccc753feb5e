/**
 * Many appends under way on Kafka while something goes wrong, and the count afterwards: what was acknowledged is there exactly once at
 * the offset told, what was not is there at most once. Counted by our reader and by another client.
 */
import { Kafka, logLevel } from 'kafkajs';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, vi } from 'vitest';
import { isLakewardError } from '../../src/model/errors.ts';
import type { StreamId } from '../../src/model/stream.ts';
import type { Broker } from '../../src/ports/broker.ts';
import { readAll, startOf } from './read-all.ts';
import { textBatch } from './text-batch.ts';

export interface Load {
  /** Records acknowledged up to now. */
  acknowledged(): number;
  failed(): number;
  /** Resolves once so many more are acknowledged. */
  more(records: number): Promise<void>;
  stop(): Promise<void>;
  /** Where each acknowledged record is, by its data. */
  readonly places: ReadonlyMap<string, string>;
}

export interface LoadOptions {
  readonly shardCount: number;
  /** Appends that wait for their answer at any time. */
  readonly writers?: number;
  /** Pads the data of the n-th append. */
  readonly padding?: (append: number) => number;
}

const RECORDS = 20;
/** Few enough records to be counted in no time. */
const PACE_MS = 5;

export function startLoad(broker: Broker, id: StreamId, options: LoadOptions): Load {
  const { shardCount, writers = 8, padding = () => 0 } = options;
  const places = new Map<string, string>();
  const waiting = new Set<{ readonly at: number; readonly resolve: () => void }>();
  let failed = 0;
  let appends = 0;
  const over = new AbortController();

  async function write(): Promise<void> {
    while (!over.signal.aborted) {
      const append = appends++;
      const pad = '.'.repeat(padding(append));
      const records = Array.from({ length: RECORDS }, (_, i) => ({
        shard: (append + i) % shardCount,
        key: 'k',
        data: `${append}/${i}${pad}`,
      }));
      try {
        const { offsets } = await broker.append(id, textBatch(records, Date.now()));
        for (const [i, offset] of offsets.entries()) {
          const { shard = 0, data = '' } = records[i] ?? {};
          if (offset < 0) failed++;
          else places.set(data, `${shard}@${offset}`);
        }
      } catch (error) {
        if (!isLakewardError(error)) throw error;
        failed += RECORDS;
      }
      for (const one of waiting) if (places.size >= one.at) one.resolve();
      await sleep(PACE_MS);
    }
  }
  const running = Array.from({ length: writers }, write);

  return {
    places,
    acknowledged: () => places.size,
    failed: () => failed,
    async more(records) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const one = { at: places.size + records, resolve };
      waiting.add(one);
      await promise;
      waiting.delete(one);
    },
    async stop() {
      over.abort();
      await Promise.all(running);
    },
  };
}

export interface Kept {
  readonly broker: Broker;
  readonly id: StreamId;
  readonly shardCount: number;
  readonly bootstrap: readonly string[];
  readonly topic: string;
}

/** Every acknowledged record once, at its place; every other at most once. */
export async function expectKept({ places }: Load, kept: Kept): Promise<void> {
  const ours = await readAll(kept.broker, kept.id, startOf(kept.shardCount), 4_000_000);
  const theirs = await readByOthers(kept);
  for (const seen of [ours.records.map(({ data, shard, offset }) => [data, `${shard}@${offset}`] as const), theirs]) {
    const once = new Map(seen);
    expect(seen.length - once.size, 'doubled').toBe(0);
    expect([...places].filter(([data, place]) => once.get(data) !== place)).toEqual([]);
  }
  expect(theirs.length).toBe(ours.records.length);
}

/** Data and place of every record, read by kafkajs. */
async function readByOthers({ bootstrap, topic }: Kept): Promise<(readonly [string, string])[]> {
  const client = new Kafka({ clientId: 'other', brokers: [...bootstrap], logLevel: logLevel.NOTHING });
  const admin = client.admin();
  await admin.connect();
  // A node that stood still has to be taken back first.
  const ends = await vi.waitFor(() => admin.fetchTopicOffsets(topic), { timeout: 30_000, interval: 200 });
  await admin.disconnect();
  const total = ends.reduce((sum, { high, low }) => sum + Number(high) - Number(low), 0);
  const consumer = client.consumer({ groupId: `count-${topic}` });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  const seen: (readonly [string, string])[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  await consumer.run({
    eachBatch: async ({ batch: { partition, messages } }) => {
      for (const { value, offset } of messages) seen.push([String(value), `${partition}@${offset}`]);
      if (seen.length >= total) resolve();
    },
  });
  if (total > 0) await promise;
  await consumer.disconnect();
  return seen;
}
