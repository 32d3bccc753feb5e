/**
 * Delivery specifications: from what a user writes (JSON or YAML; sizes and durations as text) to a whole one with every default
 * in place. All problems are reported at once. A whole specification is itself accepted and parses to itself, so that a client can
 * read one, change a field and send it back.
 */
import type { TimeForm } from '../model/column-plan.ts';
import type {
  Compression,
  DataFormat,
  DedupeRule,
  DeliverySpec,
  EventTime,
  FlushRule,
  SchemaSource,
} from '../model/delivery.ts';
import type { StartPosition } from '../model/delivery.ts';
import { CODECS } from '../model/delivery.ts';
import { landingPaths } from '../landing/paths.ts';
import { LAKE_PATH_BYTES_MAX, lakePath } from '../model/lake-path.ts';
import { GIB, LIMITS, MIB } from '../model/limits.ts';
import type { LakeOffers } from '../model/object-settings.ts';
import { isName } from '../model/stream.ts';
import { parseBytes, parseDurationMs } from '../model/units.ts';
import { compileLayout } from '../partition/layout.ts';
import { parseTemplate, pathBytesMax } from '../partition/template.ts';
import { planFromAvro } from '../schema/avro-plan.ts';
import { dataFileName, extensionOf } from './file-name.ts';
import { encryptedExtension } from './object-settings.ts';
import { readObjectKeys } from './object-spec.ts';
import { readCompaction } from './spec-compaction.ts';
import { readLate } from './spec-late.ts';
import { readNotify } from './spec-notify.ts';
import { readParquet } from './spec-parquet.ts';
import { readRetention } from './spec-retention.ts';
import { readTransform } from './spec-transform.ts';
import type { QuantityRule, SpecReader } from './spec-fields.ts';
import { isObject, specReader } from './spec-fields.ts';
import { readRejects } from './spec-rejects.ts';

const DAY_MS = 86_400_000;
const SEPARATOR_BYTES_MAX = 64;
/** As file names have them at their longest. */
const WIDEST_NONCE = '0'.repeat(32);
const WIDEST_NUMBER = 9_999_999;

export const SPEC_DEFAULTS = {
  layout: 'year={yyyy}/month={MM}/day={dd}/hour={HH}/',
  format: 'parquet',
  allowedLatenessMs: 600_000,
  flush: { bytes: 64 * MIB, ageMs: 60_000, records: 1_000_000 },
} as const;

// biome-ignore format: one line a concern
const KEYS = [
  'name', 'stream', 'prefix', 'layout', 'eventTime', 'eventFuture', 'eventFutureMs', 'allowedLateness',
  'allowedLatenessMs', 'format', 'compression', 'parquet', 'separator', 'formulaGuard', 'schema', 'evolve', 'transform', 'dedupe',
  'flush', 'rejects',
  'start',
  'compaction', 'late', 'retention', 'retentionMs', 'notify',
  'object', 'lifecycle',
];
const NAME = { accepted: `1-${LIMITS.nameCharsMax} of A-Z a-z 0-9 _ . -`, test: isName };
/** Names are folders and begin file names: some are the product's own, and readers skip those that begin with `_` or `.`. */
const OWN_NAME = {
  accepted: `${NAME.accepted}, not beginning with _ or . and not lake.json`,
  test: (text: string) => isName(text) && !/^[_.]|^lake\.json$/i.test(text),
};
const PREFIX_ACCEPTED = 'folders joined by /, none of them empty or starting with _ or .';
const FORMATS = Object.keys(CODECS) as DataFormat[];
const FORMS: readonly TimeForm[] = ['iso', 's', 'ms', 'us'];
const EVENT_TIME_ACCEPTED = `'arrival', a field name, or {field, form: ${FORMS.join('|')}}`;
const DEDUPE_ACCEPTED = "'none', or {key: a field name, window: 1s to 31d (default 24h)}";
const START_ACCEPTED = "'earliest', 'latest', or an ISO-8601 time with a zone like 2026-01-31T10:00:00Z";
const ISO_TIME = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:\d\d))?$/;

