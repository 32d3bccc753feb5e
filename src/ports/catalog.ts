/**
 * What exists: streams, deliveries, column plans, schemas. One version number over everything; a change names the version it was made
 * on, so that several documents change together or not at all (a split is one change).
 */
import type { DeliveryDocument, PlanDocument } from '../model/delivery.ts';
import type { SchemaDocument } from '../model/schema.ts';
import type { DeletionDocument, StreamDocument } from '../model/stream.ts';
import type { CallOptions } from './call-options.ts';

export interface CatalogDocuments {
  /** By stream name. */
  readonly stream: StreamDocument;
  /** By stream id; there until the storage is gone. */
  readonly deletion: DeletionDocument;
  /** By delivery name. */
  readonly delivery: DeliveryDocument;
  /** By delivery name: the newest plan; earlier versions stay under `<delivery>@<version>`. */
  readonly plan: PlanDocument;
  /** `id/<id>`, `subject/<subject>`, `settings`. */
  readonly schema: SchemaDocument;
}
export type CatalogKind = keyof CatalogDocuments;

export interface CatalogState {
  /** 0 for an empty catalog; grows by one with every change. */
  readonly version: number;
  readonly stream: ReadonlyMap<string, StreamDocument>;
  readonly deletion: ReadonlyMap<string, DeletionDocument>;
  readonly delivery: ReadonlyMap<string, DeliveryDocument>;
  readonly plan: ReadonlyMap<string, PlanDocument>;
  readonly schema: ReadonlyMap<string, SchemaDocument>;
}

/** Sets one document, or removes it when `document` is absent. */
export type CatalogEdit = {
  readonly [K in CatalogKind]: { readonly kind: K; readonly key: string; readonly document?: CatalogDocuments[K] };
}[CatalogKind];

export interface Catalog {
  /** Loads the state. Idempotent. */
  open(options?: CallOptions): Promise<void>;

  /** The newest state known to this process; unchanging, cheap, at once. Every answered change of this process is in it. */
  read(): CatalogState;

  /**
   * Applies all edits as version `base + 1`, durable when it resolves, or throws `catalog-conflict` when the version has moved on
   * (`read()` then gives the newer state).
   */
  change(base: number, edits: readonly CatalogEdit[], options?: CallOptions): Promise<CatalogState>;

  /**
   * Changes what there is, whoever else does: `make` gives the edits for the newest state, and again when somebody else was faster. None
   * means nothing to do; it may throw to refuse. Gives the state after. Throws `catalog-conflict` when others are faster every time.
   */
  edit(make: (state: CatalogState) => readonly CatalogEdit[], options?: CallOptions): Promise<CatalogState>;

  /**
   * Asks now for changes of other processes: every change that was answered anywhere before the call is in `read()` when it resolves.
   * Throws `lake-unavailable`. Others' changes are seen without it too, within two seconds.
   */
  refresh(options?: CallOptions): Promise<void>;

  /**
   * When this copy was last known to be the newest, on the monotonic clock: what was answered anywhere before that is in `read()`.
   * Stands still while the store cannot be asked; always now where no other process can change the catalog.
   */
  confirmedMs(): number;

  /** Calls back after every change, own or others', with the new state, in order; never before the call returns. Gives the way to stop it. */
  watch(listener: (state: CatalogState) => void): () => void;

  close(): Promise<void>;
}
