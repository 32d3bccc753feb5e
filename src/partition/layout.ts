/**
 * Layouts: from a row's event time and fields to the partition it lies in, and back. A partition is folders joined by `/` without
 * slash at its ends; the empty layout has the one partition ''. Two rows share a partition exactly when their values at the
 * layout's precision are equal, and no value of a record can change the number or the literal text of the folders.
 */
import { LIMITS } from '../model/limits.ts';
import type { LayoutPart, LayoutSegment, TimeUnit } from './template.ts';
import { UNIT_DIGITS, parseTemplate } from './template.ts';
import { decodeValue, encodeValue, encodedBytes } from './value.ts';

export type { TimeUnit } from './template.ts';

export interface PartitionValues {
  /** Event time, epoch ms; within years 0001–9999. Not read when the layout has no time units. */
  readonly timeMs: number;
  /** Texts of the layout's fields in the order of `Layout.fields`; null for missing. */
  readonly fields: readonly (string | null)[];
}

export interface ParsedPartition {
  readonly units: Readonly<Partial<Record<TimeUnit, number>>>;
  readonly fields: readonly (string | null)[];
}

export interface Layout {
  /** The template, ending with `/` unless empty. */
  readonly template: string;
  readonly segments: readonly LayoutSegment[];
  /** Field paths used, in order; `a.b` reaches into objects. */
  readonly fields: readonly string[];
  /** Time units used, coarse to fine. */
  readonly units: readonly TimeUnit[];
  /** The partition of a row, or undefined when a field's text is too long to be a folder name. */
  format(values: PartitionValues): string | undefined;
  /** What `format` made the text of, at the layout's precision, or undefined when it cannot have made it. */
  parse(partition: string): ParsedPartition | undefined;
}

const UNITS = Object.keys(UNIT_DIGITS) as TimeUnit[];

/** Compiles a template; the slash at its end may be missing. Throws `layout-invalid`. */
export function compileLayout(template: string): Layout {
  const segments = parseTemplate(template);
  const parts = segments.flat();
  const fields = parts.flatMap((part) => (part.kind === 'field' ? [part.field] : []));
  const used = new Set(parts.flatMap((part) => (part.kind === 'time' ? [part.unit] : [])));
  const patterns = segments.map(patternOf);
  return {
    template: template === '' || template.endsWith('/') ? template : `${template}/`,
    segments,
    fields,
    units: UNITS.filter((unit) => used.has(unit)),
    format: (values) => formatPartition(segments, used.size > 0, values),
    parse: (partition) => parsePartition(segments, patterns, partition),
  };
}

/** True when a field's text can be a folder name. */
export function isPartitionValue(value: string): boolean {
  return encodedBytes(value) <= LIMITS.partitionValueBytesMax;
}

function formatPartition(
  segments: readonly LayoutSegment[],
  timed: boolean,
  values: PartitionValues,
): string | undefined {
  if (values.fields.some((value) => value !== null && !isPartitionValue(value))) return undefined;
  const time = timed ? new Date(values.timeMs) : undefined;
  let field = 0;
  const text = (part: LayoutPart, leads: boolean): string => {
    if (part.kind === 'literal') return part.text;
    if (part.kind === 'field') return encodeValue(values.fields[field++] ?? null, leads);
    return String(time === undefined ? 0 : UNIT_OF[part.unit](time)).padStart(UNIT_DIGITS[part.unit], '0');
  };
  return segments.map((segment) => segment.map((part, i) => text(part, i === 0)).join('')).join('/');
}

const UNIT_OF: Readonly<Record<TimeUnit, (time: Date) => number>> = {
  yyyy: (time) => time.getUTCFullYear(),
  MM: (time) => time.getUTCMonth() + 1,
  dd: (time) => time.getUTCDate(),
  HH: (time) => time.getUTCHours(),
  mm: (time) => time.getUTCMinutes(),
};

function patternOf(segment: LayoutSegment): RegExp {
  const source = segment.map((part) => {
    if (part.kind === 'literal') return part.text.replaceAll(/[.+]/g, '\\$&');
    return part.kind === 'field' ? '([A-Za-z0-9_.%-]+)' : `(\\d{${UNIT_DIGITS[part.unit]}})`;
  });
  return new RegExp(`^${source.join('')}$`);
}

function parsePartition(
  segments: readonly LayoutSegment[],
  patterns: readonly RegExp[],
  partition: string,
): ParsedPartition | undefined {
  const folders = partition === '' ? [] : partition.split('/');
  if (folders.length !== segments.length) return undefined;
  const units: Partial<Record<TimeUnit, number>> = {};
  const fields: (string | null)[] = [];
  for (const [i, segment] of segments.entries()) {
    const texts = patterns[i]?.exec(folders[i] ?? '')?.slice(1);
    if (texts === undefined) return undefined;
    let next = 0;
    for (const [at, part] of segment.entries()) {
      if (part.kind === 'literal') continue;
      const text = texts[next++] ?? '';
      if (part.kind === 'time') {
        if (units[part.unit] !== undefined && units[part.unit] !== Number(text)) return undefined;
        units[part.unit] = Number(text);
        continue;
      }
      const value = decodeValue(text, at === 0);
      if (value === undefined) return undefined;
      fields.push(value);
    }
  }
  return { units, fields };
}
