/** What a landing log of tests and benchmarks is opened with: delivery `d` of stream `s` from its beginning, writer `w`. */
import { openLake } from '../../src/landing/lake-identity.ts';
import type { LandingLogOptions } from '../../src/landing/landing-log.ts';
import { asStreamId } from '../../src/model/stream.ts';
import { silentTelemetry } from '../../src/telemetry/silent.ts';

type Given = Pick<LandingLogOptions, 'store' | 'clock'> & Partial<LandingLogOptions>;

/** Makes the store a lake when it is none. */
export async function logOptions(given: Given): Promise<LandingLogOptions> {
  return {
    telemetry: silentTelemetry(),
    delivery: 'd',
    prefix: 'd',
    writer: 'w',
    lakeId: await openLake(given.store, given),
    stream: { name: 's', id: asStreamId('s-1') },
    start: async () => new Map(),
    ...given,
  };
}
