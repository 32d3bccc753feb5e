/**
 * What a front door may ask of the delivery stage. The stage implements it, `ingest/http` serves it, `app/` joins the two: stages
 * do not import each other.
 */
import type { DataFile, RejectCount, RejectedRow } from '../model/data-file.ts';
import type { DeliverySpec, DeliveryState, DeliveryTrouble, FollowedSubject } from '../model/delivery.ts';
import type { CallOptions } from './call-options.ts';

/** Rejected rows by reason, most frequent first. */
export interface RejectStatus {
  /** Set aside and not replayed since. */
  readonly openRows: number;
  readonly replayedRows: number;
  /** Counted only. */
  readonly skippedRows: number;
  /** Over the delivery's life. */
  readonly groups: readonly {
    readonly code: RejectCount['code'];
    readonly column?: string;
    readonly rejected: number;
    readonly skipped: number;
    readonly replayed: number;
  }[];
  /** In the newest landings, of `rows` rows in all. */
  readonly lately: {
    readonly landings: number;
    readonly sinceMs?: number;
    readonly rows: number;
    readonly groups: readonly RejectCount[];
  };
}

export interface DeliveryStatus {
  readonly spec: DeliverySpec;
  readonly owner: 'file' | 'api';
  readonly state: DeliveryState;
  readonly trouble?: DeliveryTrouble;
  /** Landed so far, over the delivery's life. */
  readonly rows: number;
  readonly files: number;
  readonly bytes: number;
  /** Set aside in files so far, whatever became of them since. */
  readonly rejectedRows: number;
  readonly rejects: RejectStatus;
  readonly extraRows: number;
  /** Rows that landed in a partition after it was closed. */
  readonly lateRows: number;
  /** Of these, those that are held: no reader sees them yet. `sinceMs`: when the oldest landed. Absent when there are none. */
  readonly held?: { readonly rows: number; readonly files: number; readonly bytes: number; readonly sinceMs: number };
  /** Rows that the transform's filter left out. */
  readonly filteredRows: number;
  /** Records that did not land because a row with their event id had. */
  readonly duplicateRows: number;
  /** Rows that landed without an event id although duplicates are dropped. */
  readonly unkeyedRows: number;
  /** What is remembered to drop duplicates. `cut`: ids within the window were forgotten for want of room. */
  readonly dedupe?: { readonly knownIds: number; readonly cut: boolean };
  /** Offsets that retention or damage took before they were landed. */
  readonly lostOffsets: number;
  /** Of `rows`, those that are not in the lake any more: their partition's time was over, somebody asked, or gave up what was lost. */
  readonly expiredRows: number;
  readonly erasedRows: number;
  readonly lostRows: number;
  /** Number of the newest entry of the landing log. */
  readonly entry: number;
  readonly lastLandedMs?: number;
  readonly watermarkMs?: number;
  readonly pending: { readonly records: number; readonly bytes: number; readonly oldestArrivalMs?: number };
  readonly planVersion: number;
  /**
   * Of a delivery that notifies: landings whose notices wait for the receiver, since when, and why. Absent also when the lake cannot tell
   * now.
   */
  readonly notices?: { readonly pending: number; readonly oldestMs?: number; readonly trouble?: DeliveryTrouble };
  /** How far a delivery whose schema is a subject has followed it; absent before its first landing. */
  readonly follows?: FollowedSubject;
  /**
   * In the answer of `create` alone: a delivery of this name read this stream before, so landing goes on behind the newest entry of its
   * landing log, and the specification's `start` has no effect.
   */
  readonly continues?: { readonly entry: number };
}

/** A staged file that no entry of the landing log names. */
export interface StrayStage {
  readonly path: string;
  readonly bytes: number;
  readonly modifiedMs: number;
  /** Of the landing that left it behind. */
  readonly nonce: string;
  /** An entry condemns the nonce already; otherwise the sweep makes one. */
  readonly condemned: boolean;
}
export interface SweepReport {
  /** What was removed, or, of a dry run, what would be. */
  readonly files: readonly StrayStage[];
  /** There is more than one sweep takes. */
  readonly more: boolean;
  /** Younger stages are left alone: a landing may be under way. */
  readonly olderThanMs: number;
}

export interface ReplayReport {
  readonly dryRun: boolean;
  /** Rows that fit now and landed (or would), … */
  readonly replayedRows: number;
  /** … by the reason they were rejected for. */
  readonly replayed: readonly RejectCount[];
  /** Rows that stay rejected, … */
  readonly failedRows: number;
  /** … by the reason they do not fit today. */
  readonly failed: readonly (RejectCount & {
    readonly example: { readonly shard: number; readonly offset: number; readonly reason: string };
  })[];
  /** There is more to replay: ask again with it as `after`. */
  readonly next?: string;
}

/** A delivery that is made (no `before`), changed, or removed (no `after`). */
export interface DeliveryChange {
  readonly name: string;
  readonly before?: DeliverySpec;
  readonly after?: DeliverySpec;
}