const FLUSH = {
  bytes: { min: 1, max: GIB, accepted: '1B to 1GiB', parse: parseBytes },
  ageMs: { min: 100, max: DAY_MS, accepted: '100ms to 24h', parse: parseDurationMs },
  records: { min: 1, max: 100_000_000, accepted: '1 to 100000000' },
} as const satisfies Record<keyof FlushRule, QuantityRule>;
const WINDOW: QuantityRule = {
  min: LIMITS.dedupeWindowMsMin,
  max: LIMITS.dedupeWindowMsMax,
  accepted: '1s to 31d',
  parse: parseDurationMs,
};
const BOUND: QuantityRule = { min: 0, max: 366 * DAY_MS, accepted: '0s to 366d', parse: parseDurationMs };

/** `offers`: what is refused beside, because the lake cannot do it. Throws `argument-invalid`, `layout-invalid` or `schema-invalid` with `details.problems`: path, value, accepted. */
export function parseDeliverySpec(input: unknown, offers?: LakeOffers): DeliverySpec {
  const read = specReader();
  const whole = read.object('', input, KEYS);
  if (whole === undefined) read.finish('the delivery');
  const given = whole ?? {};
  const name = read.text('name', given['name'], OWN_NAME);
  const stream = read.text('stream', given['stream'], NAME);
  const layout = readLayout(read, given['layout'] ?? SPEC_DEFAULTS.layout);
  const format = read.choice('format', given['format'] ?? SPEC_DEFAULTS.format, {
    accepted: FORMATS,
    standIn: SPEC_DEFAULTS.format,
  });
  const spec: DeliverySpec = {
    name,
    stream,
    prefix: readPrefix(read, given['prefix'] ?? name),
    layout,
    eventTime: readEventTime(read, given['eventTime'] ?? 'arrival'),
    eventFutureMs: readDuration(read, given, { key: 'eventFuture', fallbackMs: LIMITS.eventFutureMsDefault }),
    allowedLatenessMs: readDuration(read, given, {
      key: 'allowedLateness',
      fallbackMs: SPEC_DEFAULTS.allowedLatenessMs,
    }),
    format,
    compression: readCompression(read, format, given['compression']),
    ...readParquet(read, format, given['parquet']),
    ...readFormatOptions(read, format, given),
    schema: readSchema(read, given['schema'] ?? 'auto'),
    ...readEvolve(read, format, given),
    ...readDedupe(read, given['dedupe'] ?? 'none'),
    flush: readFlush(read, given['flush'] ?? {}),
    ...readTransform(read, format, given['transform']),
    ...(given['rejects'] === undefined ? {} : { rejects: readRejects(read, given['rejects']) }),
    start: readStart(read, given['start'] ?? 'earliest'),
    ...readCompaction(read, format, given['compaction']),
    ...readLate(read, { format, layout }, given['late']),
    ...readRetention(read, layout, given['retention'] ?? given['retentionMs']),
    ...readNotify(read, { stream, layout }, given['notify']),
    ...readObjectKeys(read, given, { ground: { name, stream, layout }, offers }),
  };
  requireRoom(read, spec);
  read.finish(name === '' ? 'the delivery' : `delivery '${name}'`);
  return spec;
}

function readPrefix(read: SpecReader, value: unknown): string {
  // A bad name was told already; its stand-in is no prefix.
  if (value === '') return '';
  const text = typeof value === 'string' ? value.replace(/\/$/, '') : value;
  if (typeof text !== 'string' || /(?:^|\/)[_.]/.test(text)) {
    return read.fault({ path: 'prefix', value, accepted: PREFIX_ACCEPTED }, '');
  }
  return read.checked('prefix', value, () => lakePath(text)) ?? '';
}

