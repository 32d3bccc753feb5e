/** The part of a specification that says how Parquet files are written, where the defaults of the engine do not serve. */
import type { DataFormat, DeliverySpec, ParquetOptions } from '../model/delivery.ts';
import type { SpecReader } from './spec-fields.ts';

/** The engine writes rows by the 2,048. */
const ROWS = { min: 2048, max: 1_000_000, accepted: '2048 to 1000000' };
const SHARE = { min: 0.0001, max: 0.5 };

/** `none` stands for the defaults. */
export function readParquet(read: SpecReader, format: DataFormat, value: unknown): Pick<DeliverySpec, 'parquet'> {
  if (value === undefined || value === 'none') return {};
  if (format !== 'parquet') return read.fault({ path: 'parquet', value, accepted: 'only with format parquet' }, {});
  const given = read.object('parquet', value, ['rowGroupRows', 'bloomFilters']);
  if (given === undefined) return {};
  const { rowGroupRows: rows, bloomFilters } = given;
  const parquet: ParquetOptions = {
    ...(rows === undefined ? {} : { rowGroupRows: read.quantity('parquet.rowGroupRows', rows, ROWS) }),
    ...readFilters(read, bloomFilters),
  };
  return Object.keys(parquet).length === 0 ? {} : { parquet };
}

function readFilters(read: SpecReader, value: unknown): Pick<ParquetOptions, 'bloomFilters'> {
  if (value === undefined) return {};
  if (value === 'none') return { bloomFilters: value };
  if (typeof value === 'number' && value >= SHARE.min && value <= SHARE.max) return { bloomFilters: value };
  const accepted = `none, or the share of false positives, ${SHARE.min} to ${SHARE.max}`;
  return read.fault({ path: 'parquet.bloomFilters', value, accepted }, {});
}
