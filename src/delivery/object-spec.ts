/**
 * The keys `object` and `lifecycle` of a specification: what S3 would refuse for every single file is refused here, once, with its
 * reason, as is what the lake of this server cannot do. Widths are those of the widest file the delivery can make.
 */
import {
  CANNED_ACLS,
  ENCRYPTIONS,
  type LakeOffers,
  type LifecycleStep,
  type ObjectEncryption,
  type ObjectSettings,
  STORAGE_CLASSES,
  type StorageClass,
} from '../model/object-settings.ts';
import { parseDurationMs } from '../model/units.ts';
import { parseTemplate, pathBytesMax } from '../partition/template.ts';
import { type FieldValues, headerText, OBJECT_FIELDS, tagText, unknownFields } from './object-settings.ts';
import { isObject, type SpecReader } from './spec-fields.ts';

const OBJECT_KEYS = ['storageClass', 'tags', 'metadata', 'encryption', 'acl', 'bucketOwner'];
const TAGS_MAX = 10;
const TAG_KEY = /^(?!aws:)[\p{L}\p{Z}\p{N}_.:/=+\-@]{1,128}$/u;
const TAG_KEY_ACCEPTED = '1-128 letters, digits, spaces and _ . : / = + - @, not beginning with aws:';
const TAG_CHARS_MAX = 256;
const TAG_VALUE = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]{0,256}$/u;
const METADATA_KEY = /^[a-z0-9][a-z0-9_.-]{0,127}$/;
const METADATA_BYTES_MAX = 2048;
const NUMBER_WIDEST = '9'.repeat(12);
const FIELDS_TOLD = OBJECT_FIELDS.map((name) => `{${name}}`).join(' ');
const DAY_MS = 86_400_000;
const DAYS_MAX = 36_500;

/** What of the specification the widest texts depend on. */
export interface ObjectGround {
  readonly name: string;
  readonly stream: string;
  readonly layout: string;
}

export function readObjectKeys(
  read: SpecReader,
  given: Readonly<Record<string, unknown>>,
  { ground, offers }: { readonly ground: ObjectGround; readonly offers: LakeOffers | undefined },
): { readonly object?: ObjectSettings; readonly lifecycle?: readonly LifecycleStep[] } {
  const object = given['object'] === undefined ? undefined : readObject(read, given['object'], ground);
  const lifecycle =
    given['lifecycle'] === undefined ? undefined : readLifecycle(read, given['lifecycle'], object?.storageClass);
  if (offers !== undefined && object !== undefined) checkOffers(read, object, offers);
  if (offers?.kind === 'folder' && lifecycle !== undefined) onlyOnS3(read, 'lifecycle', given['lifecycle']);
  return { ...(object !== undefined && { object }), ...(lifecycle !== undefined && { lifecycle }) };
}

function readObject(read: SpecReader, value: unknown, ground: ObjectGround): ObjectSettings | undefined {
  const given = read.object('object', value, OBJECT_KEYS);
  if (given === undefined) return undefined;
  const { storageClass, tags, metadata, encryption, acl, bucketOwner } = given;
  const widest = widestValues(ground);
  const owner = { accepted: 'the 12 digits of an account', test: (text: string) => /^\d{12}$/.test(text) };
  return {
    ...(storageClass !== undefined && {
      storageClass: read.choice('object.storageClass', storageClass, {
        accepted: STORAGE_CLASSES,
        standIn: 'STANDARD',
      }),
    }),
    ...(tags !== undefined && { tags: readTags(read, tags, widest) }),
    ...(metadata !== undefined && { metadata: readMetadata(read, metadata, widest) }),
    ...(encryption !== undefined && { encryption: readEncryption(read, encryption) }),
    ...(acl !== undefined && {
      acl: read.choice('object.acl', acl, { accepted: CANNED_ACLS, standIn: 'private' }),
    }),
    ...(bucketOwner !== undefined && { bucketOwner: read.text('object.bucketOwner', bucketOwner, owner) }),
  };
}

function readTags(read: SpecReader, value: unknown, widest: FieldValues): Record<string, string> {
  const tags = readTexts(read, 'object.tags', value);
  if (Object.keys(tags).length > TAGS_MAX) {
    read.fault({ path: 'object.tags', value, accepted: `at most ${TAGS_MAX} tags` }, undefined);
  }
  for (const [key, text] of Object.entries(tags)) {
    const path = `object.tags.${key}`;
    if (!TAG_KEY.test(key)) read.fault({ path, value: key, accepted: `a key of ${TAG_KEY_ACCEPTED}` }, undefined);
    const chars = tagText(text, widest).length;
    const accepted = `a text that takes at most ${TAG_CHARS_MAX} characters with its fields filled in`;
    if (chars > TAG_CHARS_MAX) read.fault({ path, value: text, accepted }, undefined);
  }
  return tags;
}