/** The longest path a file of this delivery can get must be one the lake takes, or landing would fail for ever. */
function requireRoom(read: SpecReader, spec: DeliverySpec): void {
  const { name, prefix, layout, format, compression } = spec;
  const parts = { delivery: name, firstArrivalMs: 0, nonce: WIDEST_NONCE };
  const file = dataFileName(parts, WIDEST_NUMBER, `${extensionOf(format, compression)}${encryptedExtension(spec)}`);
  const folderBytes = new TextEncoder().encode(prefix).length + 1 + pathBytesMax(parseTemplate(layout));
  const hiddenBytes = spec.late === undefined ? 0 : landingPaths(`${name}/${WIDEST_NONCE}----`).held.length;
  const roomBytes = LAKE_PATH_BYTES_MAX - file.length - hiddenBytes;
  if (folderBytes <= roomBytes) return;
  const accepted = `prefix and layout of at most ${roomBytes} bytes together`;
  const reason = `with the layout, whose fields take up to ${LIMITS.partitionValueBytesMax} bytes each, folders may take ${folderBytes} bytes; at most ${roomBytes} leave room for file names`;
  read.fault({ path: 'prefix', value: prefix, accepted, reason }, undefined);
}

function readLayout(read: SpecReader, value: unknown): string {
  if (typeof value !== 'string') return read.fault({ path: 'layout', value, accepted: 'a partition template' }, '');
  return read.checked('layout', value, () => compileLayout(value).template) ?? '';
}

function readEventTime(read: SpecReader, value: unknown): EventTime {
  if (value === 'arrival') return { from: 'arrival' };
  if (isField(value)) return { from: 'field', field: value, form: 'iso' };
  const standIn: EventTime = { from: 'arrival' };
  if (!isObject(value)) return read.fault({ path: 'eventTime', value, accepted: EVENT_TIME_ACCEPTED }, standIn);
  const given = read.object('eventTime', value, ['from', 'field', 'form']) ?? {};
  if (given['from'] === 'arrival' && given['field'] === undefined) return standIn;
  const field = given['field'];
  const form = read.choice('eventTime.form', given['form'] ?? 'iso', { accepted: FORMS, standIn: 'iso' });
  if (isField(field)) return { from: 'field', field, form };
  return read.fault({ path: 'eventTime.field', value: field, accepted: 'a field name, a.b for nested ones' }, standIn);
}

function isField(value: unknown): value is string {
  return typeof value === 'string' && value.length <= 256 && !value.split('.').includes('');
}

function readDuration(
  read: SpecReader,
  given: Readonly<Record<string, unknown>>,
  { key, fallbackMs }: { key: string; fallbackMs: number },
): number {
  const exact = given[`${key}Ms`];
  if (given[key] !== undefined && exact !== undefined) {
    return read.fault({ path: `${key}Ms`, value: exact, accepted: `either ${key} or ${key}Ms` }, fallbackMs);
  }
  return read.quantity(key, given[key] ?? exact ?? fallbackMs, BOUND);
}

function readCompression(read: SpecReader, format: DataFormat, value: unknown): Compression {
  const accepted = CODECS[format];
  const standIn = accepted[0] ?? 'none';
  return read.choice('compression', value ?? standIn, { accepted, standIn });
}

/** What only one format takes. */
function readFormatOptions(
  read: SpecReader,
  format: DataFormat,
  given: Readonly<Record<string, unknown>>,
): Pick<DeliverySpec, 'separator' | 'formulaGuard'> {
  const { separator, formulaGuard, schema } = given;
  if (format === 'raw' && schema !== undefined && schema !== 'auto') {
    read.fault(
      { path: 'schema', value: schema, accepted: 'no schema with format raw, which has no columns' },
      undefined,
    );
  }
  const isSeparator = typeof separator === 'string' && Buffer.byteLength(separator) <= SEPARATOR_BYTES_MAX;
  if (separator !== undefined && !(format === 'raw' && isSeparator)) {
    const accepted = `a text of up to ${SEPARATOR_BYTES_MAX} bytes, with format raw`;
    read.fault({ path: 'separator', value: separator, accepted }, undefined);
  }
  if (formulaGuard !== undefined && formulaGuard !== false && !(format === 'csv' && formulaGuard === true)) {
    read.fault({ path: 'formulaGuard', value: formulaGuard, accepted: 'true or false, with format csv' }, undefined);
  }
  return {
    ...(typeof separator === 'string' && separator !== '' ? { separator } : {}),
    ...(formulaGuard === true ? { formulaGuard } : {}),
  };
}

