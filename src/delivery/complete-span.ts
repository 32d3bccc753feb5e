/**
 * The span of time somebody waits for: a partition, or folders of several, or an hour, as text, against the layout of a delivery. Gives when it
 * is over, and which partitions lie in it. Pure. Throws `argument-invalid` with what would be accepted.
 */
import { LakewardError } from '../model/errors.ts';
import { compileLayout, type TimeUnit } from '../partition/layout.ts';
import type { CompletenessQuery } from '../ports/deliveries.ts';
import { closingUnit, unitEndMs } from './watermark.ts';

export interface CompleteSpan {
  /** Exclusive, epoch ms: complete when the watermark has come there. */
  readonly endsAtMs: number;
  /** What the paths of its partitions begin with; empty or ends with a slash. */
  readonly folders: string;
  holds(partition: string): boolean;
}

type Units = Readonly<Partial<Record<TimeUnit, number>>>;

const HOUR = /^(\d{4})-(\d{2})-(\d{2})T(\d{2})$/;

export function spanOf(layout: string, { partition, hour }: CompletenessQuery): CompleteSpan {
  if ((partition === undefined) === (hour === undefined)) {
    throw new LakewardError('argument-invalid', 'name a partition like year=2026/month=01/day=31, or an hour');
  }
  return partition === undefined ? hourOf(layout, hour ?? '') : foldersOf(layout, partition.replace(/\/$/, ''));
}

/** The first folders of a partition, or all of them. */
function foldersOf(layout: string, partition: string): CompleteSpan {
  const depth = partition.split('/').length;
  const template = layout.split('/').slice(0, depth).join('/');
  const parsed = compileLayout(template).parse(partition);
  if (parsed === undefined) throw wrong(`'${partition}' is no partition of the layout '${layout}'`);
  const endsAtMs = endOf(parsed.units);
  if (endsAtMs === undefined) throw wrong(`'${partition}' names no time of the layout '${layout}'`);
  const folders = `${partition}/`;
  return { endsAtMs, folders, holds: (other) => `${other}/`.startsWith(folders) };
}

function hourOf(layout: string, hour: string): CompleteSpan {
  const timeMs = Date.parse(`${hour}:00:00Z`);
  if (!HOUR.test(hour) || Number.isNaN(timeMs)) throw wrong(`'${hour}' is no hour like 2026-01-31T10, in UTC`);
  const compiled = compileLayout(layout);
  const { units } = compiled;
  if (closingUnit(units) === undefined || !units.includes('HH')) {
    throw wrong(`the layout '${layout}' has no hours; name a partition`);
  }
  const wanted = unitsOf(timeMs);
  const holds = (partition: string): boolean => {
    const parsed = compiled.parse(partition)?.units;
    return parsed !== undefined && (['yyyy', 'MM', 'dd', 'HH'] as const).every((unit) => parsed[unit] === wanted[unit]);
  };
  const timed = compiled.segments.findIndex((segment) =>
    segment.some((part) => part.kind === 'field' || (part.kind === 'time' && part.unit === 'mm')),
  );
  const template = layout
    .split('/')
    .slice(0, timed < 0 ? compiled.segments.length : timed)
    .join('/');
  const folders = compileLayout(template).format({ timeMs, fields: [] }) ?? '';
  return { endsAtMs: unitEndMs(timeMs, 'HH'), folders: folders === '' ? '' : `${folders}/`, holds };
}

function unitsOf(timeMs: number): Units {
  const time = new Date(timeMs);
  const [yyyy, MM] = [time.getUTCFullYear(), time.getUTCMonth() + 1];
  return { yyyy, MM, dd: time.getUTCDate(), HH: time.getUTCHours() };
}

function endOf(units: Units): number | undefined {
  const finest = closingUnit((['yyyy', 'MM', 'dd', 'HH', 'mm'] as const).filter((unit) => units[unit] !== undefined));
  if (finest === undefined) return undefined;
  const { yyyy = 0, MM = 1, dd = 1, HH = 0, mm = 0 } = units;
  const timeMs = Date.UTC(yyyy, MM - 1, dd, HH, mm);
  const back = unitsOf(timeMs);
  // The 31st of a short month is no day.
  if (back.MM !== MM || back.dd !== dd || back.HH !== HH) return undefined;
  return unitEndMs(timeMs, finest);
}

function wrong(what: string): LakewardError {
  return new LakewardError('argument-invalid', what);
}
