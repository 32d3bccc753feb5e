/**
 * Event-time progress of a delivery. The watermark is the time before which no more rows are expected: the least, over shards that
 * are not idle, of the highest min(event time, arrival) landed, less the allowed lateness. Taking the arrival when it is lower
 * keeps one fast clock from closing hours; letting idle shards follow the clock keeps one silent shard from freezing them. Pure.
 */
import type { TimeUnit } from '../partition/layout.ts';

export interface ShardProgress {
  /** Highest min(event time, arrival) of the landed rows, epoch ms; undefined before the first. */
  readonly highMs: number | undefined;
  /** Everything in the shard has landed. */
  readonly readToEnd: boolean;
  /** It takes no more records. */
  readonly closed?: boolean;
  /** Arrival of its newest landed record that was no reject, or when this process began to watch it, epoch ms. */
  readonly lastRecordMs: number;
}

export interface WatermarkFacts {
  readonly shards: Iterable<ShardProgress>;
  readonly nowMs: number;
  /** A shard that is read to its end and quiet for this long is idle. */
  readonly idleAfterMs: number;
  readonly allowedLatenessMs: number;
  /** What earlier entries said; a watermark never goes back. */
  readonly previousMs: number | undefined;
}

export function nextWatermark(facts: WatermarkFacts): number | undefined {
  let lowest = facts.nowMs;
  for (const shard of facts.shards) {
    const idle = shard.readToEnd && (shard.closed === true || facts.nowMs - shard.lastRecordMs >= facts.idleAfterMs);
    if (idle) continue;
    if (shard.highMs === undefined) return facts.previousMs;
    lowest = Math.min(lowest, shard.highMs);
  }
  const watermark = lowest - facts.allowedLatenessMs;
  return Math.max(watermark, facts.previousMs ?? watermark);
}

const UNITS: readonly TimeUnit[] = ['yyyy', 'MM', 'dd', 'HH', 'mm'];

/**
 * The unit of time a partition of this layout stands for: the finest, when all coarser ones are there too. A layout without the year,
 * say, has partitions that come again and never close.
 */
export function closingUnit(units: readonly TimeUnit[]): TimeUnit | undefined {
  return units.every((unit, i) => unit === UNITS[i]) ? units.at(-1) : undefined;
}

/** Rows of files whose partition had ended at or before the watermark when they landed. Partitions without time never end. */
export function countLateRows(
  files: readonly { readonly rows: number; readonly eventMaxMs: number }[],
  finest: TimeUnit | undefined,
  watermarkMs: number | undefined,
): number {
  if (finest === undefined || watermarkMs === undefined) return 0;
  let rows = 0;
  for (const file of files) if (unitEndMs(file.eventMaxMs, finest) <= watermarkMs) rows += file.rows;
  return rows;
}

/** End (exclusive) of the year, month, day, hour or minute a time lies in, UTC, epoch ms. */
export function unitEndMs(timeMs: number, unit: TimeUnit): number {
  const time = new Date(timeMs);
  const year = time.getUTCFullYear();
  switch (unit) {
    case 'yyyy':
      return Date.UTC(year + 1, 0);
    case 'MM':
      return Date.UTC(year, time.getUTCMonth() + 1);
    case 'dd':
      return Date.UTC(year, time.getUTCMonth(), time.getUTCDate() + 1);
    case 'HH':
      return (Math.floor(timeMs / 3_600_000) + 1) * 3_600_000;
    default:
      return (Math.floor(timeMs / 60_000) + 1) * 60_000;
  }
}
