/**
 * Starts an S3 server as a process of its own on a free loopback port, waits until it answers, and ends it by its pid. Its objects and
 * its log lie in one folder, so a server that was killed is started again with what it had (moto alone keeps all in memory).
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { missing, program, type S3Kind } from './s3-install.ts';

export interface S3Address {
  readonly kind: S3Kind;
  readonly pid: number;
  /** To be used path-style. */
  readonly endpoint: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

export interface S3Process extends S3Address {
  /** Ends it and waits: SIGTERM lets it finish, SIGKILL does not. Fine when it has ended. */
  end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>;
}

export interface S3StartOptions {
  readonly folder: string;
  /** Default: a free one. */
  readonly port?: number;
  /** Lives on when this process ends. */
  readonly detached?: boolean;
}

const READY_MS_MAX = 60_000;
const REGION = 'us-east-1';

/** Starts a server; throws when it is not installed or does not come up. */
export async function startS3Server(kind: S3Kind, options: S3StartOptions): Promise<S3Process> {
  const lack = await missing(kind);
  if (lack !== undefined) throw new Error(lack);
  mkdirSync(options.folder, { recursive: true });
  const port = options.port ?? (await freeLowPort());
  const keys = kind === 's3rver' ? ['S3RVER', 'S3RVER'] : ['lakeward', 'lakeward-secret'];
  const [accessKeyId = '', secretAccessKey = ''] = keys;
  const child = launch(kind, { ...options, port, accessKeyId, secretAccessKey });
  const endpoint = `http://127.0.0.1:${port}`;
  const log = (): string => readFileSync(logOf(options.folder), 'utf8').slice(-4096);
  await untilReady(child, `${endpoint}${kind === 'versitygw' ? '/health' : '/'}`, log);
  return {
    kind,
    pid: child.pid ?? 0,
    endpoint,
    region: REGION,
    accessKeyId,
    secretAccessKey,
    async end(signal) {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, 'exit');
      child.kill(signal);
      await exited;
    },
  };
}

interface Launch extends S3StartOptions {
  readonly port: number;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

function launch(kind: S3Kind, given: Launch): ChildProcess {
  const [file, ...first] = program(kind);
  const log = openSync(logOf(given.folder), 'a');
  try {
    const child = spawn(file, [...first, ...argumentsOf(kind, given)], {
      stdio: ['ignore', log, log],
      detached: given.detached === true,
      env: {
        ...process.env,
        MINIO_ROOT_USER: given.accessKeyId,
        MINIO_ROOT_PASSWORD: given.secretAccessKey,
        MINIO_BROWSER: 'off',
      },
    });
    if (given.detached === true) child.unref();
    else endWithThisProcess(child);
    return child;
  } finally {
    closeSync(log);
  }
}

function argumentsOf(kind: S3Kind, { folder, port, accessKeyId, secretAccessKey }: Launch): string[] {
  const at = `127.0.0.1:${port}`;
  const made = (name: string): string => {
    mkdirSync(join(folder, name), { recursive: true });
    return join(folder, name);
  };
  if (kind === 'minio') return ['server', '--quiet', '--address', at, made('buckets')];
  if (kind === 'moto') return ['-H', '127.0.0.1', '-p', String(port)];
  if (kind === 's3rver') return ['-d', made('buckets'), '-a', '127.0.0.1', '-p', String(port), '--silent'];
  // Without --keep-alive it has less than half the speed.
  const server = ['--port', at, '--access', accessKeyId, '--secret', secretAccessKey, '--keep-alive', '--quiet'];
  return [...server, '--health', '/health', 'posix', '--versioning-dir', made('versions'), made('buckets')];
}

async function untilReady(child: ChildProcess, url: string, log: () => string): Promise<void> {
  let failed: Error | undefined;
  child.once('error', (error) => {
    failed = error;
  });
  for (const from = performance.now(); ; await sleep(20)) {
    if (failed !== undefined) throw failed;
    if (child.exitCode !== null || child.signalCode !== null) throw new Error(`the S3 server ended\n${log()}`);
    const status = await fetch(url).then(
      (answer) => answer.body?.cancel().then(() => answer.status) ?? answer.status,
      () => 503,
    );
    if (status < 500) return;
    if (performance.now() - from < READY_MS_MAX) continue;
    child.kill('SIGKILL');
    throw new Error(`the S3 server is not ready after ${READY_MS_MAX} ms\n${log()}`);
  }
}

/** Below the ports a system gives to connections, so that nobody takes it while a killed server is away. */
export async function freeLowPort(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    const server = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
    });
    if (isFree) return port;
  }
}

export function endWithThisProcess(child: ChildProcess): void {
  const end = (): void => {
    child.kill('SIGKILL');
  };
  process.once('exit', end);
  child.once('exit', () => process.off('exit', end));
}

function logOf(folder: string): string {
  return join(folder, 'server.log');
}
