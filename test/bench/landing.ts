/** A delivery of clickstream events that waits in a stream, measured from its creation until every event is in its place in the lake. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { memoryPeak, treeCpu } from './process-tree.ts';
import { round } from './report.ts';
import type { ServerProcess } from './server-process.ts';

const SCHEMA = join(import.meta.dirname, '..', '..', 'schemas', 'clickstream.avsc');

export const HOURLY = { name: 'hourly', layout: 'year={yyyy}/month={MM}/day={dd}/hour={HH}/' };

export interface Landed {
  readonly seconds: number;
  readonly cpu: number;
  /** Of all processes at most, MiB. */
  readonly memory: number;
  readonly files: number;
  readonly bytes?: number;
}

export async function post(server: ServerProcess, path: string, body: object): Promise<unknown> {
  const answer = await fetch(server.url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}

/** Creates a delivery of the stream `clicks` from the earliest record and waits until every event is in the lake. */
export async function land(
  server: ServerProcess,
  spec: { readonly name: string; readonly layout: string },
  events: number,
): Promise<Landed> {
  const avro: unknown = JSON.parse(readFileSync(SCHEMA, 'utf8'));
  const peak = memoryPeak(server.pid);
  const before = treeCpu(server.pid);
  const started = performance.now();
  await post(server, '/v1/deliveries', {
    ...spec,
    stream: 'clicks',
    eventTime: 'event_time',
    schema: { avro },
    flush: { age: '1s' },
  });
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, 500));
    const status = (await (await fetch(`${server.url}/v1/deliveries/${spec.name}`)).json()) as {
      rows: number;
      rejectedRows: number;
      files: number;
      bytes: number;
    };
    if (status.rejectedRows > 0) throw new Error(`${status.rejectedRows} rows were rejected`);
    if (status.rows < events) continue;
    // Committed; its files may still be on their way to their places.
    await post(server, `/v1/deliveries/${spec.name}/flush`, {});
    return {
      seconds: (performance.now() - started) / 1000,
      cpu: treeCpu(server.pid) - before,
      memory: peak.stop(),
      files: status.files,
      bytes: status.bytes,
    };
  }
}

export function landedRow(landed: Landed, events: number): Record<string, number> {
  return {
    'rows/s': round(events / landed.seconds),
    'CPU s': round(landed.cpu),
    'rows/CPU s': round(events / landed.cpu),
    'memory MiB': landed.memory,
    files: landed.files,
  };
}
