/**
 * What a catalog document must look like. Checked before a change is written and again when bytes are read, so that neither
 * a faulty caller nor a hand-edited file can put a broken shard map in front of the broker. Gives the first complaint, with
 * the path of the value, or undefined. Extra keys pass: a newer version may have written them.
 */
import type { SchemaDocument } from '../model/schema.ts';
import { COMPATIBILITY_MODES } from '../model/schema.ts';
import type { CatalogEdit, CatalogKind } from '../ports/catalog.ts';

type Shape = (value: unknown, path: string) => string | undefined;
type Fields = Readonly<Record<string, Shape>>;

const text: Shape = (value, path) => (typeof value === 'string' ? undefined : `${path} is no text`);
const flag: Shape = (value, path) => (typeof value === 'boolean' ? undefined : `${path} is no boolean`);
const count: Shape = (value, path) =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? undefined : `${path} is no whole number`;
const decimal: Shape = (value, path) =>
  typeof value === 'string' && /^\d{1,39}$/.test(value) ? undefined : `${path} is no decimal hash key`;
const present: Shape = (value, path) => (value === undefined || value === null ? `${path} is missing` : undefined);

const oneOf =
  (...accepted: readonly string[]): Shape =>
  (value, path) =>
    accepted.includes(value as string) ? undefined : `${path} is none of ${accepted.join(', ')}`;

const optional =
  (shape: Shape): Shape =>
  (value, path) =>
    value === undefined ? undefined : shape(value, path);

const list =
  (shape: Shape): Shape =>
  (value, path) =>
    Array.isArray(value) ? first(value.map((item, i) => shape(item, `${path}[${i}]`))) : `${path} is no list`;

const object =
  (fields: Fields): Shape =>
  (value, path) =>
    isObject(value)
      ? first(Object.entries(fields).map(([key, shape]) => shape(value[key], `${path}.${key}`)))
      : `${path} is no object`;

const shard = object({
  index: count,
  startingHashKey: decimal,
  endingHashKey: decimal,
  createdMs: count,
  parents: list(count),
  closedMs: optional(count),
  closedEnd: optional(count),
});

const reshard = object({
  target: list(decimal),
  parents: list(count),
  children: list(object({ startingHashKey: decimal, endingHashKey: decimal, parents: list(count) })),
  unused: optional(flag),
});

const topic = object({ name: text, id: text, adopted: optional(flag) });

const spec = object({
  name: text,
  stream: text,
  prefix: text,
  layout: text,
  eventTime: object({ from: oneOf('arrival', 'field') }),
  eventFutureMs: count,
  allowedLatenessMs: count,
  format: text,
  compression: text,
  schema: present,
  flush: object({ bytes: count, ageMs: count, records: count }),
  start: present,
});

const column = object({ name: text, type: object({ kind: text }), nullable: flag });

const compatibility = oneOf(...COMPATIBILITY_MODES);
const SCHEMA_DOCUMENTS: Readonly<Record<SchemaDocument['is'], Shape>> = {
  schema: object({ id: count, text, fingerprint: text, createdMs: count }),
  subject: object({
    subject: text,
    versions: list(object({ version: count, id: count, createdMs: count, deleted: optional(flag) })),
    nextVersion: count,
    compatibility: optional(compatibility),
  }),
  settings: object({ compatibility }),
};

const schema: Shape = (value, path) =>
  object({ is: oneOf(...Object.keys(SCHEMA_DOCUMENTS)) })(value, path) ??
  SCHEMA_DOCUMENTS[(value as SchemaDocument).is](value, path);

const DOCUMENTS: Readonly<Record<CatalogKind, Shape>> = {
  stream: object({
    name: text,
    id: text,
    topic: optional(topic),
    createdMs: count,
    retentionMs: count,
    shards: list(shard),
    reshard: optional(reshard),
  }),
  deletion: object({ id: text, name: text, deletedMs: count }),
  delivery: object({ spec, owner: oneOf('file', 'api'), createdMs: count, paused: flag }),
  plan: object({
    delivery: text,
    plan: object({ version: count, columns: list(column), misfit: oneOf('reject', 'extra') }),
    follows: optional(
      object({ subject: text, version: present, through: count, refused: list(object({ reason: text })) }),
    ),
    createdMs: count,
  }),
  schema,
};

/** The first thing wrong with an edit, at `path`. */
export function editComplaint(value: unknown, path: string): string | undefined {
  const head = object({ kind: oneOf(...Object.keys(DOCUMENTS)), key: text })(value, path);
  if (head !== undefined) return head;
  const edit = value as CatalogEdit;
  return optional(DOCUMENTS[edit.kind])(edit.document, `${path}.document`);
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function isCount(value: unknown): value is number {
  return count(value, '') === undefined;
}

function first(complaints: readonly (string | undefined)[]): string | undefined {
  return complaints.find((complaint) => complaint !== undefined);
}