export interface ApplyOptions extends CallOptions {
  /** Only tells what would change. */
  readonly dryRun: boolean;
  /** Removes deliveries that are not named, but for those that a server's file declares. */
  readonly prune: boolean;
  /** Streams that do not exist yet and will. */
  readonly streamsToMake: readonly string[];
}

export interface Page<T> {
  readonly items: readonly T[];
  /** Pass as `after` for the next page; absent on the last. */
  readonly next?: string;
}
export interface PageOptions extends CallOptions {
  readonly after?: string;
  readonly limit?: number;
}

/** A span of time in the lake: either the folders of a partition, or some of its first, or an hour like 2026-01-31T10. */
export interface CompletenessQuery {
  readonly partition?: string | undefined;
  readonly hour?: string | undefined;
}

export interface Completeness {
  readonly delivery: string;
  /** The watermark has passed its end: rows that come now are late. */
  readonly complete: boolean;
  /** When its time ends, epoch ms, exclusive. */
  readonly endsAtMs: number;
  readonly watermarkMs?: number;
  /** In it now, late ones too. */
  readonly rows: number;
  readonly files: number;
  readonly bytes: number;
  /** Rows for it that are held and not among these. Absent when there are none. */
  readonly heldRows?: number;
  /** Number of the newest entry of the landing log. */
  readonly entry: number;
  /** Why it cannot become complete as things are, in words; present of what is not complete and does not go on by itself. */
  readonly blocked?: { readonly by: 'paused' | 'suspended' | 'nothing-landed'; readonly message: string };
}

export interface Deliveries {
  /** A specification as a user writes it (JSON or YAML, durations and sizes as text allowed) to a whole one. Throws `argument-invalid`, `layout-invalid`, `schema-invalid`, naming every problem. */
  parse(input: unknown): DeliverySpec;
  /** Throws `delivery-exists`, `stream-not-found`. Running when it resolves. */
  create(spec: DeliverySpec, options?: CallOptions): Promise<DeliveryStatus>;
  /**
   * Takes over what may change while running (flush, lateness, format, layout, schema: rows landed later follow the new). Throws `delivery-not-found`,
   * `owned-by-file`, and `argument-invalid` for stream, prefix, start.
   */
  update(spec: DeliverySpec, options?: CallOptions): Promise<DeliveryStatus>;
  /**
   * Makes and changes deliveries to these, as users write them, all in one change of the catalog or none. Tells what changed. Throws what
   * `parse`, `create` and `update` throw, the problems of all together.
   */
  apply(specs: readonly unknown[], options: ApplyOptions): Promise<readonly DeliveryChange[]>;
  /** Stops and forgets the delivery; landed files stay. Throws `delivery-not-found`, `owned-by-file`. */
  remove(name: string, options?: CallOptions): Promise<void>;
  /** All, by name, or the one named (`delivery-not-found`). */
  status(name?: string): Promise<readonly DeliveryStatus[]>;
  /** Lands what was in the stream at the call and releases late rows that are held; resolves when all is visible. Throws the delivery's trouble when it has one. */
  flush(name: string, options?: CallOptions): Promise<DeliveryStatus>;
  /** Throws `delivery-not-found`, `owned-by-file` is not thrown: pausing is an operator's act. Survives restarts. Resuming clears a suspension. */
  setPaused(name: string, paused: boolean, options?: CallOptions): Promise<DeliveryStatus>;
  /** Live files of the lake in path order, as the landing log knows them. `prefix` narrows by path. */
  files(name: string, options?: PageOptions & { readonly prefix?: string }): Promise<Page<DataFile>>;
  /**
   * Answers when the span is complete, when it cannot become so as things are (unless `anyway`), or when `waitMs` are over. Throws
   * `argument-invalid` for a span the layout does not have.
   */
  completeness(
    name: string,
    query: CompletenessQuery,
    options?: CallOptions & { readonly waitMs?: number; readonly anyway?: boolean },
  ): Promise<Completeness>;
  /** Removes stray stages, which upkeep does too in its time; a dry run only looks. */
  sweep(name: string, options: CallOptions & { readonly dryRun: boolean }): Promise<SweepReport>;
  /**
   * Runs rejected rows through the converter again, as they are or edited, and lands what fits now: once, whoever else replays them.
   * `request` as a client writes it: `code`, `column`, `from`, `until` choose, `edits` ({shard, offset, data: base64}) names rows and
   * their bytes, `dryRun` lands nothing, `after` goes on behind a report's `next`. Throws `argument-invalid`, `delivery-not-found`.
   */
  replay(name: string, request: unknown, options?: CallOptions): Promise<ReplayReport>;
  /** Rejected rows that were not replayed, oldest first. */
  rejected(name: string, options?: PageOptions): Promise<Page<RejectedRow>>;
}
