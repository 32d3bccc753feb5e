/** `npm run test:crash -- --cycles N [--seed S] [--check-every K]`: any number of crash cycles; exit code 1 when the promise was broken. */
import { parseArgs } from 'node:util';
import { runCrashCycles } from './cycles.ts';

const { values } = parseArgs({
  options: {
    cycles: { type: 'string', default: '100' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    'check-every': { type: 'string', default: '25' },
  },
});
const seed = Number(values.seed);
console.error(`seed ${seed}`);
const started = performance.now();
const report = await runCrashCycles({
  cycles: Number(values.cycles),
  seed,
  checkEvery: Number(values['check-every']),
  progress: (text) => console.error(`${Math.round((performance.now() - started) / 1000)} s  ${text}`),
});
console.log(JSON.stringify({ seed, ...report }, null, 2));
process.exitCode = report.complaints.length === 0 ? 0 : 1;
