/**
 * How far the event time of every shard is, for the watermark. What has landed is in the landing log, whoever landed it; this process only
 * adds since when it watches a shard: one that was never heard of counts as busy until its first rows, or until it was quiet for long
 * enough. Rejected rows tell no event time, so a shard of nothing else counts as quiet. Times are bounded by the believed time: a wall
 * clock that was ahead for a while does not push the watermark there for good, and a time ahead of it that a log holds is not believed.
 */
import type { ShardHighs } from '../landing/shard-highs.ts';
import type { Positions, ShardIndex } from '../model/stream.ts';
import type { Clock } from '../ports/clock.ts';
import { believedTime } from './believed-time.ts';
import type { ClosedShards } from './closed-shards.ts';
import type { RangeOutcome } from './range-reader.ts';
import { nextWatermark } from './watermark.ts';

export interface ProgressOptions {
  readonly clock: Clock;
  readonly allowedLatenessMs: number;
  readonly idleAfterMs: number;
}

export interface ProgressFacts {
  readonly range: RangeOutcome;
  /** What landed before the range: of every shard of the stream, also those that others land. */
  readonly from: Positions;
  /** Ends of the stream's shards; one whose end is not known counts as busy. */
  readonly ends: Positions;
  readonly eventHighMs: ReadonlyMap<ShardIndex, number>;
  /** As the landing log says. */
  readonly highs: ShardHighs;
  readonly previousMs: number | undefined;
  /** Shards that take no more records. */
  readonly closed: ClosedShards;
}

export interface Progress {
  readonly watermarkMs: number | undefined;
  /** Of the shards whose rows are in the range. */
  readonly highs: ShardHighs;
}

export interface ProgressBook {
  /** The watermark once this range has landed. */
  after(facts: ProgressFacts): Progress;
  /** Those that would be idle if they were read to their ends: whose ends are worth asking for. */
  quiet(shards: Iterable<ShardIndex>, highs: ShardHighs): ShardIndex[];
}

export function progressBook({ clock, allowedLatenessMs, idleAfterMs }: ProgressOptions): ProgressBook {
  const believed = believedTime(clock);
  const beganMs = believed().nowMs;
  let watchedSinceMs: ReadonlyMap<ShardIndex, number> = new Map();

  /** A shard that comes later, by a split say, is not quiet because this process is old. */
  function watch(shards: Iterable<ShardIndex>, nowMs: number): void {
    const sinceMs = watchedSinceMs.size === 0 ? beganMs : nowMs;
    const come = [...shards].filter((shard) => !watchedSinceMs.has(shard));
    watchedSinceMs = new Map([...watchedSinceMs, ...come.map((shard) => [shard, sinceMs] as const)]);
  }

  function lastRecordMs(shard: ShardIndex, arrivalMs: number | undefined): number {
    return Math.max(watchedSinceMs.get(shard) ?? beganMs, arrivalMs ?? Number.NEGATIVE_INFINITY);
  }

  return {
    after({ range, from, ends, eventHighMs, highs, previousMs, closed }) {
      const { nowMs } = believed();
      watch(from.keys(), nowMs);
      const landed = new Map<ShardIndex, { highMs: number; arrivalMs: number }>();
      const shards = [...from].map(([shard, at]) => {
        const held = highs.get(shard);
        const before = held !== undefined && held.highMs <= nowMs ? held : undefined;
        const high = eventHighMs.get(shard);
        const arrivalMs = Math.min(range.lastArrivalMs.get(shard) ?? nowMs, nowMs);
        const now =
          high === undefined
            ? before
            : { highMs: Math.max(Math.min(high, nowMs), before?.highMs ?? Number.NEGATIVE_INFINITY), arrivalMs };
        if (high !== undefined && now !== undefined) landed.set(shard, now);
        const readToEnd = (range.ranges.get(shard)?.to ?? at) >= (ends.get(shard) ?? Number.POSITIVE_INFINITY);
        const lastMs = lastRecordMs(shard, now === undefined ? undefined : Math.min(now.arrivalMs, nowMs));
        return { highMs: now?.highMs, lastRecordMs: lastMs, readToEnd, closed: closed.has(shard) };
      });
      return {
        watermarkMs: nextWatermark({ shards, nowMs, idleAfterMs, allowedLatenessMs, previousMs }),
        highs: landed,
      };
    },
    quiet(shards, highs) {
      const { nowMs } = believed();
      return [...shards].filter((shard) => nowMs - lastRecordMs(shard, highs.get(shard)?.arrivalMs) >= idleAfterMs);
    },
  };
}
