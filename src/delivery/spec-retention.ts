/** The part of a specification that says how long partitions stay in the lake. */
import type { DeliverySpec } from '../model/delivery.ts';
import { parseDurationMs } from '../model/units.ts';
import { compileLayout } from '../partition/layout.ts';
import type { SpecReader } from './spec-fields.ts';
import { closingUnit } from './watermark.ts';

const DAY_MS = 86_400_000;
const AGE = { min: 3_600_000, max: 100 * 366 * DAY_MS, accepted: '1h to 36600d, or none', parse: parseDurationMs };

/** `none` stands for ever. */
export function readRetention(read: SpecReader, layout: string, value: unknown): Pick<DeliverySpec, 'retentionMs'> {
  if (value === undefined || value === 'none') return {};
  const retentionMs = read.quantity('retention', value, AGE);
  if (closingUnit(compileLayout(layout).units) !== undefined) return { retentionMs };
  return read.fault({ path: 'retention', value, accepted: 'only with a layout that begins with {yyyy}' }, {});
}
