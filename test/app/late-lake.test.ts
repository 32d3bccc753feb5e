/** A server whose lake is away when it starts. */
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { RunningServer } from '../../src/app/compose.ts';
import { lateLake } from '../../src/app/late-lake.ts';
import { manualClock } from '../../src/clock/manual-clock.ts';
import { memoryStore } from '../../src/lake/memory/memory-store.ts';
import { LakewardError } from '../../src/model/errors.ts';
import { lakePath } from '../../src/model/lake-path.ts';
import { start, temporaryFolder } from './temporary-server.ts';

let folder: string;
let server: RunningServer | undefined;
beforeEach(async () => {
  folder = await temporaryFolder();
});
afterEach(async () => {
  await server?.close('test over');
  server = undefined;
  await rm(folder, { recursive: true, force: true });
});

async function ask(method: string, path: string, body?: unknown): Promise<unknown> {
  const headers = { 'content-type': 'application/json' };
  const init = body === undefined ? { method } : { method, headers, body: JSON.stringify(body) };
  return (await fetch(`${server?.address.url}/v1/${path}`, init)).json();
}

test('takes records, says of its deliveries that the lake is away, and lands when it is there', async () => {
  const lake = join(folder, 'mount', 'lake');
  await writeFile(join(folder, 'mount'), 'no folder yet');
  server = await start(folder, { lake });
  await ask('POST', 'streams', { name: 's' });
  const made = await ask('POST', 'deliveries', { name: 'd', stream: 's', format: 'ndjson', layout: '' });
  const trouble = { code: 'lake-unavailable' };
  expect(made).toMatchObject({ state: 'retrying', trouble });
  expect(await ask('POST', 'streams/s/records', [{ id: 1 }, { id: 2 }])).toMatchObject({ accepted: 2 });
  expect(await ask('POST', 'deliveries/d/flush', {})).toMatchObject({ error: trouble });
  await rename(join(folder, 'mount'), join(folder, 'gone'));
  await mkdir(lake, { recursive: true });
  expect(await ask('POST', 'deliveries/d/resume', {})).toMatchObject({ state: 'running' });
  expect(await ask('POST', 'deliveries/d/flush', {})).toMatchObject({ state: 'running', rows: 2 });
});

test('is opened by whoever needs it first, once, and again only after a failure', async () => {
  const lake = memoryStore({ clock: manualClock({ seed: 1 }) });
  let opens = 0;
  const late = lateLake(async () => {
    opens += 1;
    if (opens === 1) throw new LakewardError('lake-unavailable', 'away');
    return { lake, lakeId: 'the lake' };
  });
  const away = await Promise.allSettled([late.lakeId(), late.lake.list(''), late.lake.read(lakePath('a'))]);
  expect(away.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
  expect(opens).toBe(1);
  const [id, created] = await Promise.all([late.lakeId(), late.lake.create(lakePath('a'), Uint8Array.of(1))]);
  expect([id, created, opens]).toEqual(['the lake', 'created', 2]);
  expect(await late.lake.read(lakePath('a'))).toEqual(Uint8Array.of(1));
  expect(opens).toBe(2);
});
