/**
 * A first column plan from sample records: a column for every key seen, of the narrowest type that takes all its values; anything
 * mixed becomes JSON only when nested. Texts stay texts, whatever they look like: a wrong guess would cost a value its column.
 * Only the event time's field becomes a timestamp. Keys that no file can hold as a column are left to the extra column.
 */
import { isUtf8 } from 'node:buffer';
import type { Column, ColumnPlan, ColumnType, ValueFamily } from '../../model/column-plan.ts';
import type { EventTime } from '../../model/delivery.ts';
import { LIMITS } from '../../model/limits.ts';
import type { RecordBatch } from '../../model/record-batch.ts';
import { inferredType, isColumnName } from '../../schema/inferred-type.ts';
import { recordMembers } from './record-members.ts';
import { familyOf } from './value-family.ts';

export interface Inference {
  add(batch: RecordBatch): void;
  plan(eventTime: EventTime, fields: readonly string[]): ColumnPlan;
}

const SEEN_MAX = 10_000;
export function startInference(): Inference {
  const members = recordMembers([]);
  const seen = new Map<string, Map<ValueFamily, number>>();

  function add(batch: RecordBatch): void {
    const data = batch.data as Buffer;
    for (let i = 0; i < batch.count; i++) {
      const from = i === 0 ? 0 : (batch.dataEnds[i - 1] as number);
      const end = batch.dataEnds[i] as number;
      if (members.scan(data, from, end) !== 'ok' || !isUtf8(data.subarray(from, end))) continue;
      for (const { key, kind, from, to } of members.others()) {
        const family = familyOf(kind, to - from);
        if (family === undefined || (!seen.has(key) && seen.size >= SEEN_MAX)) continue;
        const families = seen.get(key) ?? new Map<ValueFamily, number>();
        families.set(family, (families.get(family) ?? 0) + 1);
        seen.set(key, families);
      }
    }
  }

  return { add, plan: (eventTime, fields) => planOf(seen, eventTime, fields) };
}

function planOf(
  seen: ReadonlyMap<string, ReadonlyMap<ValueFamily, number>>,
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
  families: ReadonlyMap<ValueFamily, number> | undefined,
  wanted: readonly string[],
): ColumnType {
  if (families === undefined) return wanted.includes(name) ? { kind: 'string' } : { kind: 'json' };
  return inferredType(families);
}
