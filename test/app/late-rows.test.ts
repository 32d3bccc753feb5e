/** Held late rows as an operator meets them, in every format and encrypted: hidden, told, reached by the care of the lake, and shown as one file. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, expect, test } from 'vitest';
import type { CheckReport, Completeness, DeliveryStatus } from '../../src/app/control-answers.ts';
import { documents, lakeward } from '../cli/captured-run.ts';
import { parquetRows } from '../convert/records.ts';
import { keyedServer } from './keyed-server.ts';

const HOUR_MS = 3_600_000;
const PATIENCE_MS = 240_000;
const { folder, url, post, close } = await keyedServer();
afterAll(() => close());

const FORMATS = {
  parquet: { format: 'parquet', compaction: { readers: 'manifest' } },
  csv: { format: 'csv', compression: 'gzip' },
  ndjson: { format: 'ndjson' },
  secret: { format: 'parquet', object: { encryption: { kind: 'client', key: 'ours' } } },
};
const NAMES = Object.keys(FORMATS);
const FIELDS = ['id', 'at'].map((name) => ({ name, type: 'string' }));
const SPEC = {
  stream: 's',
  eventTime: 'at',
  allowedLateness: '0s',
  flush: { records: 1 },
  late: { hold: '24h' },
  schema: { avro: { type: 'record', name: 'r', fields: FIELDS } },
};
const nowHourMs = Math.floor(Date.now() / HOUR_MS) * HOUR_MS;
const hourAgo = (hours: number): number => nowHourMs - hours * HOUR_MS;
const hourText = (hours: number): string => new Date(hourAgo(hours)).toISOString().slice(0, 13);

async function listed(under: string): Promise<string[]> {
  const root = join(folder, 'lake', under);
  const files = await readdir(root, { recursive: true, withFileTypes: true }).catch(() => []);
  return files.filter((file) => file.isFile()).map((file) => join(file.parentPath, file.name));
}

const hidden = async (name: string): Promise<number> =>
  (await listed(join('_lakeward', name))).filter((path) => path.includes('/held/')).length;

async function idsIn(name: string): Promise<string[]> {
  const ids: string[] = [];
  for (const path of await listed(name)) {
    if (path.endsWith('.parquet')) for (const row of await parquetRows(path)) ids.push(String(row['id']));
    const text = path.endsWith('.gz') ? gunzipSync(await readFile(path)).toString() : '';
    for (const line of text.split('\r\n').slice(1).filter(Boolean)) ids.push(line.split(',')[0] ?? '');
    if (!path.endsWith('.ndjson')) continue;
    for (const line of (await readFile(path, 'utf8')).split('\n').filter(Boolean)) {
      ids.push((JSON.parse(line) as { id: string }).id);
    }
  }
  return ids.sort();
}

async function run<T>(...args: string[]): Promise<T> {
  const [answer] = documents<T>(await lakeward([...args, '--json'], { url }));
  if (answer === undefined) throw new Error('no answer');
  return answer;
}

async function check(name: string): Promise<CheckReport | undefined> {
  return (await run<{ reports: CheckReport[] }>('lake', 'check', name, '--deep')).reports[0];
}

let sent = 0;
/** Lands a row of so many hours ago in every delivery, by itself. */
async function land(id: string, hours: number): Promise<void> {
  await post('/v1/streams/s/records', [{ id, at: new Date(hourAgo(hours) + 1000).toISOString() }]);
  sent++;
  for (const name of NAMES) {
    const landed = async (): Promise<number> => (await run<DeliveryStatus>('delivery', 'describe', name)).rows;
    await expect.poll(landed, { timeout: 60_000 }).toBe(sent);
  }
}

test('late rows stay hidden, are told, searched and erased, and show as one file of each hour', {
  timeout: PATIENCE_MS,
}, async () => {
  await post('/v1/streams', { name: 's', shards: 1 });
  for (const [name, format] of Object.entries(FORMATS)) await post('/v1/deliveries', { name, ...SPEC, ...format });
  await land('a', 6);
  await land('b', 3);
  for (const id of ['late 1', 'late 2', 'late 3']) await land(id, 6);
  for (const name of NAMES) {
    expect(await hidden(name)).toBe(3);
    expect(await listed(name)).toHaveLength(2);
    if (name !== 'secret') expect(await idsIn(name)).toEqual(['a', 'b']);
    expect(await run('delivery', 'describe', name)).toMatchObject({ lateRows: 3, held: { rows: 3, files: 3 } });
    const complete = await run<Completeness>('lake', 'wait', name, '--hour', hourText(6));
    expect(complete).toMatchObject({ complete: true, rows: 1, heldRows: 3 });
    expect(await check(name)).toMatchObject({ rows: 5, findingsInAll: 0 });
    expect(await run('lake', 'erase', name, '--key', 'id=late 2')).toMatchObject({ matchedRows: 1 });
  }
  const metrics = await (await fetch(`${url}/metrics`)).text();
  expect(metrics).toContain('lakeward_delivery_held_rows');

  for (const name of NAMES) {
    await post(`/v1/deliveries/${name}/flush`, {});
    expect(await hidden(name)).toBe(0);
    // The hour's own file, that of the other hour, and one of what came late.
    expect(await listed(name)).toHaveLength(3);
    if (name !== 'secret') expect(await idsIn(name)).toEqual(['a', 'b', 'late 1', 'late 3']);
    else expect((await listed(name)).every((path) => path.endsWith('.parquet.lwenc'))).toBe(true);
    const status = await run<DeliveryStatus>('delivery', 'describe', name);
    expect([status.rows, status.erasedRows, status.held]).toEqual([5, 1, undefined]);
    expect(await check(name)).toMatchObject({ rows: 4, findingsInAll: 0 });
    const reopened = (await listed(join('_lakeward', name))).filter((path) => path.includes('/reopened/'));
    expect(reopened).toHaveLength(1);
    expect(JSON.parse(await readFile(reopened[0] ?? '', 'utf8'))).toMatchObject({ rows: 3, lateRows: 2 });
  }
});

test('late rows of a time that is over expire where they are held', { timeout: PATIENCE_MS }, async () => {
  await land('late 4', 5);
  for (const name of NAMES) {
    expect(await hidden(name)).toBe(1);
    expect(await run('lake', 'expire', name, '--older-than', '4h')).toMatchObject({ rows: 4, files: 3 });
    expect(await hidden(name)).toBe(0);
    const status = await run<DeliveryStatus>('delivery', 'describe', name);
    expect([status.expiredRows, status.held]).toEqual([4, undefined]);
  }
});
