import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { stripTypeScriptTypes } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { temporaryFolder } from './temporary-server.ts';

// Three processes are started one after the other, on a machine that may be busy.
vi.setConfig({ testTimeout: 60_000 });

/** `lakeward serve` as a process: what an operator starts, signals and kills. */
const program = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
let folder: string;
const children: ChildProcess[] = [];
beforeEach(async () => {
  folder = await temporaryFolder();
});
afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
  }
  await rm(folder, { recursive: true, force: true });
});

async function serve(...args: string[]): Promise<{ child: ChildProcess; url: string; stderr: () => string }> {
  const given = ['serve', '--json', '--port', '0', '--data', 'data', '--log-level', 'warn', ...args];
  const child = spawn(process.execPath, [program, ...given], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
  children.push(child);
  let stderr = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const [line] = (await once(child.stdout?.setEncoding('utf8') as NodeJS.EventEmitter, 'data')) as [string];
  return { child, url: (JSON.parse(line) as { url: string }).url, stderr: () => stderr };
}

async function post(url: string, body: unknown): Promise<unknown> {
  const request = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
  return (await fetch(url, request)).json();
}

async function fill(url: string): Promise<void> {
  await post(`${url}/v1/streams`, { name: 's' });
  await post(`${url}/v1/deliveries`, { name: 'd', stream: 's', format: 'ndjson', layout: '', flush: { age: '1h' } });
  expect(await post(`${url}/v1/streams/s/records`, [{ id: 1 }, { id: 2 }])).toMatchObject({ accepted: 2 });
}

async function landed(): Promise<string[]> {
  const names = await readdir(join(folder, 'data/lake/d')).catch(() => []);
  return names.filter((name) => name.endsWith('.ndjson'));
}

test('SIGTERM ends it in order: what waits has landed, the lock is free, the exit code is 0', async () => {
  const { child, url } = await serve();
  await fill(url);
  child.kill('SIGTERM');
  expect(await once(child, 'exit')).toEqual([0, null]);
  expect(await landed()).toHaveLength(1);
  const again = await serve();
  again.child.kill('SIGINT');
  expect(await once(again.child, 'exit')).toEqual([0, null]);
});

test('SIGHUP, when the terminal goes away, ends it in order too', async () => {
  const { child, url } = await serve();
  await fill(url);
  child.kill('SIGHUP');
  expect(await once(child, 'exit')).toEqual([0, null]);
  expect(await landed()).toHaveLength(1);
});

test('a Node that is too old is refused in a sentence, before anything else is loaded', async () => {
  const alone = join(folder, 'main.mjs');
  await writeFile(alone, stripTypeScriptTypes(await readFile(program, 'utf8')));
  const older = `data:text/javascript,Object.defineProperty(process,'versions',{value:{node:'22.21.9'}})`;
  const child = spawn(process.execPath, ['--import', older, alone], { stdio: ['ignore', 'ignore', 'pipe'] });
  children.push(child);
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  expect(await once(child, 'close')).toEqual([1, null]);
  expect(stderr).toBe('error: lakeward needs Node.js 22.22 or newer, this is 22.21.9\n');
});

test('after a SIGKILL the next start takes the folder over and lands what was acknowledged', async () => {
  const { child, url } = await serve();
  await fill(url);
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(await landed()).toEqual([]);
  const again = await serve();
  expect(await post(`${again.url}/v1/deliveries/d/flush`, {})).toMatchObject({ rows: 2, lostOffsets: 0 });
  expect(await landed()).toHaveLength(1);
});

test('a second process on the folder is refused with exit code 1 and a reason', async () => {
  await serve();
  const child = spawn(process.execPath, [program, 'serve', '--port', '0', '--data', 'data'], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  children.push(child);
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  expect(await once(child, 'close')).toEqual([1, null]);
  expect(stderr).toContain('[data-folder-locked]');
});
