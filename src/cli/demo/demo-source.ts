/**
 * The part of the demo that sends: a day of flights in fast motion by plain HTTP, beside it live metrics of this host by the Kinesis
 * wire. Counts what was acknowledged; the verdict is held against these counts.
 */
import type { Invocation } from '../command.ts';
import type { ControlClient } from '../control-client.ts';
import { putByHttp, putByKinesis } from './demo-producers.ts';
import type { FlightGroups } from './flights.ts';
import { hostMetrics } from './host-metrics.ts';

export interface SentCounts {
  flights: number;
  flightsLate: number;
  flightsBroken: number;
  metrics: number;
  metricsBroken: number;
}

const FLIGHTS_A_REQUEST = 250;
const SAMPLE_EVERY_MS = 100;

/** Replays what comes in time over `seconds`, measuring meanwhile. */
export async function replay(
  call: Invocation,
  client: ControlClient,
  options: { readonly flights: FlightGroups; readonly seconds: number; readonly sent: SentCounts },
): Promise<void> {
  const { flights, sent } = options;
  const total = flights.inTime.length;
  const requests = Math.ceil(total / FLIGHTS_A_REQUEST);
  const progress = call.terminal.progress('flights', total);
  const sampling = new AbortController();
  const measuring = measure(call, client, sent, sampling.signal);
  const startedMs = call.clock.monotonicMs();
  try {
    for (let request = 0; request < requests; request += 1) {
      call.signal.throwIfAborted();
      const lines = flights.inTime.slice(request * FLIGHTS_A_REQUEST, (request + 1) * FLIGHTS_A_REQUEST);
      await putByHttp(client, 'flights', { lines, keyField: 'origin' });
      sent.flights += lines.length;
      progress.set(sent.flights, { note: `${sent.metrics} metrics` });
      const dueMs = startedMs + ((request + 1) / requests) * options.seconds * 1000;
      await call.clock.sleep(Math.max(0, dueMs - call.clock.monotonicMs()), call.signal);
    }
  } finally {
    progress.end();
    sampling.abort();
    await measuring;
  }
}

/** Sends what comes late and what is broken; the broken records go by the Kinesis wire, which takes any bytes. */
export async function sendTrouble(client: ControlClient, flights: FlightGroups, sent: SentCounts): Promise<void> {
  await putByHttp(client, 'flights', { lines: [...flights.late, ...flights.odd], keyField: 'origin' });
  sent.flights += flights.late.length + flights.odd.length;
  sent.flightsLate += flights.late.length;
  await putByKinesis(client, 'flights', flights.broken);
  sent.flightsBroken += flights.broken.length;
  const timeless = JSON.stringify({ device_id: 'cpu-0', metric: 'busy', value: 1, unit: 'percent' });
  await putByKinesis(client, 'host-metrics', [{ key: 'broken', data: Buffer.from(timeless) }]);
  sent.metricsBroken += 1;
}

async function measure(call: Invocation, client: ControlClient, sent: SentCounts, until: AbortSignal): Promise<void> {
  const sample = hostMetrics();
  do {
    const records = sample(call.clock.nowMs()).map((it) => ({
      key: it.device_id,
      data: Buffer.from(JSON.stringify(it)),
    }));
    await putByKinesis(client, 'host-metrics', records);
    sent.metrics += records.length;
    await call.clock.sleep(SAMPLE_EVERY_MS, until).catch(() => undefined);
  } while (!until.aborted);
}
