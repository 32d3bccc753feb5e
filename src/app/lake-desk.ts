/** The lake as a whole, for the front door: reads of single files, links, lifecycle rules, the report. Joins lake and catalog. */
import { join } from 'node:path';
import type { BucketTools } from '../lake/s3/bucket-tools.ts';
import { reportOf } from '../lake/report.ts';
import type { DeliverySpec } from '../model/delivery.ts';
import { LakewardError } from '../model/errors.ts';
import { lakePath } from '../model/lake-path.ts';
import type { Catalog } from '../ports/catalog.ts';
import type { Clock } from '../ports/clock.ts';
import type { Deliveries } from '../ports/deliveries.ts';
import type { LakeDesk } from '../ports/lake-desk.ts';
import type { LakeStore } from '../ports/lake-store.ts';
import type { LakePlace } from './lake-place.ts';
import { whyNot } from './restore-rule.ts';

export interface LakeDeskOptions {
  readonly place: LakePlace;
  readonly lake: LakeStore;
  readonly catalog: Catalog;
  readonly deliveries: Pick<Deliveries, 'files'>;
  readonly clock: Clock;
}

export function lakeDesk({ place, lake, catalog, deliveries, clock }: LakeDeskOptions): LakeDesk {
  const specs = (): DeliverySpec[] => [...catalog.read().delivery.values()].map(({ spec }) => spec);

  async function tools(what: string, hint = ''): Promise<BucketTools> {
    const { tools: found } = await place.open();
    if (found !== undefined) return found;
    throw new LakewardError(
      'not-on-s3',
      `only a lake on S3 has ${what}; this one is the folder ${place.location}${hint}`,
    );
  }

  return {
    async read(path, options) {
      const bytes = await lake.read(lakePath(path), options);
      if (bytes !== undefined) return bytes;
      throw new LakewardError('not-found', `there is no file ${path} in the lake`);
    },
    async url(path, options) {
      const checked = lakePath(path);
      return (await tools('links', `, and the file is ${join(place.location, checked)}`)).url(checked, options);
    },
    lifecycle: async (call) => (await tools('lifecycle rules')).lifecycle(specs(), call),
    applyLifecycle: async (call) => (await tools('lifecycle rules')).applyLifecycle(specs(), call),
    async restore(options) {
      const ground = { specs: specs(), deliveries };
      return (await tools('versions')).restore(options, (path) => whyNot(path, ground));
    },
    report: (options) => reportOf(lake, { ...options, deliveries: specs(), nowMs: clock.nowMs() }),
  };
}
