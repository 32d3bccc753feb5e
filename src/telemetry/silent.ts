/** Telemetry that says and counts nothing, for tests of parts whose logs and metrics are not the subject. */
import type { Log, Telemetry } from '../ports/telemetry.ts';

export function silentTelemetry(): Telemetry {
  const nothing = (): void => {};
  const log: Log = { debug: nothing, info: nothing, warn: nothing, error: nothing, child: () => log };
  return {
    log,
    counter: () => ({ add: nothing }),
    gauge: () => ({ set: nothing }),
    histogram: () => ({ observe: nothing }),
    exposition: () => Promise.resolve(''),
  };
}
