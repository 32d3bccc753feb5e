/**
 * Installs the S3 servers of development and tests, once, below `.cache` beside `node_modules`: versitygw and MinIO by the Go
 * toolchain, moto by pip, s3rver by npm. No container engine is needed. Says what is missing and how it comes.
 */
import { execFile } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

export const S3_KINDS = ['versitygw', 'moto', 'minio', 's3rver'] as const;
export type S3Kind = (typeof S3_KINDS)[number];

const run = promisify(execFile);
const ROOT = join(import.meta.dirname, '..', '..');
const MODULES = join(ROOT, 'node_modules');
/** Beside the real `node_modules`: work trees that share those share what is installed here. */
export const CACHE = join(existsSync(MODULES) ? dirname(realpathSync(MODULES)) : ROOT, '.cache');

const GO_PACKAGES: Readonly<Partial<Record<S3Kind, readonly [path: string, version: string]>>> = {
  versitygw: ['github.com/versity/versitygw/cmd/versitygw', 'v1.8.0'],
  minio: ['github.com/minio/minio', 'v0.0.0-20260212201848-7aac2a2c5b7c'],
};

/** What runs a kind of server: a program, and the arguments it always has. */
export function program(kind: S3Kind): readonly [file: string, ...args: string[]] {
  if (kind === 'moto') return [python(), '-m', 'moto.server'];
  if (kind === 's3rver') return [process.execPath, fileURLToPath(import.meta.resolve('s3rver/bin/s3rver.js'))];
  return [join(CACHE, 'bin', kind)];
}

/** What a server lacks to be started and how that comes; undefined when it lacks nothing. */
export async function missing(kind: S3Kind): Promise<string | undefined> {
  const [file, ...args] = program(kind);
  const how = `npm run dev:s3 -- ${kind} install`;
  if (kind === 's3rver') return existsSync(args[0] ?? '') ? undefined : 'needs s3rver (npm ci)';
  if (kind === 'moto') {
    const found = await run(file, ['-c', 'import moto.server']).catch(() => undefined);
    return found === undefined ? `needs moto in ${file} (${how}, which needs Python 3)` : undefined;
  }
  return existsSync(file) ? undefined : `needs ${kind} (${how}, which needs Go >= 1.25 and some minutes, once)`;
}

/** Installs one kind of server when it is not there in its pinned version. */
export async function install(kind: S3Kind): Promise<void> {
  const wanted = GO_PACKAGES[kind];
  if (wanted !== undefined) await installByGo(program(kind)[0], wanted);
  else if (kind === 'moto') await installPython();
}

async function installByGo(file: string, [path, version]: readonly [string, string]): Promise<void> {
  const built = await run('go', ['version', '-m', file]).catch(() => undefined);
  if (built?.stdout.includes(version) === true) return;
  await run('go', ['install', '-trimpath', `${path}@${version}`], {
    env: { ...process.env, GOBIN: join(CACHE, 'bin'), GOFLAGS: '-mod=mod' },
    maxBuffer: 1 << 26,
  });
}

/** Into an environment of its own, whatever Python the tests are told to take. */
async function installPython(): Promise<void> {
  if (!existsSync(VENV_PYTHON)) await run('python3', ['-m', 'venv', join(CACHE, 'venv')]);
  await run(VENV_PYTHON, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '-r', REQUIREMENTS]);
}

const VENV_PYTHON = join(CACHE, 'venv', 'bin', 'python');
const REQUIREMENTS = join(import.meta.dirname, 'requirements.txt');

function python(): string {
  return process.env['LAKEWARD_PYTHON'] ?? VENV_PYTHON;
}
