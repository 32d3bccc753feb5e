/**
 * What a front door may ask about the care of a delivery's files: rows that are to leave, and whether lake and landing log say the same.
 * Each is a run: begun by one call, looked at by others, since a lake may be large. `compaction/` implements it, `app/` joins it.
 */
import type { CallOptions } from './call-options.ts';

/** Removes what is older than that. */
export interface ExpireOrder {
  readonly kind: 'expire';
  /** Absent: the delivery's retention. */
  readonly olderThanMs?: number;
  readonly dryRun: boolean;
}
export type CareOrder = ExpireOrder;

export interface ExpireReport {
  readonly kind: 'expire';
  readonly dryRun: boolean;
  /** Partitions that ended by then are over, epoch ms. */
  readonly cutMs: number;
  readonly partitions: number;
  readonly files: number;
  readonly rows: number;
  readonly bytes: number;
  readonly rejectedFiles: number;
  readonly rejectedRows: number;
  readonly markers: number;
  /** Taken by another process at the same time, or more than one run takes: the next run looks again. */
  readonly left: number;
}
export type CareReport = ExpireReport;

export interface CareRun {
  readonly id: string;
  readonly delivery: string;
  readonly kind: CareOrder['kind'];
  readonly startedMs: number;
  /** Present while it is under way. */
  readonly running?: { readonly share: number; readonly text: string };
  readonly outcome?: 'done' | 'cancelled' | 'failed';
  /** Why it failed. */
  readonly error?: { readonly code: string; readonly message: string };
  readonly report?: CareReport;
}

export interface LakeCare {
  /** Throws `delivery-not-found`, `argument-invalid`, `care-running` while another run of the delivery is under way in this process. */
  begin(delivery: string, order: CareOrder, options?: CallOptions): Promise<CareRun>;
  /** The newest run of the delivery in this process. Throws `not-found` when there is none. */
  look(delivery: string): CareRun;
  /** Ends the run under way after it has left everything whole. */
  cancel(delivery: string): Promise<CareRun>;
}
