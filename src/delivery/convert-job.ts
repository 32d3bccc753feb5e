/**
 * What of a specification the converter is told. The one place: a landing, a rebuild of lost files and a replay of rejected rows must
 * treat the same record alike.
 */
import type { ColumnPlan } from '../model/column-plan.ts';
import type { DeliverySpec } from '../model/delivery.ts';
import type { ConvertJob } from '../ports/converter.ts';

export function convertJob(spec: DeliverySpec, plan: ColumnPlan, directory: string): ConvertJob {
  const { layout, eventTime, eventFutureMs, format, compression, parquet, separator, formulaGuard } = spec;
  const forFormat = {
    ...(parquet === undefined ? {} : { parquet }),
    ...(separator === undefined ? {} : { separator }),
    ...(formulaGuard === undefined ? {} : { formulaGuard }),
  };
  const window = spec.rejects?.budget?.rows;
  const forRejects = window === undefined ? {} : { rejectWindow: window };
  const forGrowth = spec.evolve === undefined ? {} : ({ tellExtraKeys: true } as const);
  const options = { ...forFormat, ...forRejects, ...forGrowth };
  return { plan, layout, eventTime, eventFutureMs, format, compression, ...options, directory };
}
