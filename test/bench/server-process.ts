/** A real `lakeward serve` in a process of its own, for benchmarks and crash runs: started on a free port, ended by its pid. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';

export const MAIN = join(import.meta.dirname, '..', '..', 'src', 'main.ts');

export interface ServerProcess {
  readonly pid: number;
  readonly url: string;
  readonly process: ChildProcess;
  /** Resolves when the process has ended, however. */
  readonly exited: Promise<unknown>;
  /** What it wrote to stderr so far, the last 64 KiB. */
  log(): string;
  /** SIGTERM, then waits. */
  stop(): Promise<void>;
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

/** Starts a server with a configuration file and waits until it is ready. */
export async function startServerProcess(options: {
  readonly config: string;
  readonly port: number;
  readonly env?: Readonly<Record<string, string>>;
  readonly nodeArguments?: readonly string[];
  /** Called with what it writes to stderr. */
  readonly onLog?: (text: string) => void;
  /** How long it may take until it is ready; default a minute. */
  readonly readyMsMax?: number;
}): Promise<ServerProcess> {
  const child = spawn(process.execPath, [...(options.nodeArguments ?? []), MAIN, 'serve', '--config', options.config], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, ...options.env },
  });
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    log = (log + text).slice(-65_536);
    options.onLog?.(text);
  });
  const url = `http://127.0.0.1:${options.port}`;
  const exited = once(child, 'exit');
  const { readyMsMax = 60_000 } = options;
  const deadline = performance.now() + readyMsMax;
  while (!(await isReady(url))) {
    if (child.exitCode !== null || child.signalCode !== null)
      throw new Error(`the server ended while starting\n${log}`);
    if (performance.now() > deadline) {
      child.kill('SIGKILL');
      throw new Error(`the server is not ready after ${readyMsMax} ms\n${log}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 15));
  }
  return {
    pid: child.pid ?? 0,
    url,
    process: child,
    exited,
    log: () => log,
    async stop() {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
      await exited;
    },
  };
}

async function isReady(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/readyz`)).ok;
  } catch {
    return false;
  }
}
