/**
 * `npm run test:crash -- --cluster --rounds N [--seed S]`: a cluster of processes on Kafka, S3 and Redis while all of them meet faults;
 * SIGINT ends the rounds, and the lake is checked.
 * `npm run test:crash -- --cycles N [--seed S] [--check-every K] [--lake versitygw|minio] [--dedupe] [--compact]`: any number of crash cycles, on a folder or on
 * an S3 server behind a faulty network; exit code 1 when the promise was broken.
 */
import { parseArgs } from 'node:util';
import { runCluster } from './cluster.ts';
import { runCrashCycles } from './cycles.ts';

const { values } = parseArgs({
  options: {
    cycles: { type: 'string', default: '100' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    'check-every': { type: 'string', default: '25' },
    lake: { type: 'string', default: 'folder' },
    dedupe: { type: 'boolean', default: false },
    compact: { type: 'boolean', default: false },
    cluster: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '20' },
  },
});
const seed = Number(values.seed);
console.error(`seed ${seed}`);
const lake = (['folder', 'versitygw', 'minio'] as const).find((kind) => kind === values.lake);
if (lake === undefined) throw new Error('--lake is folder, versitygw or minio');
const started = performance.now();
const progress = (text: string): void =>
  console.error(`${Math.round((performance.now() - started) / 1000)} s  ${text}`);
const enough = new AbortController();
if (values.cluster) process.once('SIGINT', () => enough.abort());
const report = values.cluster
  ? await runCluster({ rounds: Number(values.rounds), seed, progress, enough: enough.signal })
  : await runCrashCycles({
      cycles: Number(values.cycles),
      seed,
      checkEvery: Number(values['check-every']),
      lake,
      dedupe: values.dedupe,
      compact: values.compact,
      progress,
    });
console.log(JSON.stringify({ seed, ...report }, null, 2));
process.exitCode = report.complaints.length === 0 ? 0 : 1;
