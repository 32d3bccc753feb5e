/**
 * What a front door may ask of compaction. `compaction/` implements it, `ingest/http` serves it, `app/` joins the two. Each method throws
 * `delivery-not-found`, and `argument-invalid` for a delivery without a rule.
 */
import type { CompactionRule } from '../model/delivery.ts';
import type { CallOptions } from './call-options.ts';

/** Files of one partition that become one. */
export interface PlannedGroup {
  readonly partition: string;
  readonly files: number;
  readonly bytes: number;
}

export interface CompactionPlan {
  readonly delivery: string;
  /** Live files now, and when all of this is done; one file a group. */
  readonly filesBefore: number;
  readonly filesAfter: number;
  /** Of live files. */
  readonly bytes: number;
  /** Of the files that would be written anew. */
  readonly rewrittenBytes: number;
  /** Oldest first; the first of many. */
  readonly groups: readonly PlannedGroup[];
  /** All of them, in this run and later ones. */
  readonly groupsInAll: number;
  /** Taken by one run. */
  readonly groupsInRun: number;
}

export interface CompactionRun {
  readonly startedMs: number;
  readonly tookMs: number;
  /** cancelled: by an operator, or because the server stopped; what was merged stays merged. */
  readonly outcome: 'done' | 'cancelled' | 'failed';
  /** Why it failed, or the first group that did. */
  readonly reason?: string;
  readonly groups: number;
  /** Left as they were: their files did not let themselves be merged. */
  readonly groupsFailed: number;
  readonly filesBefore: number;
  readonly filesAfter: number;
  readonly bytesBefore: number;
  readonly bytesAfter: number;
  readonly rows: number;
}

export interface CompactionStatus {
  readonly delivery: string;
  readonly rule: CompactionRule;
  /** Present while a run is under way, in whatever process. */
  readonly running?: { readonly share: number; readonly text: string };
  /** The newest run, in whatever process it was. */
  readonly last?: CompactionRun;
}

export interface Compactions {
  /** What a run would do now; changes nothing. */
  plan(delivery: string, options?: CallOptions): Promise<CompactionPlan>;
  /** Begins a run, whatever the time of day; `status` tells how far it is. */
  run(delivery: string): Promise<CompactionStatus>;
  status(delivery: string): Promise<CompactionStatus>;
  /** Ends the run under way after it has left everything whole. */
  cancel(delivery: string): Promise<CompactionStatus>;
}
