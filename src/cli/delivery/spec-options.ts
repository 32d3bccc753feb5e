/**
 * The options that make up a delivery's specification, for `create` and `update`, in the form an operator writes: the server parses
 * and checks them, this file only gathers. What an update does not name stays as it is.
 */
import type { DeliverySpec } from '../../model/delivery.ts';
import { CODEC, COMPACT, DURATION, EVOLVE, FORMAT, ON_OFF, REJECT_MODE, SHARE, SIZE } from '../accepted.ts';
import type { Invocation, OptionSpec } from '../command.ts';
import { UsageError } from '../exit-code.ts';
import { jsonFile } from '../json-file.ts';

export type WrittenSpec = Readonly<Record<string, unknown>>;

export const CHANGEABLE_OPTIONS: Readonly<Record<string, OptionSpec>> = {
  layout: {
    value: 'template',
    about: 'folders, like year={yyyy}/month={MM}/day={dd}/hour={HH}/ (the default) or product_id={product_id}/',
  },
  'event-time': {
    value: 'field[:form]',
    about: 'field of the event time, form iso (default), s, ms or us; or arrival',
  },
  format: { value: 'format', about: 'parquet (default), csv, ndjson or raw (the bytes as they came)', accepts: FORMAT },
  compression: { value: 'codec', about: 'zstd, snappy, gzip (parquet); none, gzip, zstd (others)', accepts: CODEC },
  separator: { value: 'text', about: 'raw: put behind each record; newline, none (default) or a short text' },
  'formula-guard': {
    value: 'on|off',
    about: "csv: a leading ' disarms texts that spreadsheets would run as formulas (default off)",
    accepts: ON_OFF,
  },
  schema: {
    value: 'file',
    about: 'an Avro schema file, or subject:<name>[@version] of the registry; auto infers the columns (default)',
  },
  evolve: {
    value: 'none|add',
    about: 'schema auto: add makes columns of keys met often later on (default none)',
    accepts: EVOLVE,
  },
  dedupe: {
    value: 'field[:window]',
    about: 'field of the event id and how long it is remembered (default 24h); none lands every record (default)',
  },
  'flush-age': {
    value: 'duration',
    about: 'land when the oldest record waits this long (default 60s)',
    accepts: DURATION,
  },
  'flush-bytes': { value: 'size', about: 'land when this much waits (default 64MiB)', accepts: SIZE },
  'flush-records': { value: 'n', about: 'land when this many wait (default 1000000)' },
  rejects: {
    value: 'mode',
    about: 'rows that cannot land: reject sets them aside (default), suspend stops at the first, skip only counts them',
    accepts: REJECT_MODE,
  },
  'reject-budget': {
    value: 'share[:rows]',
    about: 'suspend when more than this share of so many rows in a row (default 1000) cannot land, like 0.05:1000',
    accepts: SHARE,
  },
  compact: {
    value: 'readers',
    about:
      'merge small files of past hours: listing, where readers list folders, manifest, where they go by the list of files, none (default)',
    accepts: COMPACT,
  },
  'hold-late': {
    value: 'duration|none',
    about:
      'keep late rows from readers for so long and show them merged, like 15m; none shows them when they land (default)',
  },
  retention: {
    value: 'duration|none',
    about: 'how long after its time a partition stays in the lake, like 400d; none for ever (default)',
  },
  notify: {
    value: 'url|stream|none',
    about: 'who is told of hours that are complete or reopened: an http(s) address, or a stream; none (default)',
  },
  'allowed-lateness': {
    value: 'duration',
    about: 'how long after an hour rows still count as on time (default 10m)',
    accepts: DURATION,
  },
  'event-future': {
    value: 'duration',
    about: 'event times later than arrival by more are rejected (default 24h)',
    accepts: DURATION,
  },
};

/** What the options say, in the written form; only what was given. */
export async function writtenOptions(call: Invocation): Promise<WrittenSpec> {
  const flush = present({
    bytes: call.option('flush-bytes'),
    age: call.option('flush-age'),
    records: call.number('flush-records', 1),
  });
  return present({
    layout: call.option('layout'),
    eventTime: eventTime(call.option('event-time')),
    format: call.option('format'),
    compression: call.option('compression'),
    separator: separator(call.option('separator')),
    formulaGuard: onOff(call.option('formula-guard')),
    schema: await schema(call.option('schema')),
    evolve: call.option('evolve'),
    dedupe: dedupe(call.option('dedupe')),
    flush: Object.keys(flush).length === 0 ? undefined : flush,
    rejects: rejects(call.option('rejects'), call.option('reject-budget')),
    compaction: compaction(call.option('compact')),
    late: late(call.option('hold-late')),
    retention: call.option('retention'),
    notify: notify(call.option('notify')),
    allowedLateness: call.option('allowed-lateness'),
    eventFuture: call.option('event-future'),
  });
}

