/** A server whose delivery encrypts its files before storing them: nothing plain in the lake, everything readable through it. */
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { RunningServer } from '../../src/app/compose.ts';
import { EXIT } from '../../src/cli/exit-code.ts';
import { type Captured, lakeward } from '../cli/captured-run.ts';
import { start, temporaryFolder } from './temporary-server.ts';

const SECRET = 'a-name-nobody-may-read';
let folder: string;
let server: RunningServer;

beforeAll(async () => {
  folder = await temporaryFolder();
  await mkdir(join(folder, 'keys'));
  await writeFile(join(folder, 'keys/one'), Buffer.alloc(32, 3).toString('hex'));
  await writeFile(
    join(folder, 'lakeward.yaml'),
    `
lake: { keys: [{ id: one, file: keys/one }] }
streams: [{ name: s }]
deliveries:
  - name: sealed
    stream: s
    format: ndjson
    layout: ''
    schema: { avro: { type: record, name: r, fields: [{ name: id, type: long }, { name: who, type: string }] } }
    object: { encryption: { kind: client, key: one } }
  - name: once
    stream: s
    format: ndjson
    layout: ''
    dedupe: { key: id, window: 24h }
    object: { encryption: { kind: client, key: one } }
`,
  );
  server = await start(folder);
}, 60_000);
afterAll(async () => {
  await server.close('test over');
  await rm(folder, { recursive: true, force: true });
});

async function post(path: string, body: unknown): Promise<Response> {
  const headers = { 'content-type': 'application/json' };
  return fetch(server.address.url + path, { method: 'POST', headers, body: JSON.stringify(body) });
}

test('no row, rejected row or statistic of it lies plain in the lake, and rejected rows are shown', async () => {
  const rows = Array.from({ length: 2000 }, (_, id) => ({ id, who: SECRET }));
  const bad = [{ id: SECRET, who: SECRET }];
  expect((await post('/v1/streams/s/records', [...rows, ...bad])).status).toBe(200);
  const landed = await post('/v1/deliveries/sealed/flush', {});
  expect(await landed.json()).toMatchObject({ rows: 2000, rejectedRows: 1, state: 'running' });

  const lake = join(folder, 'lake');
  const names = (await readdir(lake, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
  const sealed = names.filter(({ name }) => name.endsWith('.ndjson.lwenc'));
  expect(sealed.filter(({ name }) => name.startsWith('sealed-'))).toHaveLength(2);
  for (const { parentPath, name } of names) {
    const bytes = await readFile(join(parentPath, name));
    expect([name, bytes.includes(SECRET)]).toEqual([name, false]);
  }
  const answer = await fetch(`${server.address.url}/v1/deliveries/sealed/rejected`);
  const { items } = (await answer.json()) as { items: { code: string; data: string }[] };
  expect(items).toMatchObject([{ code: 'wrong-type' }]);
  expect(Buffer.from(items[0]?.data ?? '', 'base64').toString()).toContain(SECRET);
}, 60_000);

test('its files are decrypted by lake cat alone; a folder has no links nor lifecycle rules, and says where the file is', async () => {
  const on = (line: string): Promise<Captured> => lakeward(line.split(' '), { url: server.address.url });
  const listed = await fetch(`${server.address.url}/v1/deliveries/sealed/files`);
  const { items } = (await listed.json()) as { items: { path: string; columns: object[] }[] };
  const path = items[0]?.path ?? '';
  const { stdout } = await on(`lake cat ${path}`);
  expect(stdout.trim().split('\n')).toHaveLength(2000);
  expect(JSON.parse(stdout.split('\n')[7] ?? '')).toMatchObject({ id: 7, who: SECRET });
  const link = await on(`lake url ${path}`);
  expect(link.code).toBe(EXIT.failed);
  expect(link.stderr).toContain(`the file is ${join(folder, 'lake', path)}`);
  expect((await on('lake lifecycle plan')).stderr).toContain('[not-on-s3]');
  expect((await on('lake cat ../../etc/passwd')).stderr).toContain('[argument-invalid]');
  expect((await on('lake report')).stdout).toMatch(/^files,sealed\/,sealed,data,DISK,1,/m);
}, 60_000);

test('ids that a delivery remembers are encrypted too, and known after a restart that forgot the local copy', async () => {
  const rows = Array.from({ length: 50 }, (_, id) => ({ id: 10_000 + id, who: SECRET }));
  await post('/v1/streams/s/records', rows);
  await post('/v1/deliveries/once/flush', {});
  await server.close('restart');
  server = await start(folder);
  await post('/v1/streams/s/records', rows);
  const answer = await post('/v1/deliveries/once/flush', {});
  expect(await answer.json()).toMatchObject({ state: 'running', duplicateRows: 50 });
  const lake = await readdir(join(folder, 'lake'), { recursive: true });
  const keys = lake.filter((path) => /\/keys\/./.test(path));
  expect(keys.length).toBeGreaterThan(0);
  expect(keys.filter((path) => !path.endsWith('.lwenc'))).toEqual([]);
}, 60_000);
