/**
 * `npm run bench:restart [GiB]`: fills a stream's log through PutRecords (default 1 GiB), kills the server under load and takes the time
 * from starting the process to its first `ready`; the same after an orderly stop, and once more as after a reboot, with every cached page
 * forgotten, beside what the bare program then takes to say its help (reading itself from the disk): only root can do that.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { clickstream } from './clickstream.ts';
import { putRecordsRequest, runLoad } from './load.ts';
import { treeMemoryMib } from './process-tree.ts';
import { atMost, report, round } from './report.ts';
import { MAIN, type ServerProcess, freePort, startServerProcess } from './server-process.ts';

const GIB = 1024 ** 3;
const BATCH = 500;
const wantedBytes = Number(process.argv[2] ?? 1) * GIB;
const folder = mkdtempSync(join(tmpdir(), 'lakeward-bench-restart-'));
const { bavail, bsize } = statfsSync(folder);
if (bavail * bsize < wantedBytes + 2 * GIB) throw new Error(`not enough space below ${folder}`);

const event = clickstream({ seed: 5, fromMs: Date.UTC(2026, 0, 15, 6), hours: 6, products: 5000 });
const requests = Array.from({ length: 64 }, (_, r) =>
  putRecordsRequest(
    'clicks',
    Array.from({ length: BATCH }, (__, i) => ({ key: `k${r * BATCH + i}`, data: event(i) })),
  ),
);
const port = await freePort();
const config = join(folder, 'lakeward.yaml');
writeFileSync(
  config,
  JSON.stringify({
    server: { port },
    data: { folder: join(folder, 'data') },
    streams: [{ name: 'clicks', shards: 4 }],
  }),
);

/** False where that is not allowed. */
function forgetPages(): boolean {
  try {
    writeFileSync('/proc/sys/vm/drop_caches', '3');
    return true;
  } catch {
    return false;
  }
}

async function timedStart(): Promise<{ server: ServerProcess; seconds: number }> {
  const started = performance.now();
  const server = await startServerProcess({ config, port });
  return { server, seconds: (performance.now() - started) / 1000 };
}

async function storedBytes(server: ServerProcess): Promise<number> {
  const stream = (await (await fetch(`${server.url}/v1/streams/clicks`)).json()) as { bytes: number };
  return stream.bytes;
}

try {
  const first = await startServerProcess({ config, port });
  const load = { port, requests, recordsPerRequest: BATCH, connections: 4, expect: '"FailedRecordCount":0' };
  while ((await storedBytes(first)) < wantedBytes) await runLoad({ ...load, seconds: 2 });
  const bytes = await storedBytes(first);
  const dying = runLoad({ ...load, seconds: 60 }).catch(() => undefined);
  await new Promise((resolve) => setTimeout(resolve, 500));
  first.process.kill('SIGKILL');
  await Promise.all([first.exited, dying]);

  const killed = await timedStart();
  if ((await storedBytes(killed.server)) < bytes) throw new Error('records are missing after the kill');
  const memory = treeMemoryMib(killed.server.pid);
  await killed.server.stop();
  const stopped = await timedStart();
  await stopped.server.stop();
  let cold: Record<string, number> = {};
  if (forgetPages()) {
    const rebooted = await timedStart();
    await rebooted.server.stop();
    forgetPages();
    const started = performance.now();
    spawnSync(process.execPath, [MAIN, '--help']);
    const bare = (performance.now() - started) / 1000;
    cold = { 'ready on a cold disk s': round(rebooted.seconds), 'its help on a cold disk s': round(bare) };
  }
  report(
    'restart',
    {
      restart: {
        'log GiB': round(bytes / GIB),
        'ready after kill s': round(killed.seconds),
        'ready after stop s': round(stopped.seconds),
        ...cold,
        'memory MiB': Math.round(memory),
      },
    },
    [
      atMost('seconds from start to ready after a kill', 2, killed.seconds),
      atMost('seconds from start to ready after a stop', 2, stopped.seconds),
    ],
  );
} finally {
  rmSync(folder, { recursive: true, force: true });
}
