/**
 * The verdict on one record: rejected with a code, or accepted into a partition, its bytes handed on as they are or rewritten to
 * a line the engine reads exactly. Order of tests: JSON, event time, partition, columns. Allocates nothing for a record that
 * fits; state lives in arrays that are reused, so the fields of `RowCheck` speak of the record checked last.
 */
import type { ColumnPlan } from '../../model/column-plan.ts';
import { EXTRA_COLUMN } from '../../model/column-plan.ts';
import type { RejectCode } from '../../model/data-file.ts';
import { REJECT_CODES } from '../../model/data-file.ts';
import type { EventTime } from '../../model/delivery.ts';
import type { ColumnCheck } from './column-check.ts';
import { columnCheck, fittingText } from './column-check.ts';
import type { ExtraKeys } from './extra-keys.ts';
import type { Dedupe } from './dedupe.ts';
import type { FieldPath } from './field-path.ts';
import { fieldPath, fieldText } from './field-path.ts';
import { KIND } from './json-scan.ts';
import { nestedCheck } from './nested-check.ts';
import type { Partition, Partitions } from './partitions.ts';
import { recordMembers } from './record-members.ts';
import { canonicalIsoMs, epochMs, parseIsoText } from './time-text.ts';

export interface Reject {
  readonly code: RejectCode;
  readonly reason: string;
  readonly column: string | null;
}

export interface RowCheck {
  /** Undefined when the row is accepted. */
  check(bytes: Buffer, from: number, to: number, arrivalMs: number): Reject | 'duplicate' | undefined;
  readonly partition: () => Partition;
  readonly eventMs: () => number;
  /** The line to hand on when it is not the record's own bytes. */
  readonly line: () => string | undefined;
  /** Whether the line has something in the extra column. */
  readonly extra: () => boolean;
}

export interface RowCheckOptions {
  readonly plan: ColumnPlan;
  readonly eventTime: EventTime;
  readonly eventFutureMs: number;
  /** Nothing of the record becomes a column: it is read only as far as it tells its place. */
  readonly raw: boolean;
  readonly partitions: Partitions;
  /** Paths of the layout's fields. */
  readonly fields: readonly string[];
  /** Told what goes to the extra column, where somebody wants to know. */
  readonly extraKeys?: ExtraKeys | undefined;
  readonly dedupe?: Pick<Dedupe, 'isDuplicate'> | undefined;
}

