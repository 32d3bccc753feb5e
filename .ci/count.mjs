// Prints "passed failed" from a vitest JSON report. Not a test may be lost: skipped and unfinished ones count as failed, so does a
// file that gave no test results, and a run that ended badly without saying which test it was.
import { readFileSync } from 'node:fs';

const [, , path, exitCode] = process.argv;
const report = readReport(path);
let passed = 0;
let failed = 0;

for (const file of report?.testResults ?? []) {
  for (const test of file.assertionResults) {
    if (test.status === 'passed') passed += 1;
    else failed += 1;
    if (test.status !== 'passed' && test.status !== 'failed') console.error(`${test.status}: ${file.name}: ${test.fullName}`);
  }
  const silent = file.status !== 'passed' && file.assertionResults.every((test) => test.status === 'passed');
  if (silent || file.assertionResults.length === 0) {
    failed += 1;
    console.error(`no results: ${file.name}: ${file.message}`);
  }
}
if (failed === 0 && (exitCode !== '0' || passed === 0)) failed = 1;
console.log(`${passed} ${failed}`);

function readReport(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
}
