/**
 * Whether a JSON value fits a column exactly, so that the engine's lossy casts (1.5 to 2, "5" to 5, 1e400 to Infinity) never get to
 * decide. Most values are accepted by kind and length alone and their bytes handed on; the others are decoded, checked and, where
 * the engine would not read the form, rewritten. Checks know nothing of rows.
 */
import type { Column, ColumnType } from '../../model/column-plan.ts';
import { KIND, KINDS, kindName } from './json-scan.ts';
import {
  canonicalIsoMs,
  epochMs,
  formatDate,
  formatTimeOfDay,
  microsInRange,
  parseDateText,
  parseIsoText,
  parseTimeOfDay,
} from './time-text.ts';

export interface ColumnCheck {
  readonly column: Column;
  /** By kind: values of up to so many bytes are handed on unseen; -1 never. */
  readonly rawUpTo: Int32Array;
  /** By kind: 1 when `look` decides, 0 when the kind is wrong for the column. */
  readonly looks: Uint8Array;
  /** What the column takes, for people. */
  readonly takes: string;
  /** True when the bytes of a text value [from, to), quotes excluded, can be handed on. */
  readonly quick: ((bytes: Uint8Array, from: number, to: number) => boolean) | undefined;
  /** JSON to hand on for a decoded text or the digits of a number; undefined when not convertible. */
  look(value: string, kind: number): string | undefined;
}

/** Why a value does not land, for people; a path where it lies inside of another value. */
export interface Misfit {
  readonly code: 'wrong-type' | 'not-convertible' | 'missing-value';
  readonly reason: string;
}

type Look = ColumnCheck['look'];
interface Rules {
  readonly takes: string;
  readonly raw?: Readonly<Record<number, number>>;
  readonly look?: { readonly kinds: readonly number[]; readonly of: Look };
  readonly quick?: ColumnCheck['quick'];
}

const ANY = 0x7fff_ffff;
const TEXTS = [KIND.text, KIND.escapedText];
const NUMBERS = [KIND.integer, KIND.fraction, KIND.exponent];
/** A number of so few characters and no exponent is finite as a double. */
const FINITE_CHARS = 300;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

export function columnCheck(column: Column): ColumnCheck {
  const rules = rulesOf(column.type);
  const rawUpTo = new Int32Array(KINDS).fill(-1);
  for (const [kind, length] of Object.entries(rules.raw ?? {})) rawUpTo[Number(kind)] = length;
  const looks = new Uint8Array(KINDS);
  for (const kind of rules.look?.kinds ?? []) looks[kind] = 1;
  const look = rules.look?.of ?? (() => undefined);
  return { column, rawUpTo, looks, takes: rules.takes, quick: rules.quick, look };
}

/** What to hand on for a value that `rawUpTo` does not let pass: undefined for its own bytes. */
export function fittingText(check: ColumnCheck, raw: string, kind: number): string | Misfit | undefined {
  const wrong = check.looks[kind] === 0;
  if (!wrong) {
    const isText = kind === KIND.text || kind === KIND.escapedText;
    const text = check.look(isText ? (JSON.parse(raw) as string) : raw, kind);
    if (text !== undefined) return text === raw ? undefined : text;
  }
  const value = wrong ? `the value is ${kindName(kind)}` : 'the value does not convert';
  return { code: wrong ? 'wrong-type' : 'not-convertible', reason: `the column takes ${check.takes}, ${value}` };
}

