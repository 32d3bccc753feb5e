/**
 * A life of the embedded log on a disk that loses power: appends of numbered records by concurrent writers, cuts at any call, failed
 * calls, restarts. After each restart everything acknowledged must be there once, at its offset, in order, and no offset may
 * ever have held two records.
 */
import { expect } from 'vitest';
import { openEmbeddedBroker } from '../../src/broker/embedded/embedded-broker.ts';
import { manualClock } from '../../src/clock/manual-clock.ts';
import { asStreamId } from '../../src/model/stream.ts';
import type { Broker } from '../../src/ports/broker.ts';
import { silentTelemetry } from '../../src/telemetry/silent.ts';
import { readAll, startOf } from '../broker/read-all.ts';
import { textBatch } from '../broker/text-batch.ts';
import { type PowerCutFileSystem, powerCutFileSystem, randomOf } from './power-cut-file-system.ts';

export interface HistoryOptions {
  readonly seed: number;
  readonly cuts: number;
  /** Share of writes and syncs that fail. */
  readonly faults: number;
}

export interface HistoryReport {
  readonly acknowledged: number;
  readonly read: number;
  readonly skipped: number;
}

const ID = asStreamId('history');
const SHARDS = 3;

interface History {
  readonly random: () => number;
  readonly disk: PowerCutFileSystem;
  readonly clock: ReturnType<typeof manualClock>;
  /** `shard/offset` → data of acknowledged records. */
  readonly acknowledged: Map<string, string>;
  /** `shard/offset` → data of everything ever seen there. */
  readonly seen: Map<string, string>;
  counter: number;
}

export async function runHistory({ seed, cuts, faults }: HistoryOptions): Promise<HistoryReport> {
  const random = randomOf(seed);
  const disk = powerCutFileSystem(seed + 1);
  const clock = manualClock({ seed });
  const history: History = { random, disk, clock, acknowledged: new Map(), seen: new Map(), counter: 0 };
  let read = 0;
  let skipped = 0;
  for (let cut = 0; cut <= cuts; cut++) {
    // The power may also go while the log recovers.
    if (cut > 0 && random() < 0.3) disk.callsLeft = Math.floor(random() * 40);
    const broker = await started(history);
    if (broker === undefined) {
      disk.restart();
      continue;
    }
    const found = await check(history, broker);
    if (disk.callsLeft <= 0) {
      disk.restart();
      continue;
    }
    read = found.read;
    skipped = found.skipped;
    disk.callsLeft = Math.floor(random() * 120) + 1;
    disk.fault = (call) => {
      if ((call !== 'write' && call !== 'sync') || random() >= faults) return undefined;
      return random() < 0.5 ? 'EIO' : 'ENOSPC';
    };
    await Promise.all([write(history, broker), write(history, broker), write(history, broker)]);
    if (random() < 0.2) await broker.close();
    if (random() < 0.3) disk.takeOver();
    else disk.restart();
  }
  const broker = await started(history);
  if (broker === undefined) throw new Error('a log with power opens');
  const found = await check(history, broker);
  await broker.close();
  return {
    acknowledged: history.acknowledged.size,
    read: Math.max(read, found.read),
    skipped: skipped + found.skipped,
  };
}

async function started({ disk, clock }: History): Promise<Broker | undefined> {
  const options = { segmentBytes: 1500, groupBytes: 600, reserveBytes: 0 };
  try {
    const telemetry = silentTelemetry();
    const broker = await openEmbeddedBroker({ folder: '/log', clock, telemetry, fileSystem: disk, options });
    await broker.open({ id: ID, shardCount: SHARDS, retentionMs: 1e12 });
    return broker;
  } catch (error) {
    if (disk.callsLeft > 0) throw error;
    return undefined;
  }
}

async function write(history: History, broker: Broker): Promise<void> {
  const { random, disk, clock, acknowledged, seen } = history;
  while (disk.callsLeft > 0) {
    // Time matters only for the next look at a full disk. Records are numbered in the order of their appends.
    if (random() < 0.2) await clock.advance(150);
    const records = Array.from({ length: 1 + Math.floor(random() * 6) }, () => ({
      shard: Math.floor(random() * SHARDS),
      key: 'k'.repeat(Math.floor(random() * 3)),
      data: String(history.counter++).padStart(8, '0'),
    }));
    try {
      const { offsets } = await broker.append(ID, textBatch(records, clock.nowMs()));
      records.forEach(({ shard, data }, i) => {
        const place = `${shard}/${offsets[i]}`;
        expect(seen.get(place) ?? data).toBe(data);
        seen.set(place, data);
        acknowledged.set(place, data);
      });
    } catch (error) {
      expect(error).toHaveProperty('retryable', true);
    }
  }
}

async function check(
  { acknowledged, seen, disk }: History,
  broker: Broker,
): Promise<{ read: number; skipped: number }> {
  let everything: Awaited<ReturnType<typeof readAll>>;
  try {
    everything = await readAll(broker, ID, startOf(SHARDS), 400);
  } catch (error) {
    if (disk.callsLeft > 0) throw error;
    return { read: 0, skipped: 0 };
  }
  if (disk.callsLeft <= 0) return { read: 0, skipped: 0 };
  const { records, gaps } = everything;
  const present = new Map(records.map(({ shard, offset, data }) => [`${shard}/${offset}`, data]));
  expect(present.size).toBe(records.length);
  expect(new Set(present.values()).size).toBe(records.length);
  expect([...acknowledged].filter(([place, data]) => present.get(place) !== data)).toEqual([]);
  expect([...present].filter(([place, data]) => (seen.get(place) ?? data) !== data)).toEqual([]);
  for (const [place, data] of present) seen.set(place, data);
  for (let shard = 0; shard < SHARDS; shard++) {
    const order = records.filter((record) => record.shard === shard).map(({ data }) => data);
    expect(order).toEqual(order.toSorted());
  }
  expect(gaps.filter(({ cause }) => cause === 'damaged')).toEqual([]);
  return { read: records.length, skipped: gaps.reduce((sum, { from, to }) => sum + to - from, 0) };
}
