/**
 * `npm run bench:flow [seconds] [records/s]`: PutRecords in and hourly Parquet out at the same time on this machine, sustained. Says what was
 * taken in, what was landed, the greatest lag, and which process the CPU went to. Paced to 100,000 records/s; rate 0 is as fast as it goes.
 * `FLOW_PROFILE=<folder>` writes a CPU profile of the server there.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { clickstream } from './clickstream.ts';
import { putRecordsRequest, runLoad } from './load.ts';
import { cpuOf, memoryPeak, treeCpu, treeOf } from './process-tree.ts';
import { atLeast, atMost, percentile, report, round } from './report.ts';
import { freePort, startServerProcess } from './server-process.ts';

const SECONDS = Number(process.argv[2] ?? 60);
/** 0: as fast as answers come. */
const RATE = Number(process.argv[3] ?? 100_000);
const BATCH = 500;
const folder = mkdtempSync(join(tmpdir(), 'lakeward-bench-flow-'));
const event = clickstream({ seed: 3, fromMs: Date.UTC(2026, 0, 15, 6), hours: 6, products: 5000 });
const requests = Array.from({ length: 128 }, (_, r) =>
  putRecordsRequest(
    'clicks',
    Array.from({ length: BATCH }, (__, i) => ({ key: `k${(r * BATCH + i) % 10_007}`, data: event(r * BATCH + i) })),
  ),
);
const port = await freePort();
const config = join(folder, 'lakeward.yaml');
const avro: unknown = JSON.parse(
  readFileSync(join(import.meta.dirname, '..', '..', 'schemas', 'clickstream.avsc'), 'utf8'),
);
writeFileSync(
  config,
  JSON.stringify({
    server: { port },
    data: { folder: join(folder, 'data') },
    lake: { folder: join(folder, 'lake') },
    streams: [{ name: 'clicks', shards: 4 }],
    deliveries: [{ name: 'clicks', stream: 'clicks', eventTime: 'event_time', schema: { avro }, flush: { age: '5s' } }],
  }),
);

interface Status {
  readonly rows: number;
  readonly files: number;
  readonly pending: { readonly records: number; readonly oldestArrivalMs?: number };
}

const profile = process.env['FLOW_PROFILE'];
const server = await startServerProcess({
  config,
  port,
  ...(profile === undefined ? {} : { nodeArguments: ['--cpu-prof', `--cpu-prof-dir=${profile}`] }),
});
const status = async (): Promise<Status> =>
  (await fetch(`${server.url}/v1/deliveries/clicks`)).json() as Promise<Status>;
try {
  const peak = memoryPeak(server.pid);
  let lagMaxSeconds = 0;
  const watch = setInterval(() => {
    void status().then(({ pending }) => {
      lagMaxSeconds = Math.max(lagMaxSeconds, (Date.now() - (pending.oldestArrivalMs ?? Date.now())) / 1000);
    });
  }, 1000);
  const before = { all: treeCpu(server.pid), server: cpuOf(server.pid), self: process.cpuUsage() };
  const load = await runLoad({
    port,
    requests,
    recordsPerRequest: BATCH,
    connections: 4,
    seconds: SECONDS,
    expect: '"FailedRecordCount":0',
    ...(RATE === 0 ? {} : { rate: RATE }),
  });
  clearInterval(watch);
  const atEnd = await status();
  const cpu = { all: treeCpu(server.pid) - before.all, server: cpuOf(server.pid) - before.server };
  const self = process.cpuUsage(before.self);
  const engines = treeOf(server.pid).length - 1;
  while ((await status()).rows < load.records) await new Promise((resolve) => setTimeout(resolve, 100));
  const landed = await status();
  const inRate = load.records / load.seconds;
  const landRate = atEnd.rows / load.seconds;
  report(
    'flow',
    {
      flow: {
        'records/s in': round(inRate),
        'records/s landed meanwhile': round(landRate),
        'lag max s': round(lagMaxSeconds),
        'pending at end': atEnd.pending.records,
        'p50 ms': round(percentile(load.latencies, 0.5)),
        'p99 ms': round(percentile(load.latencies, 0.99)),
        'server CPU µs/record': round((cpu.server * 1e6) / load.records),
        'engines CPU µs/record': round(((cpu.all - cpu.server) * 1e6) / load.records),
        'generator CPU µs/record': round((self.user + self.system) / load.records),
        engines,
        'memory MiB': peak.stop(),
        files: landed.files,
      },
    },
    [
      // A paced load starts its last requests a little before the end.
      atLeast('records/s in (aim: 100,000, less 1 % for the ends of the run)', 99_000, inRate),
      atLeast('share of the records landed while they came in', 0.8, landRate / inRate),
      atMost('lag, s', 30, lagMaxSeconds),
    ],
  );
} finally {
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
}
