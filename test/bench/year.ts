/**
 * `npm run bench:year [partitions] [files of each]`: the landing log of a lake of a year, by default 10,000 hours of ten files with the statistics of
 * eight columns: what it costs there to open it, to plan a compaction, to land, to write a checkpoint, and to put one file in the place of ten.
 * On a lake folder, and on versitygw where it is installed. There are no data files: it is the log that is measured, each time by a new process.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { atMost, type Bar, report } from './report.ts';
import { lakeOnS3 } from './s3-lake.ts';

const [partitions = '10000', filesEach = '10'] = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), 'lakeward-bench-year-'));
const run = promisify(execFile);

/** `lake`: a folder, or the endpoint of an S3 server. */
async function year(lake: string, env: Readonly<Record<string, string>>): Promise<Record<string, number>> {
  const figures: Record<string, number> = {};
  for (const work of ['fill', 'open', 'plan', 'land', 'merge']) {
    const args = [join(import.meta.dirname, 'year-once.ts'), work, lake, partitions, filesEach];
    const { stdout } = await run(process.execPath, args, { env: { ...process.env, ...env } });
    Object.assign(figures, JSON.parse(stdout));
  }
  return figures;
}

try {
  const figures: Record<string, Record<string, number>> = { folder: await year(join(folder, 'lake'), {}) };
  const s3 = await lakeOnS3(folder);
  if (typeof s3 === 'string') console.log(`versitygw is skipped: ${s3}`);
  else {
    figures['versitygw'] = await year(s3.endpoint, s3.env);
    await s3.stop();
  }
  const bars: Bar[] = Object.entries(figures).flatMap(([name, figure]) => [
    atMost(`${name}: opening the log, s`, 1, (figure['open ms'] ?? Number.NaN) / 1000),
    atMost(`${name}: planning, s`, 5, (figure['plan ms'] ?? Number.NaN) / 1000),
    atMost(`${name}: memory of the planning process, MiB`, 512, figure['plan MiB'] ?? Number.NaN),
  ]);
  report('year', figures, bars);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
