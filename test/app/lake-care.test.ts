/** The care of a lake as an operator meets it: partitions that are over, rows that somebody asks to be erased, lake and log compared. */
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { DeliveryStatus, ExpireReport } from '../../src/app/control-answers.ts';
import type { RunningServer } from '../../src/app/compose.ts';
import { documents, lakeward } from '../cli/captured-run.ts';
import { parquetRows } from '../convert/records.ts';
import { start, temporaryFolder } from './temporary-server.ts';

const DAY_MS = 86_400_000;
let folder: string;
let server: RunningServer;
let url: string;

beforeAll(async () => {
  folder = await temporaryFolder();
  server = await start(folder);
  ({ url } = server.address);
});
afterAll(async () => {
  await server.close('test over');
  await rm(folder, { recursive: true, force: true });
});

async function post(path: string, body: unknown): Promise<unknown> {
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(url + path, { method: 'POST', headers, body: JSON.stringify(body) });
  const answer: unknown = await response.json();
  if (response.status >= 300) throw new Error(`${path}: ${response.status} ${JSON.stringify(answer)}`);
  return answer;
}

async function listed(under: string): Promise<string[]> {
  const root = join(folder, 'lake', under);
  const files = await readdir(root, { recursive: true, withFileTypes: true }).catch(() => []);
  return files.filter((file) => file.isFile()).map((file) => join(file.parentPath, file.name));
}

async function idsIn(delivery: string): Promise<number[]> {
  const ids: number[] = [];
  for (const path of await listed(delivery)) for (const row of await parquetRows(path)) ids.push(Number(row['id']));
  return ids.sort((a, b) => a - b);
}

async function run<T>(...args: string[]): Promise<T> {
  const [answer] = documents<T>(await lakeward([...args, '--json'], { url }));
  if (answer === undefined) throw new Error('no answer');
  return answer;
}

const statusOf = (delivery: string): Promise<DeliveryStatus> => run<DeliveryStatus>('delivery', 'describe', delivery);

/** Rows of so many days ago. */
function rows(daysAgo: readonly number[]): { id: number; user: string; at: string }[] {
  const nowMs = Date.now();
  return daysAgo.map((days) => {
    return { id: days, user: `u${days % 3}`, at: new Date(nowMs - days * DAY_MS).toISOString() };
  });
}

test('partitions past their time leave the lake, and are counted as expired', { timeout: 60_000 }, async () => {
  await post('/v1/streams', { name: 's', shards: 1 });
  await post('/v1/deliveries', {
    name: 'd',
    stream: 's',
    layout: 'year={yyyy}/month={MM}/day={dd}/',
    eventTime: 'at',
    flush: { age: '1h' },
    retention: '30d',
    schema: {
      avro: {
        type: 'record',
        name: 'r',
        fields: [
          { name: 'id', type: 'long' },
          { name: 'user', type: 'string' },
          { name: 'at', type: 'string' },
        ],
      },
    },
  });
  // Late rows: their partitions are closed when they land.
  await post('/v1/streams/s/records', rows([0, 1]));
  await post('/v1/deliveries/d/flush', {});
  await post('/v1/streams/s/records', [...rows([5, 29, 31, 32, 400]), { id: 'no number' }]);
  await post('/v1/deliveries/d/flush', {});
  expect(await idsIn('d')).toEqual([0, 1, 5, 29, 31, 32, 400]);

  const dry = await run<ExpireReport>('lake', 'expire', 'd', '--dry-run');
  expect(dry).toMatchObject({ dryRun: true, partitions: 3, files: 3, rows: 3, rejectedFiles: 0 });
  expect(await run('lake', 'expire', 'd', '--older-than', '100d', '--dry-run')).toMatchObject({ rows: 1 });
  expect(await idsIn('d')).toHaveLength(7);

  expect(await run('lake', 'expire', 'd')).toMatchObject({ partitions: 3, files: 3, rows: 3, left: 0 });
  expect(await idsIn('d')).toEqual([0, 1, 5, 29]);
  expect(await statusOf('d')).toMatchObject({ rows: 7, expiredRows: 3, erasedRows: 0, rejects: { openRows: 1 } });
  expect(await run('lake', 'expire', 'd')).toMatchObject({ files: 0, rows: 0 });
  // Landing goes on.
  await post('/v1/streams/s/records', rows([2]));
  await post('/v1/deliveries/d/flush', {});
  expect(await statusOf('d')).toMatchObject({ rows: 8, expiredRows: 3, state: 'running' });
});
