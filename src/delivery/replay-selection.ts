/**
 * Which rejected rows a replay takes, and as what bytes: by code, column and arrival, or those that come edited, which keep their shard
 * and offset as identity. Reads the request as a client writes it. Pure.
 */
import { REJECT_CODES, type RejectCode, type RejectedFile, type RejectedRow } from '../model/data-file.ts';
import { isObject, type SpecReader, specReader } from './spec-fields.ts';

export interface ReplaySelection {
  readonly dryRun: boolean;
  /** Cursor of the request before. */
  readonly after: string | undefined;
  /** False when no row of the file can be taken. */
  mayHold(file: RejectedFile): boolean;
  /** The bytes to replay a row with; undefined when it is not taken. */
  bytesOf(row: RejectedRow): Uint8Array | undefined;
}

const KEYS = ['code', 'column', 'from', 'until', 'dryRun', 'edits', 'after'];
const CODES = Object.keys(REJECT_CODES) as RejectCode[];
const TIME_ACCEPTED = 'an ISO-8601 time with a zone like 2026-01-31T10:00:00Z';

/** Throws `argument-invalid` with every problem. */
export function readSelection(input: unknown): ReplaySelection {
  const read = specReader();
  const given = read.object('', input ?? {}, KEYS) ?? {};
  const code =
    given['code'] === undefined
      ? undefined
      : read.choice('code', given['code'], { accepted: CODES, standIn: 'not-json' });
  const column = optionalText(read, 'column', given['column']);
  const after = optionalText(read, 'after', given['after']);
  const fromMs = readTime(read, 'from', given['from']) ?? Number.NEGATIVE_INFINITY;
  const untilMs = readTime(read, 'until', given['until']) ?? Number.POSITIVE_INFINITY;
  const edits = given['edits'] === undefined ? undefined : readEdits(read, given['edits']);
  read.finish('the replay');
  const matches = (reason: { readonly code: string; readonly column?: string | null }): boolean =>
    (code === undefined || reason.code === code) && (column === undefined || reason.column === column);
  return {
    dryRun: given['dryRun'] === true,
    after,
    mayHold: (file) => file.reasons.some(matches),
    bytesOf(row) {
      if (!matches(row)) return undefined;
      const arrivalMs = Date.parse(row.arrival);
      if (arrivalMs < fromMs || arrivalMs >= untilMs) return undefined;
      return edits === undefined ? Buffer.from(row.data, 'base64') : edits.get(`${row.shard}/${row.offset}`);
    },
  };
}

function optionalText(read: SpecReader, path: string, value: unknown): string | undefined {
  if (value === undefined || typeof value === 'string') return value;
  return read.fault({ path, value, accepted: 'a text' }, undefined);
}

function readTime(read: SpecReader, path: string, value: unknown): number | undefined {
  if (value === undefined) return undefined;
  const zoned = typeof value === 'string' && /^\d{4}-\d\d-\d\d(T.*(Z|[+-]\d\d:\d\d))?$/.test(value);
  const timeMs = zoned ? Date.parse(value) : Number.NaN;
  return Number.isNaN(timeMs) ? read.fault({ path, value, accepted: TIME_ACCEPTED }, undefined) : timeMs;
}

function readEdits(read: SpecReader, value: unknown): ReadonlyMap<string, Uint8Array> {
  const edits = new Map<string, Uint8Array>();
  const accepted = 'a list of {shard, offset, data: base64}, each row once';
  if (!Array.isArray(value)) return read.fault({ path: 'edits', value, accepted }, edits);
  for (const [i, edit] of value.entries()) {
    const { shard, offset, data } = isObject(edit) ? edit : {};
    const key = `${String(shard)}/${String(offset)}`;
    const whole = isCount(shard) && isCount(offset) && typeof data === 'string' && !edits.has(key);
    if (whole) edits.set(key, Buffer.from(data, 'base64'));
    else read.fault({ path: `edits[${i}]`, value: edit, accepted }, undefined);
  }
  return edits;
}

function isCount(value: unknown): boolean {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
