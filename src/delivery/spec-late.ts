/** The part of a specification that says whether late rows are held. */
import type { DataFormat, DeliverySpec } from '../model/delivery.ts';
import { isMergeable } from '../model/delivery.ts';
import { GIB, MIB } from '../model/limits.ts';
import { parseBytes, parseDurationMs } from '../model/units.ts';
import { compileLayout } from '../partition/layout.ts';
import type { SpecReader } from './spec-fields.ts';
import { closingUnit } from './watermark.ts';

const MINUTE_MS = 60_000;
const KEYS = ['hold', 'holdMs', 'bytes'];
const DEFAULTS = { holdMs: 15 * MINUTE_MS, bytes: 64 * MIB };
const HOLD = { min: MINUTE_MS, max: 24 * 60 * MINUTE_MS, accepted: '1m to 24h', parse: parseDurationMs };
const BYTES = { min: MIB, max: GIB, accepted: '1MiB to 1GiB', parse: parseBytes };

/** `none` stands for rows that show when they land. */
export function readLate(
  read: SpecReader,
  { format, layout }: { readonly format: DataFormat; readonly layout: string },
  value: unknown,
): Pick<DeliverySpec, 'late'> {
  if (value === undefined || value === 'none') return {};
  const given = read.object('late', value, KEYS);
  if (given === undefined) return {};
  if (!isMergeable(format)) return read.fault({ path: 'late', value, accepted: 'no late with format raw' }, {});
  if (closingUnit(compileLayout(layout).units) === undefined) {
    return read.fault({ path: 'late', value, accepted: 'only with a layout that begins with {yyyy}' }, {});
  }
  const late = {
    holdMs: read.quantity('late.hold', given['hold'] ?? given['holdMs'] ?? DEFAULTS.holdMs, HOLD),
    bytes: read.quantity('late.bytes', given['bytes'] ?? DEFAULTS.bytes, BYTES),
  };
  return { late };
}
