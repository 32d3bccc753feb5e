#!/usr/bin/env node
/**
 * The program: hands the command line to `cli/` and turns signals into an end. The first Ctrl-C, SIGTERM or SIGHUP (the terminal went
 * away) asks for an orderly end, a second one ends at once. A Node too old to load the rest is told apart first, so nothing here but that
 * import may need a new one.
 */
import { setFlagsFromString } from 'node:v8';

const OLDEST = { major: 22, minor: 22 };

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < OLDEST.major || (major === OLDEST.major && minor < OLDEST.minor)) {
  process.stderr.write(`error: lakeward needs Node.js 22.22 or newer, this is ${process.versions.node}\n`);
  process.exit(1);
}

// Answers of Kafka, requests and batches lie outside V8's heap. By default V8 marks its heap at every few dozen megabytes of them, a third of the CPU of
// reading from Kafka; counted in the heap's own limit they make it mark when memory has truly grown. Node 22 does not know the flag.
if (major >= 24) setFlagsFromString('--external-memory-accounted-in-global-limit');

const { clientEnvironment } = await import('./cli/environment.ts');
const { run } = await import('./cli/run.ts');

const ending = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    if (ending.signal.aborted) process.exit(130);
    ending.abort(new Error(signal));
  });
}
// A reader that went away (`lakeward lake ls | head`) is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));

process.exitCode = await run(process.argv.slice(2), {
  stdout: process.stdout,
  stderr: process.stderr,
  stdin: process.stdin,
  signal: ending.signal,
  environment: clientEnvironment(),
});
// Who was told to end ends, whatever a library still holds open.
if (ending.signal.aborted) process.exit();
