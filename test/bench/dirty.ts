/**
 * `npm run bench:dirty [events]`: the same events landed twice by one server at full speed: clean, and with 5 % of the rows late,
 * spread over 48 hours, and 1 % that cannot land. Tells files, rejects by reason, rows and CPU of both runs.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { clickstream, seeded } from './clickstream.ts';
import { putRecordsRequest, runLoad } from './load.ts';
import { memoryPeak, treeCpu } from './process-tree.ts';
import { atLeast, report, round } from './report.ts';
import { type ServerProcess, freePort, startServerProcess } from './server-process.ts';

const EVENTS = Number(process.argv[2] ?? 1_000_000);
const BATCH = 500;
const HOUR_MS = 3_600_000;
const FROM_MS = Date.UTC(2026, 0, 15, 6);
const LATE_SHARE = 0.05;
const POISON_SHARE = 0.01;
const SCHEMA = join(import.meta.dirname, '..', '..', 'schemas', 'clickstream.avsc');

interface Status {
  readonly rows: number;
  readonly rejectedRows: number;
  readonly files: number;
  readonly rejects: { readonly groups: readonly { code: string; column?: string; rejected: number }[] };
}

async function post(server: ServerProcess, path: string, body: object): Promise<void> {
  const answer = await fetch(server.url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
}

/** The events of a stream, some of them late or unfit when it is the dirty one. */
function eventsOf(stream: string): (index: number) => string {
  const event = clickstream({ seed: 1, fromMs: FROM_MS, hours: 6, products: 5000 });
  if (stream === 'clean') return event;
  const random = seeded(7);
  return (index) => {
    const text = event(index);
    const dice = random();
    if (dice < POISON_SHARE / 2) return text.slice(0, -1);
    if (dice < POISON_SHARE) return text.replace(/"quantity":\d+/, '"quantity":"many"');
    if (dice >= POISON_SHARE + LATE_SHARE) return text;
    const time = new Date(FROM_MS - Math.floor(random() * 48 * HOUR_MS)).toISOString();
    return text.replace(/"event_time":"[^"]*"/, `"event_time":"${time}"`);
  };
}

async function fill(server: ServerProcess, port: number, stream: string): Promise<void> {
  await post(server, '/v1/streams', { name: stream, shards: 4 });
  const event = eventsOf(stream);
  for (let from = 0; from < EVENTS; from += BATCH) {
    const records = Array.from({ length: BATCH }, (_, i) => ({
      key: `k${(from + i) % 10_007}`,
      data: event(from + i),
    }));
    const requests = [putRecordsRequest(stream, records)];
    const load = { port, requests, recordsPerRequest: BATCH, connections: 1, seconds: 0.000_001 };
    await runLoad({ ...load, expect: '"FailedRecordCount":0' });
  }
}

/** Lands a stream from its beginning. */
async function land(server: ServerProcess, stream: string, avro: unknown) {
  const peak = memoryPeak(server.pid);
  const before = treeCpu(server.pid);
  const started = performance.now();
  await post(server, '/v1/deliveries', {
    name: stream,
    stream,
    eventTime: 'event_time',
    schema: { avro },
    flush: { age: '1s' },
  });
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    const status = (await (await fetch(`${server.url}/v1/deliveries/${stream}`)).json()) as Status;
    if (status.rows + status.rejectedRows < EVENTS) continue;
    const seconds = (performance.now() - started) / 1000;
    return { status, seconds, cpu: treeCpu(server.pid) - before, memory: peak.stop() };
  }
}

function row({ status, seconds, cpu, memory }: Awaited<ReturnType<typeof land>>): Record<string, number> {
  const reasons = status.rejects.groups.map(({ code, column, rejected }) => [
    `${code} ${column ?? ''}`.trim(),
    rejected,
  ]);
  return {
    'rows/s': round(EVENTS / seconds),
    'CPU s': round(cpu),
    'rows/CPU s': round(EVENTS / cpu),
    'memory MiB': memory,
    files: status.files,
    rejected: status.rejectedRows,
    ...(Object.fromEntries(reasons) as Record<string, number>),
  };
}

const folder = mkdtempSync(join(tmpdir(), 'lakeward-bench-dirty-'));
try {
  const port = await freePort();
  const config = join(folder, 'lakeward.yaml');
  const places = { data: { folder: join(folder, 'data') }, lake: { folder: join(folder, 'lake') } };
  writeFileSync(config, JSON.stringify({ server: { port }, ...places }));
  const avro: unknown = JSON.parse(readFileSync(SCHEMA, 'utf8'));
  const filled = await startServerProcess({ config, port });
  for (const stream of ['clean', 'dirty']) await fill(filled, port, stream);
  await filled.stop();
  const server = await startServerProcess({ config, port });
  const clean = await land(server, 'clean', avro);
  const dirty = await land(server, 'dirty', avro);
  await server.stop();
  report('dirty', { clean: row(clean), '5 % late, 1 % poison': row(dirty) }, [
    atLeast('share of the throughput of the clean run', 0.7, clean.seconds / dirty.seconds),
    atLeast('share of its rows per CPU second', 0.7, clean.cpu / dirty.cpu),
  ]);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