function rulesOf(type: ColumnType): Rules {
  switch (type.kind) {
    case 'boolean':
      return { takes: 'true or false', raw: { [KIND.true]: ANY, [KIND.false]: ANY } };
    case 'int':
      return {
        takes: `a ${type.bits}-bit integer`,
        raw: { [KIND.integer]: type.bits === 32 ? 9 : 18 },
        look: { kinds: NUMBERS, of: integerOf(type.bits) },
      };
    case 'double':
      return {
        takes: 'a finite number',
        raw: { [KIND.integer]: FINITE_CHARS, [KIND.fraction]: FINITE_CHARS },
        look: { kinds: NUMBERS, of: (text) => (Number.isFinite(Number(text)) ? text : undefined) },
      };
    case 'string':
      return { takes: 'a string', raw: { [KIND.text]: ANY, [KIND.escapedText]: ANY } };
    case 'bytes':
      return text('a string of base64', (value) => BASE64.test(value));
    case 'uuid':
      return text('a string holding a UUID', (value) => UUID.test(value));
    case 'enum': {
      const symbols = new Set(type.symbols);
      return text(`one of ${type.symbols.length} symbols`, (value) => symbols.has(value));
    }
    case 'timestamp':
      return type.from === 'iso' ? isoRules() : epochRules(type.from);
    case 'date':
      return { takes: 'a yyyy-MM-dd date or days since 1970', look: { kinds: [...TEXTS, ...NUMBERS], of: dateOf } };
    case 'decimal':
      return {
        takes: `a decimal of ${type.precision} digits, ${type.scale} of them after the point`,
        look: { kinds: [...TEXTS, ...NUMBERS], of: decimalOf(type.precision, type.scale) },
      };
    case 'time':
      return {
        takes: `a HH:mm:ss time or ${type.from} since midnight`,
        look: { kinds: [...TEXTS, ...NUMBERS], of: timeOf(type.from) },
      };
    case 'struct':
    case 'map':
      return { takes: 'an object' };
    case 'list':
      return { takes: 'an array' };
    default:
      return { takes: 'any JSON', raw: Object.fromEntries(Object.values(KIND).map((kind) => [kind, ANY])) };
  }
}

function text(takes: string, fits: (value: string) => boolean): Rules {
  return { takes, look: { kinds: TEXTS, of: (value) => (fits(value) ? JSON.stringify(value) : undefined) } };
}

function integerOf(bits: 32 | 64): Look {
  const limit = 1n << BigInt(bits - 1);
  return (digits, kind) => {
    if (kind !== KIND.integer && !Number.isInteger(Number(digits))) return undefined;
    const value = BigInt(kind === KIND.integer ? digits : Number(digits));
    return value >= -limit && value < limit ? String(value) : undefined;
  };
}

function isoRules(): Rules {
  return {
    takes: 'an ISO-8601 time',
    quick: (bytes, from, to) => canonicalIsoMs(bytes, from, to) !== undefined,
    look: {
      kinds: TEXTS,
      of: (value) => {
        const time = parseIsoText(value);
        return time && `"${time.canonical}"`;
      },
    },
  };
}

const EPOCH_CHARS = { s: 10, ms: 13, us: 16 } as const;

function epochRules(form: 's' | 'ms' | 'us'): Rules {
  return {
    takes: `a number of ${form} since 1970`,
    raw: { [KIND.integer]: EPOCH_CHARS[form] },
    look: {
      kinds: NUMBERS,
      of: (digits, kind) => {
        // A double does not hold all microseconds.
        if (form === 'us' && kind === KIND.integer) return microsInRange(BigInt(digits)) ? digits : undefined;
        const value = Number(digits);
        if (epochMs(value, form) === undefined) return undefined;
        if (form === 'us') return Number.isInteger(value) ? String(BigInt(value)) : undefined;
        return digits;
      },
    },
  };
}

function dateOf(value: string, kind: number): string | undefined {
  const isText = kind === KIND.text || kind === KIND.escapedText;
  const date = isText ? (parseDateText(value) === undefined ? undefined : value) : formatDate(Number(value));
  return date && `"${date}"`;
}

function timeOf(form: 'ms' | 'us'): Look {
  return (value, kind) => {
    const isText = kind === KIND.text || kind === KIND.escapedText;
    const micros = isText ? parseTimeOfDay(value) : Number(value) * (form === 'ms' ? 1000 : 1);
    const time = micros === undefined ? undefined : formatTimeOfDay(micros);
    return time && `"${time}"`;
  };
}

/** Exact from texts; a number is rounded to the scale, as far as a double holds it. */
function decimalOf(precision: number, scale: number): Look {
  return (value, kind) => {
    let digits = value.trim() === value ? value : '';
    if (kind === KIND.exponent || (kind === KIND.fraction && (value.split('.')[1] ?? '').length > scale)) {
      const number = Number(value);
      digits = Math.abs(number) < 1e21 ? number.toFixed(Math.min(scale, 100)) : '';
    }
    const match = /^([+-]?)0*(\d*?)(?:\.(\d*?)0*)?$/.exec(digits);
    if (match === null || !/\d/.test(digits)) return undefined;
    const [, sign = '', whole = '', fraction = ''] = match;
    if (whole.length > precision - scale || fraction.length > scale) return undefined;
    return `"${sign === '-' ? '-' : ''}${whole || '0'}${fraction === '' ? '' : `.${fraction}`}"`;
  };
}
