/**
 * What a front door may ask about the files of the lake as a whole, beside the deliveries that fill it. `app/` makes it of the lake
 * and the catalog.
 */
import type { CallOptions } from './call-options.ts';

/** One rule for what becomes of objects with time. */
export interface LifecycleChange {
  readonly id: string;
  /** foreign: somebody else's, left as it is. */
  readonly change: 'add' | 'replace' | 'remove' | 'keep' | 'foreign';
  /** What it does, in words. */
  readonly rule: string;
  /** What a replaced one did. */
  readonly before?: string;
}

export interface LifecyclePlan {
  readonly changes: readonly LifecycleChange[];
  /** Rules of others that take what the product needs. */
  readonly warnings: readonly string[];
}

/** Files of one place, class and delivery, added up. */
export interface ReportRow {
  /** Folder in the lake, ends with a slash; empty for the top. */
  readonly prefix: string;
  /** Empty for what belongs to none. */
  readonly delivery: string;
  readonly kind: 'data' | 'rejected' | 'system' | 'other';
  readonly storageClass: string;
  readonly files: number;
  readonly bytes: number;
  readonly oldestMs: number;
  readonly newestMs: number;
  /** Of any of the files; absent where the store does not know. */
  readonly lastAccessMs?: number;
  /** A class or an act that would cost less, with why; empty when there is none. */
  readonly suggestion: string;
}

export interface RestoreOptions extends CallOptions {
  readonly prefix: string;
  readonly sinceMs: number;
  /** Says what would be done and does nothing. */
  readonly dryRun: boolean;
}

export interface RestoreReport {
  /** Paths that came back, or would. */
  readonly restored: readonly string[];
  /** Paths that stay deleted, with why. */
  readonly left: readonly { readonly path: string; readonly why: string }[];
  /** As many as one call takes were found; there may be more. */
  readonly more: boolean;
}

export interface LakeDesk {
  /** At most `length` bytes of a file from `offset`, decrypted when this product encrypted it. Throws `not-found`, `key-missing`, `encrypted-file-damaged`. */
  read(path: string, options: CallOptions & { readonly offset: number; readonly length: number }): Promise<Uint8Array>;
  /** A link that anybody may read the file with for a time. Throws `not-on-s3`, `not-found`. */
  url(path: string, options: CallOptions & { readonly expiresMs: number }): Promise<string>;
  /** What `applyLifecycle` would do. Throws `not-on-s3`, `lake-unsuitable` when the store has no such rules. */
  lifecycle(options?: CallOptions): Promise<LifecyclePlan>;
  /** Makes the rules of the bucket those of the deliveries, and gives what was done. */
  applyLifecycle(options?: CallOptions): Promise<LifecyclePlan>;
  /** Brings back files under a prefix that were deleted at `sinceMs` or later. Throws `not-on-s3`. */
  restore(options: RestoreOptions): Promise<RestoreReport>;
  /** Adds up every file of the lake by folder, `depth` levels below each delivery's. */
  report(options: CallOptions & { readonly depth: number }): Promise<readonly ReportRow[]>;
}
