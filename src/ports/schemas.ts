/**
 * The registry of Avro schemas: subjects with versions, and ids that records carry. Reading answers at once from the newest catalog
 * this process knows; changes are durable when they resolve.
 */
import type { CompatibilityMode, SchemaText, SubjectVersion } from '../model/schema.ts';
import type { CallOptions } from './call-options.ts';

export interface RegisteredSchema extends SubjectVersion {
  readonly subject: string;
  /** JSON text of the Avro schema. */
  readonly text: string;
}

export interface SubjectView {
  readonly subject: string;
  /** Ascending; deleted ones only when asked for. */
  readonly versions: readonly RegisteredSchema[];
}

/** Why records of one schema cannot be read with another. */
export interface Incompatibility {
  /** Stable, as Avro names them: `READER_FIELD_MISSING_DEFAULT_VALUE`, `TYPE_MISMATCH`, … */
  readonly kind: string;
  /** Of the field at fault, `a.b[].c`; empty for the schema itself. */
  readonly path: string;
  readonly reason: string;
  /** The version that does not fit. */
  readonly version: number;
}

export interface CompatibilityAnswer {
  readonly compatible: boolean;
  readonly mode: CompatibilityMode;
  readonly problems: readonly Incompatibility[];
}

export interface SchemaChoice {
  /** Counts schemas as the same that differ in their way of writing only: names, order of attributes. */
  readonly normalize?: boolean;
  /** Takes deleted versions for present. */
  readonly deleted?: boolean;
}

export interface Schemas {
  /** By name. One without versions is left out unless deleted ones are asked for. */
  subjects(options?: { readonly deleted?: boolean }): readonly SubjectView[];
  /** Throws `subject-not-found`, `schema-not-found`. */
  get(subject: string, version: number | 'latest', options?: { readonly deleted?: boolean }): RegisteredSchema;
  /** The text of an id and the versions that name it; undefined for an id that was never given. */
  byId(id: number): { readonly text: string; readonly named: readonly RegisteredSchema[] } | undefined;
  /** Every schema that ever got an id, ascending: what a decoder of records needs. */
  all(): readonly SchemaText[];
  /** The version of the subject that is this schema. Throws `schema-invalid`, `subject-not-found`, `schema-not-found`. */
  lookup(subject: string, schema: unknown, choice?: SchemaChoice): RegisteredSchema;
  /**
   * A new version, or the one that is this schema already. Throws `argument-invalid` (the subject's name), `schema-invalid`,
   * `schema-incompatible` with the problems in `details.problems`, `registry-full`.
   */
  register(subject: string, schema: unknown, options?: SchemaChoice & CallOptions): Promise<RegisteredSchema>;
  /**
   * What `register` would say: against the versions that the mode of the subject asks for, or against the one named. Throws
   * `schema-invalid`, `schema-not-found` for a version that is not there. A subject without versions takes everything.
   */
  check(subject: string, schema: unknown, version?: number | 'latest'): CompatibilityAnswer;
  /**
   * Hides a version, or all; `permanent` removes what was hidden before. Ids stay. Gives the versions it took. Throws `subject-not-found`,
   * `schema-not-found`, `schema-deleted`, `schema-not-deleted`.
   */
  remove(
    subject: string,
    version: number | 'latest' | 'all',
    options?: { readonly permanent?: boolean } & CallOptions,
  ): Promise<readonly number[]>;
  /** Asks for what other processes registered; see `Catalog.refresh`. */
  refresh(options?: CallOptions): Promise<void>;
  /** The mode in force for a subject, or the default of all. */
  mode(subject?: string): CompatibilityMode;
  /** The mode that was set for this subject alone. */
  subjectMode(subject: string): CompatibilityMode | undefined;
  /** Sets the mode of a subject or the default; undefined gives it up again. */
  setMode(mode: CompatibilityMode | undefined, subject?: string, options?: CallOptions): Promise<void>;
}
