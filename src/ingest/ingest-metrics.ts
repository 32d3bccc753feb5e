/** Everything the front door counts, under one roof so that names and labels agree between the two protocols. */
import type { AppendBatch } from '../model/record-batch.ts';
import { batchBytes } from '../model/record-batch.ts';
import type { AppendResult } from '../ports/broker.ts';
import type { Counter, Gauge, Histogram, Telemetry } from '../ports/telemetry.ts';

export interface IngestMetrics {
  readonly records: Counter;
  readonly bytes: Counter;
  readonly failedRecords: Counter;
  readonly readRecords: Counter;
  readonly requests: Counter;
  /** From the first byte of a request's headers to its answer, of requests that store records. */
  readonly acknowledgeSeconds: Histogram;
  readonly inFlightBytes: Gauge;
}

/** How a request is counted whose client did not wait for the answer: no fault of the server. */
export const CLIENT_GONE = { status: '499', code: 'client-gone' };

export function ingestMetrics(telemetry: Telemetry): IngestMetrics {
  return {
    records: telemetry.counter({
      name: 'lakeward_ingest_records_total',
      help: 'Records acknowledged as durable.',
      labels: ['protocol', 'stream'],
    }),
    bytes: telemetry.counter({
      name: 'lakeward_ingest_bytes_total',
      help: 'Bytes of data and partition keys of acknowledged records.',
      labels: ['protocol', 'stream'],
    }),
    failedRecords: telemetry.counter({
      name: 'lakeward_ingest_failed_records_total',
      help: 'Records refused or not stored, by error code.',
      labels: ['protocol', 'code'],
    }),
    readRecords: telemetry.counter({
      name: 'lakeward_ingest_read_records_total',
      help: 'Records given to readers.',
      labels: ['protocol', 'stream'],
    }),
    requests: telemetry.counter({
      name: 'lakeward_ingest_requests_total',
      help: 'Requests answered; with status 499 those whose client did not wait.',
      labels: ['protocol', 'action', 'status', 'code'],
    }),
    acknowledgeSeconds: telemetry.histogram({
      name: 'lakeward_ingest_acknowledge_seconds',
      help: 'Time from a request to the answer that its records are durable.',
      labels: ['protocol'],
      buckets: [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    }),
    inFlightBytes: telemetry.gauge({
      name: 'lakeward_ingest_in_flight_bytes',
      help: 'Bytes of request bodies held in memory.',
    }),
  };
}

/** Counts what the broker made of a batch. */
export function countAppend(
  { records, bytes, failedRecords }: IngestMetrics,
  batch: AppendBatch,
  { failures }: AppendResult,
  labels: { readonly protocol: string; readonly stream: string },
): void {
  let stored = batchBytes(batch);
  for (const { index, code } of failures) {
    stored -= (batch.keyEnds[index] ?? 0) - (batch.keyEnds[index - 1] ?? 0);
    stored -= (batch.dataEnds[index] ?? 0) - (batch.dataEnds[index - 1] ?? 0);
    failedRecords.add(1, { protocol: labels.protocol, code });
  }
  records.add(batch.count - failures.length, labels);
  bytes.add(stored, labels);
}
