/** The metrics of the delivery stage, each under the delivery's name. Lost offsets are the alarm: they are gone for good. */
import type { RejectCount } from '../model/data-file.ts';
import type { FlushReason } from '../model/delivery.ts';
import type { Telemetry } from '../ports/telemetry.ts';

export type LandingOutcome = 'committed' | 'superseded' | 'failed';

export interface LandedFacts {
  readonly reason: FlushReason;
  readonly rows: number;
  readonly files: number;
  readonly bytes: number;
  readonly filteredRows: number;
  readonly extraRows: number;
  readonly lateRows: number;
  readonly stragglers: number;
  readonly duplicateRows: number;
  readonly unkeyedRows: number;
  readonly rejects: readonly RejectCount[];
  /** Rejected rows that are kept nowhere. */
  readonly skips: readonly RejectCount[];
  /** From the first arrival to being visible. */
  readonly lagMs: number;
}

export interface HeldFacts {
  readonly files: number;
  readonly rows: number;
  readonly bytes: number;
  readonly oldestMs: number;
}

export interface DeliveryMetrics {
  landed(facts: LandedFacts): void;
  replayed(facts: {
    readonly rows: number;
    readonly replayed: number;
    readonly files: number;
    readonly bytes: number;
  }): void;
  landing(outcome: LandingOutcome, durationMs: number): void;
  lost(offsets: number): void;
  /** What is remembered to drop duplicates; `cut`: not the whole window, for want of room. */
  known(facts: { readonly keys: number; readonly cut: boolean }): void;
  pending(facts: { readonly records: number; readonly bytes: number; readonly oldestMs: number }): void;
  /** Late rows that no reader sees yet. */
  held(facts: HeldFacts): void;
  /** What was told of partitions, and tries that failed. */
  notices(outcome: 'sent' | 'dropped' | 'failed', count: number): void;
  noticesPending(landings: number): void;
  /** Whether the delivery works: 0 while it retries or is suspended. */
  working(works: boolean): void;
}

const SECONDS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300];

