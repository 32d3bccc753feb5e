/** What the broker on Kafka counts; what it has in common with the embedded one under the same names. */
import type { Telemetry } from '../../ports/telemetry.ts';
import type { RecordSet } from './record-sets.ts';

const SEND_SECONDS = [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 30];

export interface KafkaMetrics {
  /** One send: what was to be written, what of it is stored, how long it took. */
  appended(sets: readonly RecordSet[], stored: ReadonlyMap<RecordSet, number>, seconds: number): void;
  fetched(records: number, bytes: number): void;
}

export function kafkaMetrics(telemetry: Telemetry): KafkaMetrics {
  const counter = (name: string, help: string) => telemetry.counter({ name: `lakeward_broker_${name}_total`, help });
  const records = counter('appended_records', 'Records made durable.');
  const bytes = counter('appended_bytes', 'Bytes written for them, with headers.');
  const failed = counter('failed_records', 'Records that Kafka did not acknowledge; they may be there all the same.');
  const fetchedRecords = counter('fetched_records', 'Records read from Kafka.');
  const fetchedBytes = counter('fetched_bytes', 'Bytes of their keys and data.');
  const send = telemetry.histogram({
    name: 'lakeward_broker_send_seconds',
    help: 'From sending records to Kafka to its last answer about them.',
    buckets: SEND_SECONDS,
  });
  return {
    appended(sets, stored, seconds) {
      for (const set of sets) {
        if (stored.has(set)) {
          records.add(set.count);
          bytes.add(set.bytes.length);
        } else failed.add(set.count);
      }
      send.observe(seconds);
    },
    fetched(count, size) {
      fetchedRecords.add(count);
      fetchedBytes.add(size);
    },
  };
}
