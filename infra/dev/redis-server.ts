/**
 * Starts a Redis as a process of its own on a free loopback port, waits until it answers, and ends it by its pid. It appends every change to
 * a file in its folder, so one that was killed is started again with what it had. Debian's `redis-server`, or any on the path; no
 * container engine is needed.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { endWithThisProcess, freeLowPort } from './s3-server.ts';

export interface RedisAddress {
  readonly pid: number;
  readonly url: string;
}

export interface RedisProcess extends RedisAddress {
  /** Ends it and waits: SIGTERM lets it finish, SIGKILL does not. Fine when it has ended. */
  end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>;
}

export interface RedisStartOptions {
  readonly folder: string;
  /** Default: a free one. */
  readonly port?: number;
  /** Lives on when this process ends. */
  readonly detached?: boolean;
  /** Further words of its command line. */
  readonly settings?: readonly string[];
}

const READY_MS_MAX = 30_000;
const run = promisify(execFile);

/** What Redis lacks to be started and how that comes; undefined when it lacks nothing. */
export async function missingRedis(): Promise<string | undefined> {
  const found = await run('redis-server', ['--version']).catch(() => undefined);
  return found === undefined
    ? 'needs Redis (npm run dev:redis -- install, or any redis-server on the path)'
    : undefined;
}

/** By the system's packages, which takes root; throws with what to do instead. */
export async function installRedis(): Promise<void> {
  if ((await missingRedis()) === undefined) return;
  if (process.getuid?.() !== 0) throw new Error('install Redis yourself: sudo apt-get install redis-server');
  // Without the service that the package would start.
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
  const install = (): Promise<unknown> =>
    run('apt-get', ['install', '--yes', '--no-install-recommends', 'redis-server'], { env, maxBuffer: 1 << 26 });
  await install().catch(async () => {
    await run('apt-get', ['update'], { env, maxBuffer: 1 << 26 });
    await install();
  });
}

/** Starts it, again when the folder has been used before; throws when it is not installed or does not come up. */
export async function startRedis(options: RedisStartOptions): Promise<RedisProcess> {
  const { folder, detached = false, settings = [] } = options;
  const lack = await missingRedis();
  if (lack !== undefined) throw new Error(lack);
  mkdirSync(folder, { recursive: true });
  const port = options.port ?? (await freeLowPort());
  const logFile = join(folder, 'server.log');
  const log = openSync(logFile, 'w');
  let child: ChildProcess;
  try {
    const durable = ['--save', '', '--appendonly', 'yes', '--appendfsync', 'always'];
    const place = ['--bind', '127.0.0.1', '--port', String(port), '--dir', folder];
    child = spawn('redis-server', [...place, ...durable, ...settings], { stdio: ['ignore', log, log], detached });
  } finally {
    closeSync(log);
  }
  if (detached) child.unref();
  else endWithThisProcess(child);
  await untilReady(child, port, () => readFileSync(logFile, 'utf8').slice(-4096));
  return {
    pid: child.pid ?? 0,
    url: `redis://127.0.0.1:${port}`,
    async end(signal) {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, 'exit');
      child.kill(signal);
      await exited;
    },
  };
}

async function untilReady(child: ChildProcess, port: number, log: () => string): Promise<void> {
  let failed: Error | undefined;
  child.once('error', (error) => {
    failed = error;
  });
  for (const from = performance.now(); ; await sleep(20)) {
    if (failed !== undefined) throw failed;
    if (child.exitCode !== null || child.signalCode !== null) throw new Error(`Redis ended\n${log()}`);
    if ((await ask(port, 'PING\r\n')).startsWith('+PONG')) return;
    if (performance.now() - from < READY_MS_MAX) continue;
    child.kill('SIGKILL');
    throw new Error(`Redis is not ready after ${READY_MS_MAX} ms\n${log()}`);
  }
}

/** The first piece of the answer; empty when there is none. A password is no hindrance: then it says so. */
function ask(port: number, command: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(command));
    const end = (answer: string): void => {
      socket.destroy();
      resolve(answer.startsWith('-NOAUTH') ? '+PONG' : answer);
    };
    socket.once('data', (answer) => end(answer.toString()));
    socket.once('error', () => end(''));
    socket.setTimeout(1_000, () => end(''));
  });
}
