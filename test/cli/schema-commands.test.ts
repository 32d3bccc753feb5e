import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { EXIT } from '../../src/cli/exit-code.ts';
import type { OpenDoor } from '../ingest/open-door.ts';
import { openDoor } from '../ingest/open-door.ts';
import type { Captured } from './captured-run.ts';
import { documents, lakeward } from './captured-run.ts';

/** The schema commands against a real front door, in the order of a first schema and its changes. */
let door: OpenDoor;
let folder: string;
beforeAll(async () => {
  door = await openDoor();
  folder = await mkdtemp(join(tmpdir(), 'lakeward-schema-'));
});
afterAll(async () => {
  await door.close();
  await rm(folder, { recursive: true, force: true });
});

const on = (...words: string[]): Promise<Captured> => lakeward(words, { url: door.url });

async function file(name: string, ...fields: object[]): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, JSON.stringify({ type: 'record', name: 'Click', fields }));
  return path;
}

test('a schema is registered, shown, changed, compared and deleted', async () => {
  expect((await on('schema', 'list')).stderr).toContain('lakeward schema register');
  const first = await file('1.avsc', { name: 'id', type: 'int' });
  const second = await file('2.avsc', { name: 'id', type: 'long' }, { name: 'user', type: 'string', default: '' });
  const bad = await file('3.avsc', { name: 'id', type: 'string' });
  expect(await on('schema', 'register', 'clicks', first)).toMatchObject({
    code: EXIT.ok,
    stdout: 'clicks version 1, id 1\n',
  });
  expect((await on('schema', 'check', 'clicks', second)).stdout).toBe('compatible (backward)\n');
  expect((await on('schema', 'register', 'clicks', second)).stdout).toBe('clicks version 2, id 2\n');

  const refused = await on('schema', 'check', 'clicks', bad);
  expect(refused).toMatchObject({ code: EXIT.findings, stderr: 'not backward compatible\n' });
  expect(refused.stdout).toBe('id: the reader takes string, written is long (version 2)\n');
  expect((await on('schema', 'register', 'clicks', bad)).stderr).toContain('[schema-incompatible]');

  const diff = await on('schema', 'diff', 'clicks');
  expect(diff.stdout.split('\n')).toEqual([
    'id  type: int -> long',
    'user  added: string, default ""',
    'version 2 reads records of 1: yes',
    'version 1 reads records of 2: no, id: the reader takes int, written is long',
    '',
  ]);
  expect(JSON.parse((await on('schema', 'show', 'clicks', '--version', '1')).stdout)).toMatchObject({ name: 'Click' });
  expect(documents(await on('schema', 'list', '--json'))).toMatchObject([
    { compatibility: 'backward', subjects: [{ subject: 'clicks', versions: [{ id: 1 }, { id: 2 }] }] },
  ]);

  expect((await on('schema', 'mode', 'none', 'clicks')).stdout).toBe('clicks: none\n');
  expect((await on('schema', 'mode', 'default', 'clicks')).stdout).toBe('clicks: backward\n');
  expect((await on('schema', 'mode', 'some')).code).toBe(EXIT.usage);
  expect((await on('schema', 'mode', 'full')).stdout).toBe('every subject without its own: full\n');

  expect((await on('schema', 'delete', 'clicks', '--version', '1')).stdout).toBe('clicks deleted: version 1\n');
  expect((await on('schema', 'list', '--deleted')).stdout).toContain('1 (deleted)');
  expect((await on('schema', 'delete', 'clicks', '--permanent')).stderr).toContain('[schema-not-deleted]');
  expect((await on('schema', 'show', 'none')).stderr).toContain('[subject-not-found]');
  expect((await on('schema', 'register', 'clicks', join(folder, 'absent'))).code).toBe(EXIT.usage);
});
