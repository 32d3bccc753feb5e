/**
 * `npm run bench:ingest`: PutRecords of 500 × 500 B over 4 connections into 4 shards, acknowledged after fdatasync, beside
 * kinesalite with its store on disk, in turn on the same machine. Server CPU a record is the figure that noise touches least.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { seeded } from './clickstream.ts';
import { type LoadResult, kinesisRequest, putRecordsRequest, runLoad } from './load.ts';
import { memoryPeak, treeCpu } from './process-tree.ts';
import { atLeast, atMost, percentile, report, round } from './report.ts';
import { freePort, startServerProcess } from './server-process.ts';

const RECORDS = 500;
const RECORD_BYTES = 500;
const CONNECTIONS = 4;
const SHARDS = 4;
const SECONDS = Number(process.argv[2] ?? 15);
const STREAM = 'bench';

const folder = mkdtempSync(join(tmpdir(), 'lakeward-bench-ingest-'));
const random = seeded(7);
const requests = Array.from({ length: 32 }, () =>
  putRecordsRequest(
    STREAM,
    Array.from({ length: RECORDS }, () => ({
      key: `device-${Math.floor(random() * 1_000_000)}`,
      data: Uint8Array.from({ length: RECORD_BYTES }, () => 97 + Math.floor(random() * 26)),
    })),
  ),
);

interface Subject {
  readonly pid: number;
  readonly port: number;
  stop(): Promise<void>;
}

async function lakeward(): Promise<Subject> {
  const port = await freePort();
  const config = join(folder, 'lakeward.yaml');
  writeFileSync(
    config,
    JSON.stringify({
      server: { port },
      data: { folder: join(folder, 'data') },
      lake: { folder: join(folder, 'lake') },
    }),
  );
  const server = await startServerProcess({ config, port });
  return { pid: server.pid, port, stop: () => server.stop() };
}

async function kinesalite(): Promise<Subject> {
  const port = await freePort();
  const main = fileURLToPath(import.meta.resolve('kinesalite'));
  const options = JSON.stringify({ path: join(folder, 'kinesalite'), createStreamMs: 0, shardLimit: 64 });
  const script = `require(${JSON.stringify(main)})(${options}).listen(${port}, '127.0.0.1')`;
  const child = spawn(process.execPath, ['-e', script], { stdio: 'ignore' });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  for (let tries = 0; ; tries++) {
    try {
      await call(port, 'ListStreams', {});
      break;
    } catch (error) {
      if (tries > 200) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  return {
    pid: child.pid ?? 0,
    port,
    async stop() {
      child.kill();
      await ended;
    },
  };
}

async function call(port: number, action: string, body: object): Promise<void> {
  const load = {
    port,
    requests: [kinesisRequest(action, JSON.stringify(body))],
    recordsPerRequest: 1,
    connections: 1,
    seconds: 0.001,
  };
  await runLoad({ ...load, expect: 'HTTP/1.1 200' });
}

async function measure(
  start: () => Promise<Subject>,
): Promise<{ row: Record<string, number>; rate: number; cpuMicros: number; half: LoadResult }> {
  const subject = await start();
  try {
    await call(subject.port, 'CreateStream', { StreamName: STREAM, ShardCount: SHARDS });
    await new Promise((resolve) => setTimeout(resolve, 1000));
    const load = {
      port: subject.port,
      requests,
      recordsPerRequest: RECORDS,
      connections: CONNECTIONS,
      expect: '"FailedRecordCount":0',
    };
    await runLoad({ ...load, seconds: 2 });
    const peak = memoryPeak(subject.pid);
    const before = treeCpu(subject.pid);
    const full = await runLoad({ ...load, seconds: SECONDS });
    const cpuMicros = ((treeCpu(subject.pid) - before) * 1e6) / full.records;
    const rate = full.records / full.seconds;
    const half = await runLoad({ ...load, seconds: SECONDS, rate: rate / 2 });
    const row = {
      'records/s': round(rate),
      'server CPU µs/record': round(cpuMicros),
      'p50 ms full': round(percentile(full.latencies, 0.5)),
      'p99 ms full': round(percentile(full.latencies, 0.99)),
      'p50 ms half': round(percentile(half.latencies, 0.5)),
      'p99 ms half': round(percentile(half.latencies, 0.99)),
      'memory MiB': peak.stop(),
    };
    return { row, rate, cpuMicros, half };
  } finally {
    await subject.stop();
  }
}

try {
  const ours = await measure(lakeward);
  const theirs = await measure(kinesalite);
  report('ingest', { lakeward: ours.row, kinesalite: theirs.row }, [
    atLeast('times fewer server CPU seconds a record than kinesalite', 10, theirs.cpuMicros / ours.cpuMicros),
    atLeast('times the records/s of kinesalite (aim)', 15, ours.rate / theirs.rate),
    atMost('p50 of acknowledgement at half load, ms (aim)', 5, percentile(ours.half.latencies, 0.5)),
    atMost('p99 of acknowledgement at half load, ms (aim)', 25, percentile(ours.half.latencies, 0.99)),
  ]);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