function readMetadata(read: SpecReader, value: unknown, widest: FieldValues): Record<string, string> {
  const metadata = readTexts(read, 'object.metadata', value);
  let bytes = 0;
  for (const [key, text] of Object.entries(metadata)) {
    const accepted = 'a key of 1-128 of a-z 0-9 _ . -, not beginning with a sign';
    if (!METADATA_KEY.test(key)) read.fault({ path: `object.metadata.${key}`, value: key, accepted }, undefined);
    bytes += key.length + headerText(text, widest).length;
  }
  if (bytes > METADATA_BYTES_MAX) {
    const accepted = `at most ${METADATA_BYTES_MAX} bytes of keys and texts with their fields filled in; these may take ${bytes}`;
    read.fault({ path: 'object.metadata', value, accepted }, undefined);
  }
  return metadata;
}

/** Key → text with known fields. */
function readTexts(read: SpecReader, path: string, value: unknown): Record<string, string> {
  if (!isObject(value)) return read.fault({ path, value, accepted: 'an object of texts' }, {});
  const texts: Record<string, string> = {};
  for (const [key, text] of Object.entries(value)) {
    const at = `${path}.${key}`;
    if (typeof text !== 'string') read.fault({ path: at, value: text, accepted: 'a text' }, undefined);
    else if (unknownFields(text).length > 0) {
      read.fault({ path: at, value: text, accepted: `a text with the fields ${FIELDS_TOLD}` }, undefined);
    } else texts[key] = text;
  }
  return texts;
}

function readEncryption(read: SpecReader, value: unknown): ObjectEncryption {
  const standIn: ObjectEncryption = { kind: 's3' };
  const path = 'object.encryption';
  if (value === 's3' || value === 'kms') return { kind: value };
  const accepted = `s3, kms, or {kind: ${ENCRYPTIONS.join('|')}, …}`;
  if (!isObject(value)) return read.fault({ path, value, accepted }, standIn);
  const kind = read.choice(`${path}.kind`, value['kind'], { accepted: ENCRYPTIONS, standIn: 's3' });
  const known = {
    s3: ['kind'],
    kms: ['kind', 'keyId', 'bucketKey'],
    customer: ['kind', 'key'],
    client: ['kind', 'key'],
  };
  read.object(path, value, known[kind]);
  if (kind === 's3') return standIn;
  const isText = { accepted: 'the id of a key', test: (text: string) => /^[!-~]{1,2048}$/.test(text) };
  if (kind !== 'kms') return { kind, key: read.text(`${path}.key`, value['key'], isText) };
  const { keyId, bucketKey } = value;
  if (bucketKey !== undefined && typeof bucketKey !== 'boolean') {
    read.fault({ path: `${path}.bucketKey`, value: bucketKey, accepted: 'true or false' }, undefined);
  }
  return {
    kind,
    ...(keyId !== undefined && { keyId: read.text(`${path}.keyId`, keyId, isText) }),
    ...(typeof bucketKey === 'boolean' && { bucketKey }),
  };
}

function readLifecycle(read: SpecReader, value: unknown, begins: StorageClass = 'STANDARD'): readonly LifecycleStep[] {
  if (!Array.isArray(value)) {
    return read.fault({ path: 'lifecycle', value, accepted: 'a list of {after, to} and {after, expire: true}' }, []);
  }
  const steps = value.map((step, i) => readStep(read, step, `lifecycle[${i}]`));
  for (const [i, step] of steps.entries()) {
    const group = steps.slice(0, i).filter((other) => sameTags(other, step));
    const reason = stepProblem(group.at(-1) ?? { afterDays: 0, to: begins }, step);
    if (reason === undefined) continue;
    read.fault({ path: `lifecycle[${i}]`, value: value[i] as unknown, accepted: reason }, undefined);
  }
  return steps;
}