function readSchema(read: SpecReader, value: unknown): SchemaSource {
  if (value === 'auto') return 'auto';
  const given = isObject(value) ? read.object('schema', value, ['avro', 'subject', 'version']) : undefined;
  const avro = given?.['avro'];
  if (given?.['subject'] !== undefined && avro === undefined) return readSubject(read, given);
  if (avro === undefined || given?.['version'] !== undefined) {
    const accepted = "'auto', {avro: an Avro record schema} or {subject, version: 'latest' or a number}";
    return read.fault({ path: 'schema', value, accepted }, 'auto');
  }
  read.checked('schema.avro', avro, () => planFromAvro(avro));
  return { avro };
}

/** Only inferred columns grow by themselves; a schema changes when somebody changes it. */
function readEvolve(
  read: SpecReader,
  format: DataFormat,
  { evolve = 'none', schema = 'auto' }: Readonly<Record<string, unknown>>,
): Pick<DeliverySpec, 'evolve'> {
  if (evolve === 'none') return {};
  if (evolve === 'add' && schema === 'auto' && format !== 'raw') return { evolve };
  return read.fault({ path: 'evolve', value: evolve, accepted: 'none; or add, with schema auto' }, {});
}

function readDedupe(read: SpecReader, value: unknown): { readonly dedupe?: DedupeRule } {
  if (value === 'none') return {};
  const given = isObject(value) ? read.object('dedupe', value, ['key', 'window', 'windowMs']) : undefined;
  if (given === undefined) return read.fault({ path: 'dedupe', value, accepted: DEDUPE_ACCEPTED }, {});
  const key = given['key'];
  const window = given['window'] ?? given['windowMs'] ?? LIMITS.dedupeWindowMsDefault;
  const windowMs = read.quantity('dedupe.window', window, WINDOW);
  if (isField(key)) return { dedupe: { key, windowMs } };
  return read.fault({ path: 'dedupe.key', value: key, accepted: 'a field name, a.b for nested ones' }, {});
}

function readSubject(read: SpecReader, given: Readonly<Record<string, unknown>>): SchemaSource {
  const { version = 'latest' } = given;
  const subject = read.text('schema.subject', given['subject'], {
    accepted: `1-${LIMITS.subjectCharsMax} characters`,
    test: (text) => text !== '' && text.length <= LIMITS.subjectCharsMax,
  });
  if (version === 'latest') return { subject, version };
  const rule = { min: 1, max: Number.MAX_SAFE_INTEGER, accepted: "'latest' or a whole number from 1" };
  return { subject, version: read.quantity('schema.version', version, rule) };
}

function readFlush(read: SpecReader, value: unknown): FlushRule {
  const given = read.object('flush', value, ['bytes', 'age', 'ageMs', 'records']) ?? {};
  const { bytes, ageMs, records } = SPEC_DEFAULTS.flush;
  return {
    bytes: read.quantity('flush.bytes', given['bytes'] ?? bytes, FLUSH.bytes),
    ageMs: read.quantity('flush.age', given['age'] ?? given['ageMs'] ?? ageMs, FLUSH.ageMs),
    records: read.quantity('flush.records', given['records'] ?? records, FLUSH.records),
  };
}

function readStart(read: SpecReader, value: unknown): StartPosition {
  if (value === 'earliest' || value === 'latest') return value;
  const atMs = typeof value === 'string' && ISO_TIME.test(value) ? Date.parse(value) : undefined;
  const exact = isObject(value) ? value['atMs'] : undefined;
  const time = atMs ?? exact;
  if (typeof time === 'number' && Number.isSafeInteger(time) && time >= 0) return { atMs: time };
  return read.fault({ path: 'start', value, accepted: START_ACCEPTED }, 'earliest');
}
