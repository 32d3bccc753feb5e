import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parquetReadObjects } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { DeliveryStatus, PutAnswer } from '../../src/app/control-answers.ts';
import { start, temporaryFolder, type TemporaryServer, temporaryServer } from './temporary-server.ts';

async function post<T>(url: string, body: unknown): Promise<T> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  const answer: unknown = await response.json();
  if (response.status >= 300) throw new Error(`${url}: ${response.status} ${JSON.stringify(answer)}`);
  return answer as T;
}

/** Data files by LIST, as a reader of the lake would find them: names that start with `_` are not its business. */
async function dataFiles(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter(
      (path) =>
        !path
          .slice(folder.length)
          .split('/')
          .some((segment) => segment.startsWith('_')),
    )
    .toSorted();
}

async function parquetRows(folder: string): Promise<Record<string, unknown>[]> {
  const rows: Record<string, unknown>[] = [];
  for (const path of await dataFiles(folder)) {
    const bytes = await readFile(path);
    const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
    rows.push(...(await parquetReadObjects({ file, compressors })));
  }
  return rows;
}

describe('a whole server', () => {
  let server: TemporaryServer;
  beforeAll(async () => {
    server = await temporaryServer();
  });
  afterAll(() => server.close());

  test('takes records over HTTP and lands each once, as Parquet by event hour, across a restart', async () => {
    await post(`${server.url}/v1/streams`, { name: 'clicks', shards: 4 });
    await post(`${server.url}/v1/deliveries`, {
      name: 'clicks',
      stream: 'clicks',
      eventTime: 'time',
      flush: { age: '1h' },
    });
    const events = Array.from({ length: 1000 }, (_, i) => ({
      id: `e${i}`,
      time: new Date(Date.UTC(2026, 0, 31, i % 5, i % 60)).toISOString(),
      user: `u${i % 17}`,
      amount: i / 4,
    }));
    const half = (part: typeof events): Promise<PutAnswer> =>
      post(`${server.url}/v1/streams/clicks/records?partitionKeyField=user`, part);
    expect(await half(events.slice(0, 500))).toMatchObject({ accepted: 500, failed: 0 });
    await post(`${server.url}/v1/deliveries/clicks/flush`, {});
    await server.restart();
    expect(await half(events.slice(500))).toMatchObject({ accepted: 500, failed: 0 });
    const status = await post<DeliveryStatus>(`${server.url}/v1/deliveries/clicks/flush`, {});
    expect(status).toMatchObject({ rows: 1000, rejectedRows: 0, state: 'running', pending: { records: 0 } });

    const rows = await parquetRows(join(server.lake, 'clicks'));
    expect(rows.map((row) => String(row['id'])).toSorted()).toEqual(events.map(({ id }) => id).toSorted());
    const folders = new Set((await dataFiles(join(server.lake, 'clicks'))).map((path) => path.split('/').at(-2)));
    expect([...folders].map(String).toSorted()).toEqual(['hour=00', 'hour=01', 'hour=02', 'hour=03', 'hour=04']);
    const byId = new Map(rows.map((row) => [row['id'], row]));
    for (const { id, amount, user } of events) expect(byId.get(id)).toMatchObject({ amount, user });
  });

  test('lands what waits when it is stopped', async () => {
    await post(`${server.url}/v1/streams`, { name: 'waiting' });
    await post(`${server.url}/v1/deliveries`, { name: 'waiting', stream: 'waiting', flush: { age: '1h' } });
    await post(`${server.url}/v1/streams/waiting/records`, [{ id: 1 }, { id: 2 }, { id: 3 }]);
    await server.restart();
    const rows = await parquetRows(join(server.lake, 'waiting'));
    expect(rows.map((row) => String(row['id'])).toSorted()).toEqual(['1', '2', '3']);
    const { items } = (await (await fetch(`${server.url}/v1/deliveries/waiting/files`)).json()) as {
      items: { closedBecause: string }[];
    };
    expect(items.map((file) => file.closedBecause)).toEqual(['shutdown']);
  });

  test('refuses a second process on its data folder, and answers its probes', async () => {
    await expect(start(server.folder)).rejects.toMatchObject({ code: 'data-folder-locked' });
    expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
    expect(await (await fetch(`${server.url}/readyz`)).json()).toMatchObject({ status: 'ready' });
    expect(await (await fetch(`${server.url}/metrics`)).text()).toContain('lakeward_');
  });

  test('suspends its deliveries when the lake was emptied while it was down, and goes on taking records', async () => {
    await server.restart(() => rm(server.lake, { recursive: true }));
    const answer = await post<PutAnswer>(`${server.url}/v1/streams/clicks/records`, { id: 'after' });
    expect(answer.accepted).toBe(1);
    const { deliveries } = (await (await fetch(`${server.url}/v1/deliveries`)).json()) as {
      deliveries: DeliveryStatus[];
    };
    expect(deliveries.map(({ state, trouble }) => [state, trouble?.code])).toEqual([
      ['suspended', 'incarnation-mismatch'],
      ['suspended', 'incarnation-mismatch'],
    ]);
    // Producers are still welcome: their records are safe in the stream.
    expect((await fetch(`${server.url}/readyz`)).status).toBe(200);
  });
});

describe('what the configuration file declares', () => {
  test('exists at the start, is the file’s, and goes when the file no longer says it', async () => {
    const folder = await temporaryFolder();
    try {
      await writeFile(
        join(folder, 'lakeward.yaml'),
        'streams:\n  - { name: s, shards: 3 }\ndeliveries:\n  - { name: d, stream: s, format: csv }\n',
      );
      const first = await start(folder);
      const url = `${first.address.url}/v1/deliveries/d`;
      expect(await (await fetch(url)).json()).toMatchObject({ owner: 'file', spec: { format: 'csv', stream: 's' } });
      const refused = await fetch(url, { method: 'DELETE' });
      expect(await refused.json()).toMatchObject({ error: { code: 'owned-by-file' } });
      await first.close('test');

      await writeFile(join(folder, 'lakeward.yaml'), 'streams: []\n');
      const second = await start(folder);
      expect((await fetch(`${second.address.url}/v1/deliveries/d`)).status).toBe(404);
      expect((await fetch(`${second.address.url}/v1/streams/s`)).status).toBe(200);
      await second.close('test');
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});