// biome-ignore format: one line a metric
export function deliveryMetrics(telemetry: Telemetry, delivery: string): DeliveryMetrics {
  const labels = ['delivery'];
  const name = (rest: string): string => `lakeward_delivery_${rest}`;
  const rows = telemetry.counter({ name: name('rows_total'), help: 'Rows landed.', labels });
  const bytes = telemetry.counter({ name: name('bytes_total'), help: 'Bytes of data files landed.', labels });
  const files = telemetry.counter({ name: name('files_total'), help: 'Data files landed, by why they were closed.', labels: ['delivery', 'reason'] });
  const rejected = telemetry.counter({ name: name('rejected_rows_total'), help: 'Rows set aside, by reason.', labels: ['delivery', 'code', 'column'] });
  const skipped = telemetry.counter({ name: name('skipped_rows_total'), help: 'Rejected rows that were only counted, by reason.', labels: ['delivery', 'code', 'column'] });
  const replayed = telemetry.counter({ name: name('replayed_rows_total'), help: 'Rejected rows that have landed by a replay.', labels });
  const filtered = telemetry.counter({ name: name('filtered_rows_total'), help: 'Rows that the filter of a transform left out.', labels });
  const extra = telemetry.counter({ name: name('extra_rows_total'), help: 'Rows with keys or values outside their columns.', labels });
  const late = telemetry.counter({ name: name('late_rows_total'), help: 'Rows landed in a partition after it was closed.', labels });
  const straggling = telemetry.counter({ name: name('stragglers_total'), help: 'Records stored in a shard by a process that was frozen while the shard was closed.', labels });
  const duplicate = telemetry.counter({ name: name('duplicate_rows_total'), help: 'Records dropped because a row with their event id had landed.', labels });
  const unkeyed = telemetry.counter({ name: name('unkeyed_rows_total'), help: 'Rows landed without an event id although duplicates are dropped.', labels });
  const lost = telemetry.counter({ name: name('lost_offsets_total'), help: 'Offsets that retention or damage took before they landed: at most this many records.', labels });
  const landings = telemetry.counter({ name: name('landings_total'), help: 'Landings, by outcome.', labels: ['delivery', 'outcome'] });
  const duration = telemetry.histogram({ name: name('landing_seconds'), help: 'Duration of a landing.', labels, buckets: SECONDS });
  const lag = telemetry.gauge({ name: name('lag_seconds'), help: 'From the first arrival of the last landing to its being visible.', labels });
  const pendingRecords = telemetry.gauge({ name: name('pending_records'), help: 'Records waiting in the stream.', labels });
  const pendingBytes = telemetry.gauge({ name: name('pending_bytes'), help: 'Bytes waiting in the stream.', labels });
  const oldest = telemetry.gauge({ name: name('oldest_pending_seconds'), help: 'Age of the oldest waiting record.', labels });
  const heldRows = telemetry.gauge({ name: name('held_rows'), help: 'Late rows that are held: landed, and shown to no reader yet.', labels });
  const heldBytes = telemetry.gauge({ name: name('held_bytes'), help: 'Bytes of files of late rows that are held.', labels });
  const oldestHeld = telemetry.gauge({ name: name('oldest_held_seconds'), help: 'How long the oldest late row is held.', labels });
  const knownIds = telemetry.gauge({ name: name('known_ids'), help: 'Event ids remembered to drop duplicates.', labels });
  const idsCut = telemetry.gauge({ name: name('known_ids_cut'), help: '1 while event ids within the window are forgotten for want of room.', labels });
  const working = telemetry.gauge({ name: name('working'), help: '0 while the delivery retries or is suspended.', labels });
  const notices = telemetry.counter({ name: name('notices_total'), help: 'Notices of complete and reopened partitions that were sent, or dropped after a week, and tries that failed, by outcome.', labels: ['delivery', 'outcome'] });
  const noticesPending = telemetry.gauge({ name: name('notices_pending'), help: 'Landings whose notices wait for their receiver.', labels });
  // There from the start: nobody sees an increase in a series that begins with it.
  lost.add(0, { delivery });

  return {
    landed(facts) {
      rows.add(facts.rows, { delivery });
      bytes.add(facts.bytes, { delivery });
      if (facts.files > 0) files.add(facts.files, { delivery, reason: facts.reason });
      for (const { rows: n, code, column = '' } of facts.rejects) rejected.add(n, { delivery, code, column });
      for (const { rows: n, code, column = '' } of facts.skips) skipped.add(n, { delivery, code, column });
      filtered.add(facts.filteredRows, { delivery });
      extra.add(facts.extraRows, { delivery });
      late.add(facts.lateRows, { delivery });
      straggling.add(facts.stragglers, { delivery });
      duplicate.add(facts.duplicateRows, { delivery });
      unkeyed.add(facts.unkeyedRows, { delivery });
      lag.set(facts.lagMs / 1000, { delivery });
    },
    replayed(facts) {
      rows.add(facts.rows, { delivery });
      bytes.add(facts.bytes, { delivery });
      if (facts.files > 0) files.add(facts.files, { delivery, reason: 'replay' });
      replayed.add(facts.replayed, { delivery });
    },
    landing(outcome, durationMs) {
      landings.add(1, { delivery, outcome });
      if (outcome === 'committed') duration.observe(durationMs / 1000, { delivery });
    },
    lost: (offsets) => lost.add(offsets, { delivery }),
    known(facts) {
      knownIds.set(facts.keys, { delivery });
      idsCut.set(facts.cut ? 1 : 0, { delivery });
    },
    pending(facts) {
      pendingRecords.set(facts.records, { delivery });
      pendingBytes.set(facts.bytes, { delivery });
      oldest.set(facts.oldestMs / 1000, { delivery });
    },
    held(facts) {
      heldRows.set(facts.rows, { delivery });
      heldBytes.set(facts.bytes, { delivery });
      oldestHeld.set(facts.oldestMs / 1000, { delivery });
    },
    notices: (outcome, count) => notices.add(count, { delivery, outcome }),
    noticesPending: (landings) => noticesPending.set(landings, { delivery }),
    working: (works) => working.set(works ? 1 : 0, { delivery }),
  };
}
