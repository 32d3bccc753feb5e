/** The metrics that the program registers, told by the code that does it: name, type and labels. */
import { S3Client } from '@aws-sdk/client-s3';
import { lakePlace } from '../../src/app/lake-place.ts';
import { logMetrics } from '../../src/broker/embedded/log-metrics.ts';
import { kafkaMetrics } from '../../src/broker/kafka/kafka-metrics.ts';
import { manualClock } from '../../src/clock/manual-clock.ts';
import { systemClock } from '../../src/clock/system-clock.ts';
import { compactionMetrics } from '../../src/compaction/metrics.ts';
import { duckdbConverter } from '../../src/convert/duckdb-converter.ts';
import { deliveryMetrics } from '../../src/delivery/metrics.ts';
import { ingestMetrics } from '../../src/ingest/ingest-metrics.ts';
import { openKeyRing } from '../../src/lake/encrypt/key-ring.ts';
import { memoryStore } from '../../src/lake/memory/memory-store.ts';
import { countRequests } from '../../src/lake/s3/request-metrics.ts';
import { countingStore } from '../../src/lake/wrap/counting-store.ts';
import { retryingStore } from '../../src/lake/wrap/retrying-store.ts';
import { storePace } from '../../src/lake/wrap/store-pace.ts';
import type { MetricOptions, Telemetry } from '../../src/ports/telemetry.ts';
import { openRedisLink } from '../../src/schedule/bullmq/redis-link.ts';
import { measuredRuns } from '../../src/schedule/measured-run.ts';
import { silentTelemetry } from '../../src/telemetry/silent.ts';

export interface RegisteredMetric {
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly labels: readonly string[];
}

export async function registeredMetrics(): Promise<ReadonlyMap<string, RegisteredMetric>> {
  const found = new Map<string, RegisteredMetric>();
  const telemetry = recording(found);
  const clock = manualClock();
  const store = memoryStore({ clock });
  ingestMetrics(telemetry);
  logMetrics(telemetry);
  kafkaMetrics(telemetry);
  deliveryMetrics(telemetry, 'd');
  compactionMetrics(telemetry, 'd');
  measuredRuns(clock, telemetry);
  countingStore(store, { clock, telemetry });
  retryingStore(store, { clock, telemetry, pace: storePace(clock) });
  countRequests(new S3Client({ region: 'us-east-1' }), telemetry);
  const keys = await openKeyRing([], (bytes) => new Uint8Array(bytes));
  lakePlace({ folder: '/nowhere' }, { clock, telemetry, keys });
  const engines = { engines: 1, memoryBytes: 1, schemas: () => [], scratchFolder: '/nowhere' };
  duckdbConverter({ ...engines, clock, telemetry });
  const away = await openRedisLink({ url: 'redis://127.0.0.1:1', clock: systemClock(), telemetry });
  away.close();
  // Registered by the task that measures it.
  found.set('lakeward_app_disk_free_bytes', { type: 'gauge', labels: [] });
  return found;
}

function recording(found: Map<string, RegisteredMetric>): Telemetry {
  const note =
    (type: RegisteredMetric['type']) =>
    ({ name, labels = [] }: MetricOptions) => {
      found.set(name, { type, labels });
      return { add: () => {}, set: () => {}, observe: () => {} };
    };
  return { ...silentTelemetry(), counter: note('counter'), gauge: note('gauge'), histogram: note('histogram') };
}
