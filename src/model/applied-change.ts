/** What an apply changed, or would change: one stream or delivery each, field by field. */

export interface FieldChange {
  /** `flush.bytes`. */
  readonly path: string;
  /** Absent for a field that was not there. */
  readonly before?: unknown;
  /** Absent for a field that goes. */
  readonly after?: unknown;
}

export interface AppliedChange {
  readonly kind: 'stream' | 'delivery';
  readonly name: string;
  readonly change: 'add' | 'change' | 'remove';
  /** Of one that is removed nothing is told. */
  readonly fields: readonly FieldChange[];
}

export interface ApplyAnswer {
  readonly dryRun: boolean;
  readonly changes: readonly AppliedChange[];
}
