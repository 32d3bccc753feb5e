/**
 * A stream that falls silent still lets time pass: when its shards are read to their ends and quiet, an entry without rows moves the watermark on,
 * so that the last hour, and hours without rows, become complete. At most one for each hour, or for what the layout has instead.
 */
import type { DeliverySpec } from '../model/delivery.ts';
import type { Positions } from '../model/stream.ts';
import { compileLayout } from '../partition/layout.ts';
import type { CallOptions } from '../ports/call-options.ts';
import { closedShards } from './closed-shards.ts';
import type { OpenLog } from './log-holder.ts';
import { wholeStream } from './others-ends.ts';
import type { RangeOutcome } from './range-reader.ts';
import type { DeliveryRoom } from './room.ts';
import type { ProgressBook } from './shard-progress.ts';
import { closingUnit, unitEndMs } from './watermark.ts';

export interface PassingTime extends OpenLog {
  readonly room: DeliveryRoom;
  readonly spec: DeliverySpec;
  readonly progress: ProgressBook;
  /** Of the shards this process lands. */
  readonly positions: Positions;
}

const NO_RANGE: RangeOutcome = {
  ranges: new Map(),
  gaps: [],
  records: 0,
  bytes: 0,
  firstArrivalMs: undefined,
  lastArrivalMs: new Map(),
};

/** Throws what the broker and the log throw. */
export async function passTime(at: PassingTime, call?: CallOptions): Promise<void> {
  const { room, spec, log, stream, progress, positions: from } = at;
  const unit = closingUnit(compileLayout(spec.layout).units);
  const { watermarkMs: previousMs, planVersion } = log.view();
  if (unit === undefined || previousMs === undefined) return;
  const endMs = unitEndMs(previousMs, unit === 'mm' ? 'HH' : unit);
  if (room.clock.nowMs() - spec.allowedLatenessMs < endMs) return;
  const now = { minBytes: 1, minRecords: 1, waitMs: 0, signal: call?.signal };
  const pending = from.size === 0 ? undefined : await room.broker.pending(stream.id, from, now);
  if (pending !== undefined && pending.records > 0) return;
  const closed = closedShards(room.catalog.read(), stream);
  const ends: Positions = pending?.ends ?? new Map();
  const whole = await wholeStream({ room, stream, log, progress }, { from, ends, closed }, call ?? {});
  const eventHighMs = new Map();
  const { watermarkMs } = progress.after({ ...whole, range: NO_RANGE, eventHighMs, previousMs, closed });
  if (watermarkMs === undefined || watermarkMs < endMs) return;
  const nothing = { files: [], rejected: [], extraRows: 0, lateRows: 0 };
  await log.commit({ nonce: log.nonce(), ranges: new Map(), planVersion, ...nothing, watermarkMs }, call);
}
