/** `node compact-once.ts FOLDER SORT`: compacts the lake in the folder once, between `started` and `ended`; its engine is there before. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { scratchFolders } from '../../src/app/scratch-folders.ts';
import { systemClock } from '../../src/clock/system-clock.ts';
import { compactionMetrics } from '../../src/compaction/metrics.ts';
import { runCompaction } from '../../src/compaction/run.ts';
import { duckdbConverter } from '../../src/convert/duckdb-converter.ts';
import type { DeliverySpec } from '../../src/model/delivery.ts';
import { MIB } from '../../src/model/limits.ts';
import { silentTelemetry } from '../../src/telemetry/silent.ts';
import { openBenchLake } from './compact-lake.ts';

const [folder = '', sort = 'none'] = process.argv.slice(2);
const clock = systemClock();
const telemetry = silentTelemetry();
const { lake, openLog } = await openBenchLake(folder);
const scratch = scratchFolders({ folder: join(folder, 'scratch'), clock });
await scratch.sweep();
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
// A line of text to look through starts the engine, which has then read and written no Parquet.
const [text, rest] = [await scratch.make(), await scratch.make()];
const line = join(text, 'line.ndjson');
writeFileSync(line, '{}\n');
const look = { format: 'ndjson', compression: 'none', bytes: 3, rewrite: false, field: 'x', values: ['y'] } as const;
await converter.dropRows({ ...look, local: line, directory: rest });
console.log('started');
const run = await runCompaction({
  room: { lake, converter, clock, telemetry, scratch, style, openLog },
  spec: spec as DeliverySpec,
  rule: { everyMs: 0, targetBytes: 128 * MIB, afterMs: 0, sort: sort === 'none' ? 'none' : [sort], readers: 'listing' },
  metrics: compactionMetrics(telemetry, 'd'),
  stubborn: new Set(),
  signal: new AbortController().signal,
  report: () => undefined,
});
console.log('ended');
await converter.close();
console.error(JSON.stringify(run));
if (run.outcome !== 'done') process.exit(1);
