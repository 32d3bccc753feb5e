/**
 * Shapes of the control API's answers that are not ports' shapes, as clients read them. The front door writes them, the command
 * line reads them; a test that runs every command against a real server holds the two together.
 */
import type { DeliveryStatus } from '../ports/deliveries.ts';
import type { KnownProcess } from '../ports/processes.ts';

import type { RejectedRow } from '../model/data-file.ts';

export type { AppliedChange, ApplyAnswer, FieldChange } from '../model/applied-change.ts';
export type { DataFile } from '../model/data-file.ts';
export type { Completeness, DeliveryStatus, Page, ReplayReport, SweepReport } from '../ports/deliveries.ts';
export type { KnownProcess } from '../ports/processes.ts';
export type { CompactionPlan, CompactionRun, CompactionStatus } from '../ports/compactions.ts';
export type {
  CareReport,
  CareRun,
  CheckReport,
  EraseReport,
  ExpireReport,
  LakeFinding,
  RepairReport,
} from '../ports/lake-care.ts';
export type { LifecycleChange, LifecyclePlan, ReportRow, RestoreReport } from '../ports/lake-desk.ts';

export interface StreamView {
  readonly name: string;
  readonly id: string;
  readonly createdMs: number;
  readonly retentionHours: number;
  /** Whether its shards are being changed. */
  readonly updating: boolean;
  readonly shards: readonly {
    readonly id: string;
    readonly startingHashKey: string;
    readonly endingHashKey: string;
    readonly parents: readonly string[];
    readonly closed: boolean;
  }[];
  /** Kept now. */
  readonly records: number;
  readonly bytes: number;
}

export interface ServerStatus {
  readonly version: string;
  readonly startedMs: number;
  readonly nodeVersion: string;
  readonly dataFolder: string;
  readonly lake: string;
  readonly guarantee: 'exactly-once' | 'at-least-once';
  readonly roles: readonly string[];
  readonly streams: readonly StreamView[];
  readonly deliveries: readonly DeliveryStatus[];
  /** This one first; absent for a process that is alone. */
  readonly processes?: readonly KnownProcess[];
  readonly disk: { readonly freeBytes: number; readonly reserveBytes: number };
  readonly memoryBytes: number;
}

export interface PutAnswer {
  readonly accepted: number;
  readonly failed: number;
  readonly records: readonly {
    readonly index: number;
    readonly shard?: string;
    readonly sequenceNumber?: string;
    readonly code?: string;
    readonly reason?: string;
  }[];
}

/** A rejected row, with the JSON of one in Avro whose schema is registered. */
export type ShownRow = RejectedRow & { readonly schemaId?: number; readonly json?: string };

export interface TailAnswer {
  readonly records: readonly {
    readonly shard: string;
    readonly sequenceNumber: string;
    readonly partitionKey: string;
    readonly arrival: string;
    readonly data?: string;
    readonly dataBase64?: string;
    /** Of a record in Avro whose schema is registered. */
    readonly schemaId?: number;
    readonly json?: string;
  }[];
  readonly cursor: string;
}

export interface SubjectAnswer {
  readonly subject: string;
  readonly compatibility: string;
  readonly versions: readonly {
    readonly version: number;
    readonly id: number;
    readonly createdMs: number;
    readonly deleted: boolean;
  }[];
}

export interface SchemaAnswer {
  readonly subject: string;
  readonly version: number;
  readonly id: number;
  readonly compatibility: string;
  readonly schema: unknown;
}

export interface SchemaProblem {
  readonly kind: string;
  readonly path: string;
  readonly reason: string;
  readonly version?: number;
}

export interface DifferenceAnswer {
  readonly from: number;
  readonly to: number;
  readonly changes: readonly {
    readonly path: string;
    readonly change: string;
    readonly from?: string;
    readonly to?: string;
  }[];
  readonly backward: readonly SchemaProblem[];
  readonly forward: readonly SchemaProblem[];
}
