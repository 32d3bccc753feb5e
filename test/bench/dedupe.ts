/**
 * `npm run bench:dedupe [known ids]`: what it costs to drop duplicates among so many known ids (default 10 million). One engine converts the
 * same clickstream to hourly zstd Parquet without and with dedupe; the first conversion with it also reads the files of ids.
 */
import { mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readFileSync } from 'node:fs';
import { systemClock } from '../../src/clock/system-clock.ts';
import { duckdbConverter } from '../../src/convert/duckdb-converter.ts';
import { hashBytes } from '../../src/convert/engine/event-key.ts';
import { writeKeyFiles } from '../../src/convert/engine/key-file.ts';
import { keyTable } from '../../src/convert/engine/key-table.ts';
import type { RecordBatch } from '../../src/model/record-batch.ts';
import { asOffset, asShard } from '../../src/model/stream.ts';
import type { ConvertDedupe, ConvertResult } from '../../src/ports/converter.ts';
import { planFromAvro } from '../../src/schema/avro-plan.ts';
import { silentTelemetry } from '../../src/telemetry/silent.ts';
import { clickstream } from './clickstream.ts';
import { memoryPeak, treeCpu } from './process-tree.ts';
import { atLeast, atMost, report, round } from './report.ts';

const KNOWN = Number(process.argv[2] ?? 10_000_000);
const ROWS = 200_000;
const BATCH = 4000;
const FILE_KEYS = 500_000;
const NOW_MS = Date.UTC(2026, 0, 16);
const folder = mkdtempSync(join(tmpdir(), 'lakeward-bench-dedupe-'));
const clock = systemClock();

/** Files of ids that no event has. */
function makeKeyFiles(): ConvertDedupe {
  const ids = join(folder, 'ids');
  mkdirSync(ids);
  const files: string[] = [];
  const key = { a: 0, b: 0, c: 0 };
  const text = Buffer.alloc(8);
  for (let from = 0; from < KNOWN; from += FILE_KEYS) {
    const table = keyTable();
    for (let i = from; i < Math.min(KNOWN, from + FILE_KEYS); i++) {
      text.writeDoubleLE(i);
      key.a = 1;
      hashBytes(text, 0, 8, key);
      table.set(key, NOW_MS / 1000);
    }
    for (const { local } of writeKeyFiles(ids, table)) {
      const name = `file-${files.length}`;
      renameSync(local, join(ids, name));
      files.push(name);
    }
  }
  return { delivery: 'bench', key: 'event_id', windowMs: 86_400_000, folder: ids, files, keys: KNOWN };
}

function makeBatches(): RecordBatch[] {
  const event = clickstream({ seed: 1, fromMs: NOW_MS - 6 * 3_600_000, hours: 6, products: 5000 });
  return Array.from({ length: ROWS / BATCH }, (_, n) => {
    const records = Array.from({ length: BATCH }, (__, i) => Buffer.from(event(n * BATCH + i)));
    let end = 0;
    return {
      shard: asShard(0),
      firstOffset: asOffset(n * BATCH),
      count: BATCH,
      arrivals: new Float64Array(BATCH).fill(NOW_MS),
      keyEnds: new Uint32Array(BATCH),
      dataEnds: Uint32Array.from(records, (bytes) => (end += bytes.length)),
      keys: new Uint8Array(0),
      data: Buffer.concat(records),
    };
  });
}

const SCHEMA = join(import.meta.dirname, '..', '..', 'schemas', 'clickstream.avsc');
const plan = { ...planFromAvro(JSON.parse(readFileSync(SCHEMA, 'utf8')) as unknown), version: 1 };
const batches = makeBatches();
const dedupe = makeKeyFiles();
const converter = duckdbConverter({
  engines: 1,
  memoryBytes: 512 * 2 ** 20,
  scratchFolder: join(folder, 'engines'),
  telemetry: silentTelemetry(),
  clock,
});

async function convert(name: string, keys: ConvertDedupe | undefined): Promise<Record<string, number>> {
  const directory = join(folder, name);
  mkdirSync(directory);
  const job = {
    plan,
    layout: 'year={yyyy}/month={MM}/day={dd}/hour={HH}/',
    eventTime: { from: 'field', field: 'event_time', form: 'iso' },
    eventFutureMs: 86_400_000,
    format: 'parquet',
    compression: 'zstd',
    directory,
    ...(keys === undefined ? {} : { dedupe: keys }),
  } as const;
  const peak = memoryPeak(process.pid);
  const before = treeCpu(process.pid);
  const started = performance.now();
  const result: ConvertResult = await converter.convert(job, each());
  const seconds = (performance.now() - started) / 1000;
  const cpu = treeCpu(process.pid) - before;
  const memory = peak.stop();
  rmSync(directory, { recursive: true, force: true });
  if (result.rows !== ROWS) throw new Error(`${result.rows} rows landed`);
  return {
    'rows/s': round(ROWS / seconds),
    'rows/CPU s': round(ROWS / cpu),
    seconds: round(seconds),
    'memory MiB': memory,
  };
}

async function* each(): AsyncGenerator<RecordBatch> {
  yield* batches;
}

try {
  await converter.open();
  await convert('warm', undefined);
  const without = await convert('without', undefined);
  const first = await convert('first', dedupe);
  const withIds = await convert('with', dedupe);
  const again = await convert('again', undefined);
  const base = Math.max(without['rows/CPU s'] ?? 0, again['rows/CPU s'] ?? 0);
  const idBytes = (((withIds['memory MiB'] ?? 0) - (without['memory MiB'] ?? 0)) * 2 ** 20) / KNOWN;
  report('dedupe', { without, 'first, reads the ids': first, 'with known ids': withIds, 'without again': again }, [
    atLeast('share of the rows per CPU second without dedupe', 0.8, (withIds['rows/CPU s'] ?? 0) / base),
    atMost('memory for a known id, bytes', 60, idBytes),
  ]);
} finally {
  await converter.close();
  rmSync(folder, { recursive: true, force: true });
}
