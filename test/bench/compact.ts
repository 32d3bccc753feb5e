/**
 * `npm run bench:compact [files]`: small Parquet files of about 200 KB in one partition of a lake folder, merged by Lakeward, unsorted and sorted
 * by event time; beside one bare DuckDB COPY of the same files, sorted alike, and Spark, where it is installed (`npm run test:readers` does),
 * in the same run. Of Lakeward the whole run is counted, planning, engine, reading, both checksums, staging, the entry, removal; not that files land before it.
 * Each is measured from when it is ready and has done no work of this kind: the session of Spark, the database of the COPY, the engine of Lakeward. The
 * last column counts the start as well.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { landFiles } from './compact-lake.ts';
import { memoryPeak, treeCpu } from './process-tree.ts';
import { atLeast, atMost, report, round } from './report.ts';

const FILES = Number(process.argv[2] ?? 1000);
const ROWS = 3450;
const folder = mkdtempSync(join(tmpdir(), 'lakeward-bench-compact-'));
const SPARK = '.cache/spark/bin/python';

interface Figures {
  readonly cpu: number;
  readonly cpuWithStart: number;
  readonly seconds: number;
  readonly memory: number;
}

/** Runs a program of this folder and measures its tree from where it says `started` to where it says `ended`; memory all the time. */
async function measured(program: string, args: readonly string[]): Promise<Figures> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const pid = child.pid ?? 0;
  const peak = memoryPeak(pid);
  const at = new Map<string, { readonly cpu: number; readonly ms: number }>();
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    for (const word of text.split('\n')) at.set(word, { cpu: treeCpu(pid), ms: performance.now() });
  });
  const [code] = (await once(child, 'close')) as [number];
  const memory = peak.stop();
  const [from, to] = [at.get('started'), at.get('ended')];
  if (code !== 0 || from === undefined || to === undefined) throw new Error(`${program} ${args[0]} failed`);
  return { cpu: to.cpu - from.cpu, cpuWithStart: to.cpu, seconds: (to.ms - from.ms) / 1000, memory };
}

async function makeFiles(target: string): Promise<number> {
  mkdirSync(target);
  const connection = await (await DuckDBInstance.create(':memory:', { threads: '2' })).connect();
  for (let i = 0; i < FILES; i++) {
    await connection.run(`COPY (SELECT md5((i * 31 + ${i})::VARCHAR) AS event_id,
      TIMESTAMPTZ '2026-01-15 06:00:00Z' + to_milliseconds((hash(i * 7 + ${i}) % 3600000)::BIGINT) AS event_time,
      'user-' || (hash(i + ${i}) % 100000) AS user_id, md5((i + ${i} * 5)::VARCHAR) AS session_id, '/page/' || (hash(i) % 5000) AS page,
      'https://example.com/' || (hash(i * 3) % 500) AS referrer, ['view', 'click', 'cart', 'buy'][1 + i % 4] AS action,
      'p-' || (hash(i * 11) % 5000) AS product_id, (hash(i * 13 + ${i}) % 100000) / 100.0::DOUBLE AS price, (i % 5)::INT AS quantity,
      ['de', 'fr', 'us'][1 + i % 3] AS country, ['phone', 'desktop'][1 + i % 2] AS device, (hash(i * 17 + ${i}) % 600000)::BIGINT AS duration_ms,
      i % 7 = 0 AS is_member FROM range(${ROWS}) r(i)) TO '${target}/${i}.parquet' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)`);
  }
  return readdirSync(target).reduce((sum, name) => sum + statSync(join(target, name)).size, 0);
}

const files = join(folder, 'files');
const here = (name: string): string => join(import.meta.dirname, name);
const node = process.execPath;
try {
  const bytes = await makeFiles(files);
  const mb = bytes / 1e6;
  const of = (figures: Figures): Record<string, number> => ({
    'MB/CPU s': round(mb / figures.cpu),
    'CPU s': round(figures.cpu),
    s: round(figures.seconds),
    'memory MiB': figures.memory,
    'CPU s with start': round(figures.cpuWithStart),
  });
  console.log(`${FILES} files, ${round(mb)} MB`);
  const compacted = async (sort: string): Promise<Figures> => {
    const lake = join(folder, `lakeward-${sort}`);
    await landFiles(files, lake, ROWS);
    return measured(node, [here('compact-once.ts'), lake, sort]);
  };
  const lakeward = await compacted('none');
  const sorted = await compacted('event_time');
  const copy = await measured(node, [here('compact-copy.ts'), files, join(folder, 'copy.parquet'), 'none']);
  const copySorted = await measured(node, [
    here('compact-copy.ts'),
    files,
    join(folder, 'sorted.parquet'),
    'event_time',
  ]);
  const figures: Record<string, Record<string, number>> = {
    lakeward: of(lakeward),
    'lakeward, sorted': of(sorted),
    'bare DuckDB COPY': of(copy),
    'bare DuckDB COPY, sorted': of(copySorted),
  };
  const bars = [
    atLeast('MB per CPU second beside a bare COPY', 0.6, copy.cpu / lakeward.cpu),
    atLeast('the same, sorted', 0.6, copySorted.cpu / sorted.cpu),
    atMost('memory of all processes, MiB', 1024, Math.max(lakeward.memory, sorted.memory)),
  ];
  if (existsSync(SPARK)) {
    const spark = await measured(SPARK, [here('compact-spark.py'), files, join(folder, 'spark')]);
    figures['Spark'] = of(spark);
    bars.push(atLeast('MB per CPU second beside Spark', 5, spark.cpu / lakeward.cpu));
    bars.push(atLeast('sorted, beside Spark unsorted', 3, spark.cpu / sorted.cpu));
  } else console.log('Spark is skipped: needs .cache/spark, which `npm run test:readers` makes');
  report('compact', figures, bars);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
