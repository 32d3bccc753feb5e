/**
 * What a worker remembers of each shard for the watermark. Kept in memory only: after a restart a shard counts as unknown until its
 * next rows, or until it was quiet for long enough; the watermark stands still meanwhile and never goes back. Rejected rows tell no
 * event time, so a shard of nothing else counts as quiet. Times are bounded by the believed time: a wall clock that was ahead for a
 * while does not push the watermark there for good.
 */
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
  readonly from: Positions;
  readonly ends: Positions;
  readonly eventHighMs: ReadonlyMap<ShardIndex, number>;
  readonly previousMs: number | undefined;
  /** Shards that take no more records. */
  readonly closed: ClosedShards;
}

export interface ProgressBook {
  /** The watermark once this range has landed; `adopt` is called when it has. */
  after(facts: ProgressFacts): { readonly watermarkMs: number | undefined; adopt(): void };
}

interface Known {
  readonly highMs: number | undefined;
  readonly lastRecordMs: number;
}

export function progressBook(options: ProgressOptions): ProgressBook {
  const { clock, allowedLatenessMs, idleAfterMs } = options;
  const believed = believedTime(clock);
  const watchedSinceMs = believed().nowMs;
  let known: ReadonlyMap<ShardIndex, Known> = new Map();

  return {
    after({ range, from, ends, eventHighMs, previousMs, closed }) {
      const { nowMs } = believed();
      const updated = new Map(known);
      // A shard that comes later, by a split or from another process, is not quiet because this one is old.
      const seenSinceMs = known.size === 0 ? watchedSinceMs : nowMs;
      const shards = [...ends].map(([shard, end]) => {
        const before = known.get(shard);
        const high = eventHighMs.get(shard);
        const highMs =
          high === undefined ? before?.highMs : Math.max(Math.min(high, nowMs), before?.highMs ?? -Infinity);
        const arrivalMs = high === undefined ? undefined : range.lastArrivalMs.get(shard);
        const lastRecordMs =
          arrivalMs === undefined ? (before?.lastRecordMs ?? seenSinceMs) : Math.min(arrivalMs, nowMs);
        updated.set(shard, { highMs, lastRecordMs });
        const readToEnd = (range.ranges.get(shard)?.to ?? from.get(shard) ?? 0) >= end;
        return { highMs, lastRecordMs, readToEnd, closed: closed.has(shard) };
      });
      const watermarkMs = nextWatermark({ shards, nowMs, idleAfterMs, allowedLatenessMs, previousMs });
      return {
        watermarkMs,
        adopt() {
          known = updated;
        },
      };
    },
  };
}
