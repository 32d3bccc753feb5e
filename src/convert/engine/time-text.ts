/**
 * Times as records tell them: ISO-8601 texts and numbers since the epoch, to epoch ms. The canonical text is read straight from
 * bytes; every other accepted form is decoded and normalised. A time without offset is UTC. Years 1 to 9999 only.
 */
import type { TimeForm } from '../../model/column-plan.ts';

const YEAR_1_MS = -62_135_596_800_000;
const YEAR_10000_MS = 253_402_300_800_000;
const DAY_MS = 86_400_000;
const MS_PER: Readonly<Record<Exclude<TimeForm, 'iso'>, number>> = { s: 1000, ms: 1, us: 0.001 };

// date, then optionally time with optional seconds, fraction and offset
const ISO =
  /^(\d{4})-(\d\d)-(\d\d)(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?(?: ?([Zz]|[+-]\d\d(?::?\d\d)?))?)?$/;

export interface IsoTime {
  readonly ms: number;
  /** The same instant as `yyyy-MM-ddTHH:mm:ss.ffffffZ`. */
  readonly canonical: string;
}

export function timeInRange(ms: number): boolean {
  return ms >= YEAR_1_MS && ms < YEAR_10000_MS;
}

export function microsInRange(micros: bigint): boolean {
  return micros >= BigInt(YEAR_1_MS) * 1000n && micros < BigInt(YEAR_10000_MS) * 1000n;
}

/** Epoch ms of a number in the given form, or undefined out of range. */
export function epochMs(value: number, form: Exclude<TimeForm, 'iso'>): number | undefined {
  const ms = Math.floor(value * MS_PER[form]);
  return timeInRange(ms) ? ms : undefined;
}

export function parseIsoText(text: string): IsoTime | undefined {
  const match = ISO.exec(text);
  if (match === null) return undefined;
  const [, year, month, day, hour = '0', minute = '0', second = '0', fraction = '', zone = 'Z'] = match;
  const local = civilMs(Number(year), Number(month), Number(day));
  if (local === undefined || Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) return undefined;
  const offset = offsetMinutes(zone);
  if (offset === undefined) return undefined;
  const seconds = Number(hour) * 3600 + (Number(minute) - offset) * 60 + Number(second);
  const micros = fraction.padEnd(6, '0').slice(0, 6);
  const ms = local + seconds * 1000 + Number(micros.slice(0, 3));
  if (!timeInRange(ms)) return undefined;
  return { ms, canonical: `${new Date(ms).toISOString().slice(0, -1)}${micros.slice(3)}Z` };
}

/** Days since the epoch of a `yyyy-MM-dd` text, or undefined. */
export function parseDateText(text: string): number | undefined {
  const match = /^(\d{4})-(\d\d)-(\d\d)$/.exec(text);
  const ms = match === null ? undefined : civilMs(Number(match[1]), Number(match[2]), Number(match[3]));
  return ms === undefined || ms < YEAR_1_MS ? undefined : ms / DAY_MS;
}

export function formatDate(days: number): string | undefined {
  const ms = days * DAY_MS;
  return Number.isInteger(days) && timeInRange(ms) ? new Date(ms).toISOString().slice(0, 10) : undefined;
}

/** Microseconds since midnight of a `HH:mm[:ss[.f…]]` text, digits beyond microseconds cut, or undefined. */
export function parseTimeOfDay(text: string): number | undefined {
  const match = /^([01]\d|2[0-3]):([0-5]\d)(?::([0-5]\d)(?:\.(\d{1,9}))?)?$/.exec(text);
  if (match === null) return undefined;
  const [, hour, minute, second = '0', fraction = ''] = match;
  const seconds = Number(hour) * 3600 + Number(minute) * 60 + Number(second);
  return seconds * 1_000_000 + Number(fraction.padEnd(6, '0').slice(0, 6));
}

/** `HH:mm:ss.ffffff`, or undefined for what is no whole number of microseconds within a day. */
export function formatTimeOfDay(micros: number): string | undefined {
  if (!Number.isInteger(micros) || micros < 0 || micros >= DAY_MS * 1000) return undefined;
  const upToMs = new Date(Math.floor(micros / 1000)).toISOString().slice(11, 23);
  return `${upToMs}${String(micros % 1000).padStart(3, '0')}`;
}

/** Epoch ms of canonical bytes `yyyy-MM-ddTHH:mm:ss[.f…]Z` at [from, to), or undefined for anything else. */
export function canonicalIsoMs(bytes: Uint8Array, from: number, to: number): number | undefined {
  if (to - from < 20 || bytes[to - 1] !== 0x5a || bytes[from + 10] !== 0x54) return undefined;
  if (bytes[from + 4] !== 0x2d || bytes[from + 7] !== 0x2d) return undefined;
  if (bytes[from + 13] !== 0x3a || bytes[from + 16] !== 0x3a) return undefined;
  const millis = millisOf(bytes, from + 19, to - 1);
  const year = pair(bytes, from) * 100 + pair(bytes, from + 2);
  const hour = pair(bytes, from + 11);
  const minute = pair(bytes, from + 14);
  const second = pair(bytes, from + 17);
  const date = civilMs(year, pair(bytes, from + 5), pair(bytes, from + 8));
  // Not a number compares as false, so letters among the digits fail here.
  if (date === undefined || !(hour <= 23 && minute <= 59 && second <= 59 && millis >= 0)) return undefined;
  const ms = date + (hour * 3600 + minute * 60 + second) * 1000 + millis;
  return ms >= YEAR_1_MS ? ms : undefined;
}

function millisOf(bytes: Uint8Array, from: number, to: number): number {
  if (from === to) return 0;
  if (bytes[from] !== 0x2e || to - from < 2 || to - from > 7) return Number.NaN;
  let millis = 0;
  for (let at = from + 1; at < to; at++) {
    const digit = (bytes[at] as number) - 0x30;
    if (digit < 0 || digit > 9) return Number.NaN;
    if (at < from + 4) millis += digit * (at === from + 1 ? 100 : at === from + 2 ? 10 : 1);
  }
  return millis;
}

function pair(bytes: Uint8Array, at: number): number {
  const tens = (bytes[at] as number) - 0x30;
  const ones = (bytes[at + 1] as number) - 0x30;
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : Number.NaN;
}

const DAYS_IN = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

let lastDate = 0;
let lastDateMs: number | undefined;

/** Most records are of the day of the one before. */
function civilMs(year: number, month: number, day: number): number | undefined {
  const date = (year * 100 + month) * 100 + day;
  if (date === lastDate) return lastDateMs;
  lastDateMs = dateMs(year, month, day);
  lastDate = date;
  return lastDateMs;
}

function dateMs(year: number, month: number, day: number): number | undefined {
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  const last = (DAYS_IN[month - 1] ?? 0) + (month === 2 && leap ? 1 : 0);
  if (!(month >= 1 && month <= 12 && day >= 1 && day <= last)) return undefined;
  // Days from civil date, years beginning in March (Howard Hinnant's algorithm).
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const yearOfEra = y - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return (era * 146_097 + dayOfEra - 719_468) * DAY_MS;
}

function offsetMinutes(zone: string): number | undefined {
  if (zone === 'Z' || zone === 'z') return 0;
  const hours = Number(zone.slice(1, 3));
  const minutes = Number(zone.slice(3).replace(':', '') || '0');
  if (hours > 18 || minutes > 59) return undefined;
  return (zone.startsWith('-') ? -1 : 1) * (hours * 60 + minutes);
}
