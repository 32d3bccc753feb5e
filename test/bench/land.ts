/**
 * `npm run bench:land [events]`: events already in the stream's log → hourly zstd Parquet in the lake, committed; beside one bare DuckDB
 * COPY of the same events from an NDJSON file to the same partitions, in the same run. Both sides are counted from a warm
 * process: the server runs before the delivery is created, the COPY's process has loaded its engine. Then the same to a lake on an S3
 * server of this machine, where one is installed, with the requests it took.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { clickstream } from './clickstream.ts';
import { HOURLY, type Landed, land, landedRow, post } from './landing.ts';
import { putRecordsRequest, runLoad } from './load.ts';
import { memoryPeak } from './process-tree.ts';
import { atLeast, atMost, type Bar, report } from './report.ts';
import { lakeOnS3, requestRow } from './s3-lake.ts';
import { type ServerProcess, freePort, startServerProcess } from './server-process.ts';

const EVENTS = Number(process.argv[2] ?? 1_000_000);
const BATCH = 500;
const FROM_MS = Date.UTC(2026, 0, 15, 6);
const folder = mkdtempSync(join(tmpdir(), 'lakeward-bench-land-'));
const ndjson = join(folder, 'events.ndjson');

/** Writes the events to the NDJSON file and puts the same into the stream. */
async function fill(server: ServerProcess, port: number): Promise<void> {
  await post(server, '/v1/streams', { name: 'clicks', shards: 4 });
  const event = clickstream({ seed: 1, fromMs: FROM_MS, hours: 6, products: 5000 });
  const file = createWriteStream(ndjson);
  for (let at = 0; at < EVENTS; at += BATCH * 64) {
    const requests: Uint8Array[] = [];
    for (let from = at; from < Math.min(EVENTS, at + BATCH * 64); from += BATCH) {
      const records = Array.from({ length: BATCH }, (_, i) => ({
        key: `k${(from + i) % 10_007}`,
        data: event(from + i),
      }));
      if (!file.write(`${records.map(({ data }) => data).join('\n')}\n`)) await once(file, 'drain');
      requests.push(putRecordsRequest('clicks', records));
    }
    for (const request of requests) {
      const load = { port, requests: [request], recordsPerRequest: BATCH, connections: 1, seconds: 0.000_001 };
      await runLoad({ ...load, expect: '"FailedRecordCount":0' });
    }
  }
  file.end();
  await once(file, 'close');
}

type Figures = Landed & {
  /** To S3, per landed GB. */
  readonly requests?: Record<string, number>;
};

/** The ceiling: DuckDB reading the NDJSON file with known types and writing the same hourly files. */
async function bareCopy(): Promise<Figures> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'bare-copy.ts'), ndjson, join(folder, 'bare')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const peak = memoryPeak(child.pid ?? 0);
  let out = '';
  child.stdout.on('data', (text: Buffer) => {
    out += text.toString();
  });
  const [code] = (await once(child, 'exit')) as [number];
  if (code !== 0) throw new Error('the bare COPY failed');
  return { ...(JSON.parse(out) as Figures), memory: peak.stop() };
}

const WIDE = { name: 'wide', layout: 'product_id={product_id}/' };

/** In a server of its own, where the delivery is forgotten afterwards: the next server may have another lake. */
async function landOnce(spec: typeof HOURLY, env: Record<string, string> = {}): Promise<Figures> {
  const server = await startServerProcess({ config, port, env });
  try {
    const figures = await land(server, spec, EVENTS);
    const requests = await requestRow(server.url, figures.bytes ?? Number.NaN);
    await fetch(`${server.url}/v1/deliveries/${spec.name}`, { method: 'DELETE' });
    return { ...figures, requests };
  } finally {
    await server.stop();
  }
}

/** The same two deliveries with the lake in a bucket. Nothing where no S3 server is installed. */
async function landOnS3(local: Figures): Promise<{ figures: Record<string, Record<string, number>>; bars: Bar[] }> {
  const lake = await lakeOnS3(folder);
  if (typeof lake === 'string') {
    console.log(`the lake on S3 is skipped: ${lake}`);
    return { figures: {}, bars: [] };
  }
  try {
    writeConfig(lake.config);
    const hourly = await landOnce(HOURLY, lake.env);
    const wide = await landOnce(WIDE, lake.env);
    console.log('requests to S3, and US$ for them, per landed GB (10^9 bytes of files):');
    console.table({ 'S3 hourly': hourly.requests, 'S3, 5,000 partitions': wide.requests });
    return {
      figures: {
        'lakeward hourly, S3': landedRow(hourly, EVENTS),
        'lakeward, 5,000 partitions, S3': landedRow(wide, EVENTS),
      },
      bars: [
        atLeast('rows per CPU second, hourly on S3, as a share of the local lake', 0.8, local.cpu / hourly.cpu),
        atMost('memory of all processes, hourly on S3, MiB', 1024, hourly.memory),
      ],
    };
  } finally {
    await lake.stop();
  }
}

function writeConfig(lake: object): void {
  writeFileSync(config, JSON.stringify({ server: { port }, data: { folder: join(folder, 'data') }, lake }));
}

mkdirSync(join(folder, 'bare'));
const port = await freePort();
const config = join(folder, 'lakeward.yaml');
writeConfig({ folder: join(folder, 'lake') });
try {
  const filled = await startServerProcess({ config, port });
  await fill(filled, port);
  await filled.stop();
  const hourly = await landOnce(HOURLY);
  const ceiling = await bareCopy();
  const wide = await landOnce(WIDE);
  const s3 = await landOnS3(hourly);
  report(
    'land',
    {
      'lakeward hourly': landedRow(hourly, EVENTS),
      'bare DuckDB COPY': landedRow(ceiling, EVENTS),
      'lakeward, 5,000 partitions': landedRow(wide, EVENTS),
      ...s3.figures,
    },
    [
      atLeast('share of the rows per CPU second of a bare COPY', 0.5, ceiling.cpu / hourly.cpu),
      atLeast('the same, aim', 0.7, ceiling.cpu / hourly.cpu),
      atMost('memory of all processes, hourly, MiB', 1024, hourly.memory),
      atMost('memory of all processes, 5,000 partitions, MiB', 1024, wide.memory),
      ...s3.bars,
    ],
  );
} finally {
  rmSync(folder, { recursive: true, force: true });
}