function late(hold: string | undefined): unknown {
  return hold === undefined || hold === 'none' ? hold : { hold };
}

/** A specification from a JSON file. */
export async function specFile(path: string): Promise<WrittenSpec> {
  const value = await jsonFile(path);
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as WrittenSpec;
  throw new UsageError(`${path} holds no JSON object`);
}

/** A whole specification as one would write it: what an update starts from. */
export function writtenForm(spec: DeliverySpec): WrittenSpec {
  const { eventTime, flush, start, eventFutureMs, allowedLatenessMs, ...rest } = spec;
  return {
    ...rest,
    eventTime: eventTime.from === 'arrival' ? 'arrival' : { field: eventTime.field, form: eventTime.form },
    eventFuture: `${eventFutureMs}ms`,
    allowedLateness: `${allowedLatenessMs}ms`,
    flush: { bytes: flush.bytes, age: `${flush.ageMs}ms`, records: flush.records },
    start: typeof start === 'string' ? start : new Date(start.atMs).toISOString(),
  };
}

/** The second laid over the first, `null` takes a key away; flush limits one by one. Another format takes its own default codec. */
export function merged(base: WrittenSpec, change: WrittenSpec): WrittenSpec {
  const result: Record<string, unknown> = { ...base, ...change };
  for (const key of Object.keys(change)) if (change[key] === null) delete result[key];
  if (isGiven(change['flush'])) result['flush'] = { ...(base['flush'] as object), ...(change['flush'] as object) };
  if (isGiven(change['rejects'])) {
    result['rejects'] = { ...(base['rejects'] as object | undefined), ...(change['rejects'] as object) };
  }
  if (typeof change['late'] === 'object' && change['late'] !== null) {
    result['late'] = { ...(base['late'] as object | undefined), ...change['late'] };
  }
  if (change['format'] !== undefined && change['format'] !== base['format'] && change['compression'] === undefined) {
    delete result['compression'];
  }
  if (result['format'] !== 'raw' && change['separator'] === undefined) delete result['separator'];
  if (result['schema'] !== 'auto' && change['evolve'] === undefined) delete result['evolve'];
  if (result['format'] !== 'parquet' && change['parquet'] === undefined) delete result['parquet'];
  if (result['format'] !== 'csv' && change['formulaGuard'] === undefined) delete result['formulaGuard'];
  return result;
}

function onOff(text: string | undefined): boolean | undefined {
  return text === undefined ? undefined : text === 'on';
}

function separator(text: string | undefined): string | undefined {
  return text === 'newline' ? '\n' : text === 'none' ? '' : text;
}

function eventTime(text: string | undefined): unknown {
  if (text === undefined || !text.includes(':')) return text;
  const at = text.lastIndexOf(':');
  return { field: text.slice(0, at), form: text.slice(at + 1) };
}

function compaction(readers: string | undefined): unknown {
  return readers === undefined || readers === 'none' ? readers : { readers };
}

function notify(text: string | undefined): unknown {
  if (text === undefined || text === 'none') return text;
  return text.includes('://') ? { url: text } : { stream: text };
}

function rejects(mode: string | undefined, budget: string | undefined): Record<string, unknown> | undefined {
  if (mode === undefined && budget === undefined) return undefined;
  const [share, rows] = budget?.split(':').map(Number) ?? [];
  return present({ mode, budget: share === undefined ? undefined : present({ share, rows }) });
}

function dedupe(text: string | undefined): unknown {
  if (text === undefined || text === 'none') return text;
  const at = text.lastIndexOf(':');
  return at === -1 ? { key: text } : { key: text.slice(0, at), window: text.slice(at + 1) };
}

async function schema(text: string | undefined): Promise<unknown> {
  if (text === undefined || text === 'auto') return text;
  const [, subject, version] = /^subject:(.+?)(?:@(latest|\d+))?$/.exec(text) ?? [];
  if (subject === undefined) return { avro: await jsonFile(text) };
  return { subject, version: version === undefined || version === 'latest' ? 'latest' : Number(version) };
}

function present(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null;
}
