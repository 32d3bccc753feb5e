/**
 * Object settings of one file: the texts of the specification with their fields filled in. Pure. Rejected rows are encrypted, owned
 * and tagged as data is, and stay in the class that can be read at once.
 */
import type { ColumnStatistics } from '../model/data-file.ts';
import type { DeliverySpec } from '../model/delivery.ts';
import { ENCRYPTED_EXTENSION, type ObjectSettings } from '../model/object-settings.ts';

/** What a text may name. */
export const OBJECT_FIELDS = ['delivery', 'stream', 'partition', 'format', 'plan', 'rows'] as const;
export type ObjectField = (typeof OBJECT_FIELDS)[number];
export type FieldValues = Readonly<Record<ObjectField, string>>;

const FIELD = /\{([^{}]*)\}/g;
/** What a value of a tag may not hold. */
const NO_TAG = /[^\p{L}\p{Z}\p{N}_.:/=+\-@]/gu;
const NO_HEADER = /[^ -~]/gu;

export interface FileFacts {
  readonly kind: 'data' | 'rejected';
  readonly partition: string;
  readonly planVersion: number;
  readonly rows: number;
}

/** Undefined when the delivery has none. */
export function objectOf(spec: DeliverySpec, file: FileFacts): { readonly object?: ObjectSettings } {
  if (spec.object === undefined) return {};
  const { storageClass, tags, metadata, ...rest } = spec.object;
  const values: FieldValues = {
    delivery: spec.name,
    stream: spec.stream,
    partition: file.partition,
    format: file.kind === 'data' ? spec.format : 'ndjson',
    plan: String(file.planVersion),
    rows: String(file.rows),
  };
  return {
    object: {
      ...(storageClass !== undefined && file.kind === 'data' && { storageClass }),
      ...(tags !== undefined && { tags: mapped(tags, (text) => tagText(text, values)) }),
      ...(metadata !== undefined && { metadata: mapped(metadata, (text) => headerText(text, values)) }),
      ...rest,
    },
  };
}

/** What a file that no reader looks for has of them. */
export function hiddenObjectOf({ object }: Pick<DeliverySpec, 'object'>): { readonly object?: ObjectSettings } {
  if (object?.encryption === undefined && object?.bucketOwner === undefined) return {};
  const { encryption, bucketOwner } = object;
  return {
    object: { ...(encryption !== undefined && { encryption }), ...(bucketOwner !== undefined && { bucketOwner }) },
  };
}

/** The text with its fields in place; characters that a tag cannot hold become `_`. */
export function tagText(template: string, values: FieldValues): string {
  return filled(template, values).replaceAll(NO_TAG, '_');
}

/** The text with its fields in place; characters that a header cannot hold are percent-encoded. */
export function headerText(template: string, values: FieldValues): string {
  return filled(template, values).replaceAll(NO_HEADER, (char) => encodeURIComponent(char));
}

/** Names in braces that are no field. */
export function unknownFields(template: string): string[] {
  return [...template.matchAll(FIELD)]
    .map(([, name]) => name ?? '')
    .filter((name) => !OBJECT_FIELDS.some((known) => known === name));
}

export function encryptsItself(spec: Pick<DeliverySpec, 'object'>): boolean {
  return spec.object?.encryption?.kind === 'client';
}

/** What the name of a file of this delivery ends with, behind its usual extension. */
export function encryptedExtension(spec: Pick<DeliverySpec, 'object'>): string {
  return encryptsItself(spec) ? ENCRYPTED_EXTENSION : '';
}

/** What a landing log may tell of a file: of an encrypted one no values. */
export function shownFacts<T extends { readonly columns: readonly ColumnStatistics[] }>(
  spec: Pick<DeliverySpec, 'object'>,
  file: T,
): T {
  if (!encryptsItself(spec)) return file;
  return { ...file, columns: file.columns.map(({ min: _min, max: _max, ...rest }) => rest) };
}

function filled(template: string, values: FieldValues): string {
  return template.replaceAll(FIELD, (whole, name: string) => values[name as ObjectField] ?? whole);
}

function mapped(texts: Readonly<Record<string, string>>, change: (text: string) => string): Record<string, string> {
  return Object.fromEntries(Object.entries(texts).map(([key, text]) => [key, change(text)]));
}
