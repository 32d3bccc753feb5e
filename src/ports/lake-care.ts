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
/** Removes the rows that hold one of the values in a field. */
export interface EraseOrder {
  readonly kind: 'erase';
  /** As files name it; `a.b` reaches into objects. */
  readonly field: string;
  readonly values: readonly string[];
  /** Who asked, for the record. */
  readonly by: string;
  readonly dryRun: boolean;
}
/** Compares lake and landing log. */
export interface CheckOrder {
  readonly kind: 'check';
  /** Reads every file. */
  readonly deep: boolean;
}
/** Makes lost files anew from the stream. */
export interface RepairOrder {
  readonly kind: 'repair';
  /** Also removes strays that nobody changed for so long; absent: none. */
  readonly straysOlderThanMs?: number;
  /** Lost files that are given up where they cannot be made anew. `by`: who decided so, for the record. */
  readonly acceptLoss?: { readonly paths: readonly string[]; readonly by: string };
  readonly dryRun: boolean;
}
export interface AcceptedLoss {
  readonly paths: readonly string[];
  readonly rows: number;
  readonly rejectedRows: number;
  /** Landed so lately that they may still come: not given up before 15 minutes are over. */
  readonly waitingFiles: number;
  /** Where the record lies in the lake. */
  readonly audit?: string;
}
export type CareOrder = ExpireOrder | EraseOrder | CheckOrder | RepairOrder;

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

export interface EraseReport {
  readonly kind: 'erase';
  readonly dryRun: boolean;
  readonly field: string;
  /** How many were looked for. */
  readonly values: number;
  readonly searchedFiles: number;
  readonly searchedRows: number;
  /** Not read: their statistics leave no room for the values. */
  readonly prunedFiles: number;
  /** Not searched: of format raw, where nobody knows where a row ends. */
  readonly rawFiles: number;
  /** Files that have a place for the field; 0 tells of a mistyped name. */
  readonly fieldFiles: number;
  readonly matchedFiles: number;
  readonly matchedRows: number;
  readonly rewrittenFiles: number;
  /** With nothing left in them. */
  readonly removedFiles: number;
  readonly rejectedFiles: number;
  readonly rejectedRows: number;
  /** Rejected rows that are no JSON, so that nobody can tell whose they are; they stay. */
  readonly unreadableRejects: number;
  /** Replaced files that would have stayed for readers of a list. */
  readonly hastenedFiles: number;
  /** Landed so lately that a copy may be under way: to be erased by another run, 15 minutes later. */
  readonly waitingFiles: number;
  readonly waitingRows: number;
  /** Named by the landing log, and not in the lake. */
  readonly missingFiles: number;
  /** The last pass over all files after all was done; `found`: rows that wait. Absent of a dry run. */
  readonly proof?: { readonly files: number; readonly rows: number; readonly found: number };
  /** Where the record lies in the lake. */
  readonly audit?: string;
}

/**
 * lost: the log names it, the lake has it not. size, content: it is not what landed. stray: it lies where the delivery's files lie, and no log
 * names it.
 */
export interface LakeFinding {
  readonly problem: 'lost' | 'size' | 'content' | 'stray';
  readonly path: string;
  /** What there is instead. */
  readonly found?: string;
  /** As the log has it. */
  readonly rows?: number;
  readonly bytes: number;
  /** Of a stray. */
  readonly modifiedMs?: number;
}

export interface CheckReport {
  readonly kind: 'check';
  readonly deep: boolean;
  /** Live, as the landing log has them; rows of both kinds of files. */
  readonly files: number;
  readonly rejectedFiles: number;
  readonly rows: number;
  readonly bytes: number;
  /** Files that are gone as old as the delivery's lifecycle lets them become: no finding. */
  readonly expiredByBucket: number;
  /** The first of many. */
  readonly findings: readonly LakeFinding[];
  readonly findingsInAll: number;
}

/** Paths are the first of many. */
export interface RepairReport {
  readonly kind: 'repair';
  readonly dryRun: boolean;
  /** Given up; of a dry run, what would be if it cannot be made anew. Absent unless that was asked for. */
  readonly accepted?: AcceptedLoss;
  /** Lost, not made anew and not given up: for want of the records, of the entry that landed them, or because it is a dry run. */
  readonly lost: readonly string[];
  readonly lostFiles: number;
  /** Lost, and there again under other names. */
  readonly rebuilt: readonly string[];
  readonly rebuiltFiles: number;
  /** Removed, or, of a dry run, to be removed. */
  readonly strays: readonly string[];
  readonly strayFiles: number;
  /** Other findings of a check, left as they are. */
  readonly left: number;
}
export type CareReport = ExpireReport | EraseReport | CheckReport | RepairReport;

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
