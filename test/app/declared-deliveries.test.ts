/** Deliveries of the configuration file: all problems at once, and none of them half applied. */
import { access, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startServer } from '../../src/app/compose.ts';
import { loadServerConfig } from '../../src/app/declared-deliveries.ts';
import type { LakewardError } from '../../src/model/errors.ts';
import { start, temporaryFolder } from './temporary-server.ts';

let folder: string;
beforeEach(async () => {
  folder = await temporaryFolder();
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const write = (text: string): Promise<void> => writeFile(join(folder, 'lakeward.yaml'), text);
const load = () => loadServerConfig({ env: {}, workingFolder: folder });

async function pathsOf(failing: Promise<unknown>, code: string): Promise<string[]> {
  const error = await failing.then(
    () => expect.fail('it was accepted'),
    (error: unknown) => error as LakewardError,
  );
  expect(error).toMatchObject({ code });
  const problems = error.details?.['problems'] as { path: string }[];
  for (const { path } of problems) expect(error.message).toContain(path);
  return problems.map(({ path }) => path).toSorted();
}

test('every problem of every delivery is told together with those of the other keys', async () => {
  await write(`
server: { port: 99999 }
streams: [{ name: s }]
deliveries:
  - { name: a, stream: s, format: csv, compression: lz4, layout: "{nope" }
  - 5
  - { name: .tmp, stream: s, prefix: c, schema: absent.avsc }
  - { name: c, stream: s, colour: red }
  - { name: C, stream: s, prefix: c/d }
  - { name: e, stream: s, prefix: f }
  - { name: f, stream: s }
`);
  expect(await pathsOf(load(), 'config-invalid')).toEqual([
    'deliveries[0].compression',
    'deliveries[0].layout',
    'deliveries[1]',
    'deliveries[2].name',
    'deliveries[2].schema',
    'deliveries[3].colour',
    'deliveries[6].prefix',
    'server.port',
  ]);
});

test('a program that starts a server with them is told before anything is made', async () => {
  await write('');
  const config = { ...(await load()), deliveries: [{ name: 'd', stream: 's', format: 'orc' }] };
  expect(await pathsOf(startServer(config), 'config-invalid')).toEqual(['deliveries[0].format']);
  await expect(access(config.data.folder)).rejects.toMatchObject({ code: 'ENOENT' });
});

test('streams that neither exist nor are declared are told before the declared ones are made', async () => {
  await write(`
streams: [{ name: s }]
deliveries: [{ name: a, stream: s }, { name: b, stream: t }, { name: c, stream: u }]
`);
  expect(await pathsOf(start(folder), 'stream-not-found')).toEqual(['deliveries[1].stream', 'deliveries[2].stream']);
  await write('');
  const server = await start(folder);
  const answer = await fetch(`${server.address.url}/v1/streams`);
  expect(await answer.json()).toEqual({ streams: [] });
  await server.close('test over');
});

test('a stream that the file declares, or that a declared delivery reads, is not deleted, not even by force', async () => {
  await write('streams: [{ name: s }, { name: t }]');
  await (await start(folder)).close('test');
  await write('streams: [{ name: s }]\ndeliveries: [{ name: d, stream: t }]');
  let server = await start(folder);
  const remove = async (name: string): Promise<unknown> =>
    (await fetch(`${server.address.url}/v1/streams/${name}?force=true`, { method: 'DELETE' })).json();
  for (const name of ['s', 't']) {
    expect(await remove(name)).toMatchObject({
      error: { code: 'owned-by-file', message: expect.stringContaining('take it out of the file, restart the server') },
    });
  }
  await server.close('test');
  await write('');
  server = await start(folder);
  for (const name of ['s', 't']) expect(await remove(name)).toEqual({});
  await server.close('test over');
});
