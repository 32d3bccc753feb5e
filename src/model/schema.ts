/**
 * Registered Avro schemas as the catalog keeps them. A schema has one id for ever, whatever subjects name it: records carry ids, so
 * neither an id nor its text is ever given up or given anew. A subject is a list of versions, each naming an id.
 */
export const COMPATIBILITY_MODES = [
  'none',
  'backward',
  'backward_transitive',
  'forward',
  'forward_transitive',
  'full',
  'full_transitive',
] as const;

/**
 * What a new version owes to those before it. backward: it reads records of the newest version; forward: the newest version reads
 * its records; full: both; transitive: towards every version, not the newest alone.
 */
export type CompatibilityMode = (typeof COMPATIBILITY_MODES)[number];

export const COMPATIBILITY_DEFAULT: CompatibilityMode = 'backward';

export interface SubjectVersion {
  /** From 1, ascending; never given twice while the subject exists. */
  readonly version: number;
  readonly id: number;
  readonly createdMs: number;
  /** Hidden, but its number stays taken until it is deleted for good. */
  readonly deleted?: boolean;
}

export interface SchemaText {
  readonly is: 'schema';
  readonly id: number;
  /** JSON text of the Avro schema. */
  readonly text: string;
  /** CRC-64-AVRO, 16 hex digits, as single-object encoding carries it. */
  readonly fingerprint: string;
  readonly createdMs: number;
}

export interface SubjectDocument {
  readonly is: 'subject';
  readonly subject: string;
  /** Ascending; deleted ones among them. */
  readonly versions: readonly SubjectVersion[];
  readonly nextVersion: number;
  /** Absent: the default of the registry. */
  readonly compatibility?: CompatibilityMode;
}

export interface SchemaSettings {
  readonly is: 'settings';
  readonly compatibility: CompatibilityMode;
}

/** By key: `id/<id>`, `subject/<subject>`, `settings`. */
export type SchemaDocument = SchemaText | SubjectDocument | SchemaSettings;