function readStep(read: SpecReader, value: unknown, path: string): LifecycleStep {
  const given = read.object(path, value, ['after', 'afterDays', 'to', 'expire', 'tags']) ?? {};
  const accepted = `whole days from 1d to ${DAYS_MAX}d`;
  const days = { min: 1, max: DAYS_MAX, accepted, parse: (text: string) => (parseDurationMs(text) ?? 0) / DAY_MS };
  const afterDays = read.quantity(`${path}.after`, given['after'] ?? given['afterDays'], days);
  const tags = given['tags'] === undefined ? {} : { tags: readStepTags(read, given['tags'], `${path}.tags`) };
  if (given['expire'] === true && given['to'] === undefined) return { afterDays, ...tags, expire: true };
  if (given['expire'] !== undefined) {
    read.fault({ path: `${path}.expire`, value: given['expire'], accepted: 'true, without to' }, undefined);
  }
  const to = read.choice(`${path}.to`, given['to'], { accepted: STORAGE_CLASSES, standIn: 'GLACIER' });
  return { afterDays, ...tags, to };
}

/** As files carry them, so without fields; in one order, so that equal ones are equal as JSON. */
function readStepTags(read: SpecReader, value: unknown, path: string): Record<string, string> {
  const entries = isObject(value) ? Object.entries(value) : [];
  const sound = entries.filter(([key, text]) => TAG_KEY.test(key) && typeof text === 'string' && TAG_VALUE.test(text));
  if (entries.length > 0 && sound.length === entries.length) {
    return Object.fromEntries(sound.toSorted(([a], [b]) => (a < b ? -1 : 1))) as Record<string, string>;
  }
  return read.fault({ path, value, accepted: 'an object of tags with their values, without fields' }, {});
}

function sameTags(a: LifecycleStep, b: LifecycleStep): boolean {
  return JSON.stringify(a.tags) === JSON.stringify(b.tags);
}

/** S3 moves only downwards, each time later than the last, and to the infrequent-access classes after 30 days. */
function stepProblem(before: LifecycleStep, step: LifecycleStep): string | undefined {
  if ('expire' in before) return 'nothing behind expire';
  if (step.afterDays <= before.afterDays) return 'steps in the order of their days';
  if ('expire' in step) return undefined;
  if (step.to === 'STANDARD') return 'a class other than STANDARD, which every file may begin in';
  const infrequent = step.to === 'STANDARD_IA' || step.to === 'ONEZONE_IA';
  if (infrequent && step.afterDays < 30) return `${step.to} from 30d on, as S3 demands`;
  const apart = before.to === 'ONEZONE_IA' && step.to === 'GLACIER_IR';
  if (apart || DOWN.indexOf(step.to) <= DOWN.indexOf(before.to)) {
    return `a class that S3 moves files to from ${before.to}`;
  }
  const stay = before.to === 'STANDARD_IA' || before.to === 'ONEZONE_IA' ? 30 : 0;
  return step.afterDays - before.afterDays < stay ? `at least 30d after the step to ${before.to}` : undefined;
}

/** From warm to cold, as S3 allows transitions. */
const DOWN: readonly string[] = [
  'STANDARD',
  'STANDARD_IA',
  'INTELLIGENT_TIERING',
  'ONEZONE_IA',
  'GLACIER_IR',
  'GLACIER',
  'DEEP_ARCHIVE',
];

function checkOffers(read: SpecReader, object: ObjectSettings, offers: LakeOffers): void {
  const { encryption, ...rest } = object;
  if (offers.kind === 'folder') {
    for (const [key, value] of Object.entries(rest)) onlyOnS3(read, `object.${key}`, value);
    if (encryption !== undefined && encryption.kind !== 'client') {
      onlyOnS3(read, 'object.encryption', encryption.kind);
      return;
    }
  }
  if (encryption?.kind !== 'customer' && encryption?.kind !== 'client') return;
  const usable = offers.keys.filter(({ raw }) => raw || encryption.kind === 'client').map(({ id }) => id);
  if (encryption.key === '' || usable.includes(encryption.key)) return;
  const what = encryption.kind === 'customer' ? 'a key of lake.keys with a file or env' : 'a key of lake.keys';
  const accepted = usable.length === 0 ? `${what}, and there is none` : `${what}: ${usable.join(', ')}`;
  read.fault({ path: 'object.encryption.key', value: encryption.key, accepted }, undefined);
}

function onlyOnS3(read: SpecReader, path: string, value: unknown): void {
  read.fault({ path, value, accepted: 'only on a lake on S3; this one is a folder' }, undefined);
}

function widestValues({ name, stream, layout }: ObjectGround): FieldValues {
  return {
    delivery: name,
    stream,
    partition: 'w'.repeat(widestPartition(layout)),
    format: 'parquet',
    plan: NUMBER_WIDEST,
    rows: NUMBER_WIDEST,
  };
}

/** A layout that is none was told already. */
function widestPartition(layout: string): number {
  try {
    return pathBytesMax(parseTemplate(layout));
  } catch {
    return 0;
  }
}