export function rowCheck(options: RowCheckOptions): RowCheck {
  const { plan, eventTime, eventFutureMs, raw, partitions, fields, dedupe, extraKeys } = options;
  const checks = plan.columns.map(columnCheck);
  const nested = plan.columns.map(nestedCheck);
  const slots = plan.columns.map((column) => column.name);
  const timePath = eventTime.from === 'field' ? fieldPath(eventTime.field, slots) : undefined;
  const paths = fields.map((field) => fieldPath(field, slots));
  const members = recordMembers(slots);
  const opaque = raw && isOpaque({ eventTime, fields, dedupe });
  const fieldTexts: (string | null)[] = paths.map(() => null);
  /** Per column: what to write instead of the value's bytes; null hands nothing on. */
  const rewritten: (string | null | undefined)[] = checks.map(() => undefined);
  let partition: Partition | undefined;
  let eventMs = 0;
  let line: string | undefined;
  let extra = false;
  /** Column whose text is known to be a canonical time. */
  let canonical = -1;

  function eventTimeOf(bytes: Buffer, path: FieldPath, arrivalMs: number): Reject | undefined {
    if (eventTime.from !== 'field') return undefined;
    const { field, form } = eventTime;
    let ms: number | undefined;
    const kind = members.kind[path.slot] ?? KIND.none;
    if (path.rest.length === 0 && kind === KIND.text && form === 'iso') {
      ms = canonicalIsoMs(bytes, (members.from[path.slot] ?? 0) + 1, (members.to[path.slot] ?? 0) - 1);
      if (ms !== undefined) canonical = path.slot;
    }
    if (ms === undefined) {
      const value = fieldText(bytes, members, path);
      if (value === null) return reject('event-time-missing', `'${field}' is missing`, field);
      const text = value.text ?? '';
      const fits =
        value.text !== undefined && (form === 'iso') === (value.type === 'string') && value.type !== 'boolean';
      ms = !fits ? undefined : form === 'iso' ? parseIsoText(text)?.ms : epochMs(Number(text), form);
      if (ms === undefined) return reject('event-time-invalid', `'${field}' is no time of the form ${form}`, field);
    }
    if (ms > arrivalMs + eventFutureMs) {
      return reject('event-time-future', `'${field}' is ${Math.round((ms - arrivalMs) / 1000)} s after arrival`, field);
    }
    eventMs = ms;
    return undefined;
  }

  function partitionOf(bytes: Buffer): Reject | undefined {
    for (const [i, path] of paths.entries()) {
      const value = fieldText(bytes, members, path);
      if (value !== null && value.text === undefined) {
        return reject('partition-value-invalid', `'${path.field}' is an object or array`, path.field);
      }
      fieldTexts[i] = value?.text ?? null;
    }
    return undefined;
  }

  function columnsOf(bytes: Buffer): Reject | undefined {
    for (let i = 0; i < checks.length; i++) {
      const check = checks[i] as ColumnCheck;
      const kind = members.kind[i] as number;
      if (kind === KIND.none || kind === KIND.null) {
        if (check.column.nullable) continue;
        return reject('missing-value', REJECT_CODES['missing-value'], check.column.name);
      }
      const from = members.from[i] as number;
      const to = members.to[i] as number;
      if (to - from <= (check.rawUpTo[kind] as number)) continue;
      if (check.quick !== undefined && kind === KIND.text && (i === canonical || check.quick(bytes, from + 1, to - 1)))
        continue;
      const problem = look(bytes, i, check);
      if (problem !== undefined) return problem;
    }
    return undefined;
  }

  function look(bytes: Buffer, i: number, check: ColumnCheck): Reject | undefined {
    const kind = members.kind[i] as number;
    const from = members.from[i] as number;
    const to = members.to[i] as number;
    const parts = nested[i];
    const text =
      parts === undefined
        ? fittingText(check, bytes.toString('utf8', from, to), kind)
        : parts.read(bytes, from, to, kind);
    if (text === undefined) return undefined;
    if (typeof text === 'string') {
      rewritten[i] = text;
      line = '';
      return undefined;
    }
    if (plan.misfit === 'extra') {
      rewritten[i] = null;
      line = '';
      return undefined;
    }
    return reject(text.code, text.reason, check.column.name);
  }

  /** The record as the engine reads it exactly: known members only, forms normalised, the rest as text in the extra column. */
  function rewrite(bytes: Buffer): string {
    const kept: string[] = [];
    const others = members.others();
    const rest = others.map(
      ({ keyFrom, keyTo, from, to }) => `${slice(bytes, keyFrom, keyTo)}:${slice(bytes, from, to)}`,
    );
    if (extraKeys !== undefined) for (const { key, kind, from, to } of others) extraKeys.unknown(key, kind, to - from);
    for (let i = 0; i < checks.length; i++) {
      if (members.kind[i] === KIND.none || members.kind[i] === KIND.null) continue;
      const text = rewritten[i];
      const name = JSON.stringify(slots[i]);
      const raw = slice(bytes, members.from[i] as number, members.to[i] as number);
      if (text === null) {
        rest.push(`${name}:${raw}`);
        extraKeys?.misfit(slots[i] as string, members.kind[i] as number);
      } else kept.push(`${name}:${text ?? raw}`);
      if (typeof text === 'string') addUnknown(rest, nested[i]?.unknown);
    }
    extra = rest.length > 0;
    kept.push(`"${EXTRA_COLUMN}":${extra ? JSON.stringify(`{${rest.join(',')}}`) : 'null'}`);
    return `{${kept.join(',')}}`;
  }

  /** Keys of structs without a field, by path; a key of the record may be spelt like a path. */
  function addUnknown(rest: string[], unknown: ReadonlyMap<string, string> | undefined): void {
    for (const [path, value] of unknown ?? []) {
      let key = path;
      while (members.other(key) !== undefined) key += '_';
      rest.push(`${JSON.stringify(key)}:${value.replaceAll(/[\r\n]/g, ' ')}`);
    }
  }

  function check(bytes: Buffer, from: number, to: number, arrivalMs: number): Reject | 'duplicate' | undefined {
    eventMs = arrivalMs;
    if (opaque) return place();
    const verdict = members.scan(bytes, from, to);
    if (verdict !== 'ok') return reject(verdict, REJECT_CODES[verdict], null);
    canonical = -1;
    line = undefined;
    extra = false;
    const problem =
      (timePath && eventTimeOf(bytes, timePath, arrivalMs)) ??
      (paths.length > 0 ? partitionOf(bytes) : undefined) ??
      (raw ? undefined : columnsOf(bytes));
    if (
      !raw &&
      problem === undefined &&
      (line !== undefined || !members.plain() || bytes[from] !== 0x7b || members.empty())
    ) {
      line = rewrite(bytes);
    }
    if (line !== undefined) rewritten.fill(undefined);
    if (problem !== undefined) return problem;
    return dedupe?.isDuplicate(bytes, members, arrivalMs) === true ? 'duplicate' : place();
  }

  function place(): Reject | undefined {
    partition = partitions.add(eventMs, fieldTexts);
    if (partition !== undefined) return undefined;
    return reject('partition-value-invalid', 'a field of the layout is too long to be a folder name', null);
  }

  return {
    check,
    partition: () => partition as Partition,
    eventMs: () => eventMs,
    line: () => line,
    extra: () => extra,
  };
}

/** Whether a raw record is placed without a look at its bytes. */
export function isOpaque({
  eventTime,
  fields,
  dedupe,
}: Pick<RowCheckOptions, 'eventTime' | 'fields'> & { readonly dedupe?: unknown }): boolean {
  return eventTime.from === 'arrival' && fields.length === 0 && dedupe === undefined;
}

function reject(code: RejectCode, reason: string, column: string | null): Reject {
  return { code, reason, column };
}

/** Line breaks can only stand between tokens here, where a space means the same. */
function slice(bytes: Buffer, from: number, to: number): string {
  return bytes.toString('utf8', from, to).replaceAll(/[\r\n]/g, ' ');
}
