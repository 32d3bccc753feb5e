/**
 * A first column plan from sample records: a column for every key seen, of the narrowest type that takes all its values; anything
 * mixed becomes JSON only when nested. Texts stay texts, whatever they look like: a wrong guess would cost a value its column.
 * Only the event time's field becomes a timestamp. Keys that no file can hold as a column are left to the extra column.
 */
import { isUtf8 } from 'node:buffer';
import type { Column, ColumnPlan, ColumnType } from '../../model/column-plan.ts';
import { EXTRA_COLUMN } from '../../model/column-plan.ts';
import type { EventTime } from '../../model/delivery.ts';
import { LIMITS } from '../../model/limits.ts';
import type { RecordBatch } from '../../model/record-batch.ts';
import { KIND } from './json-scan.ts';
import { recordMembers } from './record-members.ts';

export interface Inference {
  add(batch: RecordBatch): void;
  plan(eventTime: EventTime, fields: readonly string[]): ColumnPlan;
}

type Family = 'boolean' | 'integer' | 'double' | 'string' | 'nested';

const NAME_CHARS_MAX = 128;
const SEEN_MAX = 10_000;
/** Longer integers may not fit 64 bits; doubles hold them as JSON.parse would. */
const INTEGER_CHARS_MAX = 18;
const FAMILIES: Readonly<Record<number, Family>> = {
  [KIND.text]: 'string',
  [KIND.escapedText]: 'string',
  [KIND.integer]: 'integer',
  [KIND.fraction]: 'double',
  [KIND.exponent]: 'double',
  [KIND.true]: 'boolean',
  [KIND.false]: 'boolean',
  [KIND.object]: 'nested',
  [KIND.array]: 'nested',
};

export function startInference(): Inference {
  const members = recordMembers([]);
  const seen = new Map<string, Map<Family, number>>();

  function add(batch: RecordBatch): void {
    const data = batch.data as Buffer;
    for (let i = 0; i < batch.count; i++) {
      const from = i === 0 ? 0 : (batch.dataEnds[i - 1] as number);
      const end = batch.dataEnds[i] as number;
      if (members.scan(data, from, end) !== 'ok' || !isUtf8(data.subarray(from, end))) continue;
      for (const { key, kind, from, to } of members.others()) {
        let family = FAMILIES[kind];
        if (family === 'integer' && to - from > INTEGER_CHARS_MAX) family = 'double';
        if (family === undefined || (!seen.has(key) && seen.size >= SEEN_MAX)) continue;
        const families = seen.get(key) ?? new Map<Family, number>();
        families.set(family, (families.get(family) ?? 0) + 1);
        seen.set(key, families);
      }
    }
  }

  return { add, plan: (eventTime, fields) => planOf(seen, eventTime, fields) };
}

function planOf(
  seen: ReadonlyMap<string, ReadonlyMap<Family, number>>,
  eventTime: EventTime,
  fields: readonly string[],
): ColumnPlan {
  const timeField = eventTime.from === 'field' ? eventTime.field : undefined;
  const wanted = [...(timeField === undefined ? [] : [timeField]), ...fields].map((field) => field.split('.')[0] ?? '');
  // Wanted columns come first into the limit, then keys in the order they were first seen.
  const names = new Map<string, string>();
  for (const key of [...wanted, ...seen.keys()]) {
    const folded = key.toLowerCase();
    if (names.size < LIMITS.columnsInferredMax && isColumnName(key) && !names.has(folded)) names.set(folded, key);
  }
  const kept = new Set(names.values());
  const ordered = [...[...seen.keys()].filter((key) => kept.has(key)), ...[...kept].filter((key) => !seen.has(key))];
  const columns = ordered.map((name): Column => {
    const isTime = eventTime.from === 'field' && eventTime.field === name;
    const type: ColumnType = isTime
      ? { kind: 'timestamp', from: eventTime.form }
      : typeOf(name, seen.get(name), wanted);
    return { name, type, nullable: true };
  });
  return { version: 1, columns, misfit: 'extra' };
}

function typeOf(
  name: string,
  families: ReadonlyMap<Family, number> | undefined,
  wanted: readonly string[],
): ColumnType {
  if (families === undefined) return wanted.includes(name) ? { kind: 'string' } : { kind: 'json' };
  const has = (family: Family): boolean => families.has(family);
  if (families.size === 2 && has('integer') && has('double')) return { kind: 'double' };
  // Of mixed kinds the most frequent wins; the others' values go to the extra column.
  const [first] = [...families].sort(([, a], [, b]) => b - a)[0] ?? ['string'];
  switch (first) {
    case 'boolean':
      return { kind: 'boolean' };
    case 'integer':
      return has('double') ? { kind: 'double' } : { kind: 'int', bits: 64 };
    case 'double':
      return { kind: 'double' };
    case 'string':
      return { kind: 'string' };
    default:
      return { kind: 'json' };
  }
}

function isColumnName(key: string): boolean {
  return key !== '' && key.length <= NAME_CHARS_MAX && key.toLowerCase() !== EXTRA_COLUMN && !/\p{Cc}/u.test(key);
}
