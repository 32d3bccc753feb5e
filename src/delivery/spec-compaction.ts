/** The part of a specification that says how small files become large ones. */
import type { CompactionRule, DataFormat, DeliverySpec, LakeReaders } from '../model/delivery.ts';
import { isMergeable } from '../model/delivery.ts';
import { GIB, MIB } from '../model/limits.ts';
import { parseBytes, parseDurationMs } from '../model/units.ts';
import { isObject, type QuantityRule, type SpecReader } from './spec-fields.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
const SORTS_MAX = 8;
const READERS: readonly LakeReaders[] = ['listing', 'manifest'];
// biome-ignore format: one line a concern
const KEYS = ['every', 'everyMs', 'targetBytes', 'after', 'afterMs', 'sort', 'window', 'readers', 'keep', 'keepMs'];
const DEFAULTS = { everyMs: 15 * MINUTE_MS, targetBytes: 128 * MIB, afterMs: 60 * MINUTE_MS, keepMs: 7 * DAY_MS };
const EVERY = { min: MINUTE_MS, max: 7 * DAY_MS, accepted: '1m to 7d', parse: parseDurationMs };
const TARGET = { min: MIB, max: GIB, accepted: '1MiB to 1GiB', parse: parseBytes };
const AFTER = { min: 0, max: 366 * DAY_MS, accepted: '0s to 366d', parse: parseDurationMs };
const KEEP = { min: 60 * MINUTE_MS, max: 366 * DAY_MS, accepted: '1h to 366d', parse: parseDurationMs };
const WINDOW_ACCEPTED = 'two times of day in UTC, like 22:00-06:00';

/** `none` stands for no rule. */
export function readCompaction(read: SpecReader, format: DataFormat, value: unknown): Pick<DeliverySpec, 'compaction'> {
  if (value === undefined || value === 'none') return {};
  const given = read.object('compaction', value, KEYS);
  if (given === undefined) return {};
  if (!isMergeable(format)) {
    return read.fault({ path: 'compaction', value, accepted: 'no compaction with format raw' }, {});
  }
  const duration = (key: 'every' | 'after' | 'keep', rule: QuantityRule): number =>
    read.quantity(`compaction.${key}`, given[key] ?? given[`${key}Ms`] ?? DEFAULTS[`${key}Ms`], rule);
  const readers = read.choice('compaction.readers', given['readers'], { accepted: READERS, standIn: 'listing' });
  const keeps = given['keep'] !== undefined || given['keepMs'] !== undefined;
  if (keeps && readers === 'listing') {
    read.fault({ path: 'compaction.keep', value: given['keep'], accepted: 'only with readers manifest' }, undefined);
  }
  const compaction: CompactionRule = {
    everyMs: duration('every', EVERY),
    targetBytes: read.quantity('compaction.targetBytes', given['targetBytes'] ?? DEFAULTS.targetBytes, TARGET),
    afterMs: duration('after', AFTER),
    sort: readSort(read, given['sort'] ?? 'time'),
    ...readWindow(read, given['window']),
    readers,
    ...(readers === 'manifest' ? { keepMs: duration('keep', KEEP) } : {}),
  };
  return { compaction };
}

function readSort(read: SpecReader, value: unknown): CompactionRule['sort'] {
  if (value === 'time' || value === 'none') return value;
  const fields = Array.isArray(value) ? (value as unknown[]) : [];
  const good = fields.filter((field): field is string => typeof field === 'string' && !field.split('.').includes(''));
  if (good.length > 0 && good.length === fields.length && good.length <= SORTS_MAX) return good;
  const accepted = `time, none, or a list of up to ${SORTS_MAX} columns`;
  return read.fault({ path: 'compaction.sort', value, accepted }, 'time');
}

function readWindow(read: SpecReader, value: unknown): Pick<CompactionRule, 'window'> {
  if (value === undefined) return {};
  if (isObject(value)) {
    const { fromMinute, toMinute } = value;
    if (isMinute(fromMinute) && isMinute(toMinute)) return { window: { fromMinute, toMinute } };
  }
  const times = typeof value === 'string' ? /^([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)$/.exec(value) : null;
  if (times === null) return read.fault({ path: 'compaction.window', value, accepted: WINDOW_ACCEPTED }, {});
  const [fromHour = 0, from = 0, toHour = 0, to = 0] = times.slice(1).map(Number);
  return { window: { fromMinute: fromHour * 60 + from, toMinute: toHour * 60 + to } };
}

function isMinute(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) < 24 * 60;
}
