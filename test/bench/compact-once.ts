/** `node compact-once.ts FILES FOLDER SORT`: lands the files in a lake in the folder and compacts it once, between `started` and `ended`. */
import { copyFileSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { scratchFolders } from '../../src/app/scratch-folders.ts';
import { systemClock } from '../../src/clock/system-clock.ts';
import { compactionMetrics } from '../../src/compaction/metrics.ts';
import { runCompaction } from '../../src/compaction/run.ts';
import { duckdbConverter } from '../../src/convert/duckdb-converter.ts';
import { openFileStore } from '../../src/lake/file/file-store.ts';
import { openLake } from '../../src/landing/lake-identity.ts';
import { openLandingLog } from '../../src/landing/landing-log.ts';
import type { DeliverySpec } from '../../src/model/delivery.ts';
import { MIB } from '../../src/model/limits.ts';
import { asStreamId } from '../../src/model/stream.ts';
import { silentTelemetry } from '../../src/telemetry/silent.ts';

const ROWS = 2400;
const [source = '', folder = '', sort = 'none'] = process.argv.slice(2);
mkdirSync(folder);
const clock = systemClock();
const telemetry = silentTelemetry();
const lake = await openFileStore({ folder: join(folder, 'lake'), clock });
const lakeId = await openLake(lake, { clock });
const scratch = scratchFolders({ folder: join(folder, 'scratch'), clock });
await scratch.sweep();
const openLog = () =>
  openLandingLog({
    store: lake,
    clock,
    telemetry,
    delivery: 'd',
    prefix: 'd',
    writer: 'w',
    lakeId,
    stream: { name: 's', id: asStreamId('s-1') },
    start: async () => new Map(),
    tuning: { copyMaxMs: 0 },
  });
const log = await openLog();
const nonce = log.nonce();
const files = await Promise.all(
  readdirSync(source).map(async (name) => {
    const local = join(folder, name);
    copyFileSync(join(source, name), local);
    const handle = await log.stage(nonce, { local, name, directory: 'd/p' });
    const facts = {
      partition: 'p',
      rows: ROWS,
      bytes: handle.bytes,
      eventMinMs: 0,
      eventMaxMs: 1,
      planVersion: 1,
      columns: [],
    };
    return { ...facts, closedBecause: 'age' as const, handle };
  }),
);
await log.commit({ nonce, ranges: new Map(), planVersion: 1, files, rejected: [], extraRows: 0, lateRows: 0 });
const converter = duckdbConverter({
  engines: 1,
  memoryBytes: 512 * MIB,
  scratchFolder: join(folder, 'engines'),
  telemetry,
  clock,
});
const style = {
  extension: () => '.parquet',
  name: (_spec: unknown, made: { readonly nonce: string }) => `${made.nonce}.parquet`,
  kept: <T>(_spec: unknown, file: T) => file,
};
const spec = { name: 'd', prefix: 'd', format: 'parquet', compression: 'zstd', eventTime: { from: 'arrival' } };
const sorted = sort === 'none' ? [] : [sort];
const directory = await scratch.make();
await converter.merge({
  format: 'parquet',
  compression: 'zstd',
  inputs: readdirSync(source)
    .filter((name) => /^1\d\./.test(name))
    .map((name) => ({ local: join(source, name), planVersion: 1 })),
  bytes: 1,
  sort: sorted,
  directory,
});
console.log('started');
const run = await runCompaction({
  room: { lake, converter, clock, telemetry, scratch, style, openLog },
  spec: spec as DeliverySpec,
  rule: { everyMs: 0, targetBytes: 128 * MIB, afterMs: 0, sort: sort === 'none' ? 'none' : sorted, readers: 'listing' },
  metrics: compactionMetrics(telemetry, 'd'),
  stubborn: new Set(),
  signal: new AbortController().signal,
  report: () => undefined,
});
console.log('ended');
await converter.close();
console.error(JSON.stringify(run));
if (run.outcome !== 'done' || run.filesBefore !== files.length) process.exit(1);
