/** What the embedded log counts, under which names. */
import type { Telemetry } from '../../ports/telemetry.ts';
import type { LogMetrics } from './stream-log.ts';

const SYNC_SECONDS = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1];

export function logMetrics(telemetry: Telemetry): LogMetrics {
  const counter = (name: string, help: string): LogMetrics['records'] =>
    telemetry.counter({ name: `lakeward_broker_${name}_total`, help });
  return {
    records: counter('appended_records', 'Records made durable.'),
    bytes: counter('appended_bytes', 'Bytes written for them, with headers.'),
    groups: counter('commit_groups', 'Writes with one sync each.'),
    syncSeconds: telemetry.histogram({
      name: 'lakeward_broker_sync_seconds',
      help: 'Duration of the sync of a group.',
      buckets: SYNC_SECONDS,
    }),
    writeFailures: counter('write_failures', 'Writes or syncs of a group that failed.'),
    tornBytes: counter('torn_bytes', 'Bytes of unfinished writes that a start cut off.'),
    damagedSegments: counter('damaged_segments', 'Segments found damaged and set aside.'),
    lostOffsets: counter('lost_offsets', 'Offsets that damage took, at most this many records.'),
  };
}
