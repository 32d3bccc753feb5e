import { execFile } from 'node:child_process';
import { mkdtemp, readdir, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const exec = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));
const MINUTES_MS = 60_000;

/** What is packed, installed into an empty project: compiled JavaScript, a program, types. */
describe('the package, installed into an empty project', () => {
  let project: string;
  beforeAll(async () => {
    project = await realpath(await mkdtemp(join(tmpdir(), 'lakeward-package-')));
    await writeFile(join(project, 'package.json'), '{ "name": "consumer", "private": true, "type": "module" }');
    const { stdout } = await exec('npm', ['pack', '--json', '--pack-destination', project], { cwd: root });
    const [packed] = JSON.parse(stdout.slice(stdout.indexOf('['))) as { filename: string }[];
    const tarball = join(project, packed?.filename ?? '');
    await exec('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', '--omit=dev', tarball], {
      cwd: project,
    });
  }, 5 * MINUTES_MS);
  afterAll(() => rm(project, { recursive: true, force: true }));

  function program(...args: string[]): Promise<{ stdout: string; stderr: string }> {
    return exec(process.execPath, [join(project, 'node_modules/.bin/lakeward'), ...args], { cwd: project });
  }

  test('holds compiled files, schemas and nothing of the sources or tests', async () => {
    const folder = join(project, 'node_modules/lakeward');
    expect((await readdir(folder)).toSorted()).toEqual(['LICENSE', 'README.md', 'dist', 'package.json', 'schemas']);
    const files = await readdir(folder, { recursive: true });
    expect(files.filter((file) => /(?<!\.d)\.ts$/.test(file))).toEqual([]);
  });

  test('has a program that tells its version', async () => {
    expect((await program('--version')).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  test(
    'has a demo whose counts are right',
    async () => {
      const { stdout } = await program('demo', '--seconds', '1', '--json');
      const result = JSON.parse(stdout) as { ok: boolean; checks: { sent: number; ok: boolean }[] };
      expect(result.checks.filter((check) => !check.ok)).toEqual([]);
      expect(result.ok).toBe(true);
      expect(result.checks[0]?.sent).toBeGreaterThan(17_000);
    },
    2 * MINUTES_MS,
  );

  test(
    'exports a server with its types',
    async () => {
      await writeFile(join(project, 'consumer.ts'), CONSUMER);
      const compiler = join(root, 'node_modules/.bin/tsc');
      const strict = [
        '--noEmit',
        '--strict',
        '--module',
        'nodenext',
        '--target',
        'es2024',
        '--types',
        '',
        'consumer.ts',
      ];
      await exec(compiler, strict, { cwd: project }).catch((error: { stdout: string }) => {
        throw new Error(error.stdout);
      });
      const { stdout } = await exec(process.execPath, [join(project, 'consumer.ts')], { cwd: project });
      expect(JSON.parse(stdout)).toEqual({ status: 200, code: 'config-invalid' });
    },
    MINUTES_MS,
  );
});

const CONSUMER = `
import { type Config, isLakewardError, loadConfig, type RunningServer, startServer } from 'lakeward';

const config: Config = await loadConfig({ flags: { port: '0', data: './data', 'log-level': 'silent' }, env: {} });
const server: RunningServer = await startServer(config);
const { status } = await fetch(server.address.url + '/healthz');
await server.close('done');
let code: string | undefined;
try {
  await loadConfig({ flags: { port: 'many' }, env: {} });
} catch (error) {
  if (isLakewardError(error)) code = error.code;
}
console.log(JSON.stringify({ status, code }));
`;
