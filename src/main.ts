#!/usr/bin/env node
/**
 * The program: hands the command line to `cli/` and turns signals into an end. The first Ctrl-C or SIGTERM asks for an orderly end, a second
 * one ends at once.
 */
import { clientEnvironment } from './cli/environment.ts';
import { run } from './cli/run.ts';

const ending = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
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
