/** Notices as a receiver of them meets them: real HTTP, with signature, and records of a stream. */
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { createNotifier } from '../../src/app/notifier.ts';
import type { DeliveryStatus } from '../../src/app/control-answers.ts';
import { systemClock } from '../../src/clock/system-clock.ts';
import type { Notice } from '../../src/ports/notifier.ts';
import { documents, lakeward } from '../cli/captured-run.ts';
import { start, temporaryFolder } from './temporary-server.ts';

const SECRET = 'a-secret-of-some-length';
const HOUR_MS = 3_600_000;

let receiver: Server;
let address: string;
const requests: { readonly signature: string | undefined; readonly body: string; readonly type: string | undefined }[] =
  [];
let answer: (response: ServerResponse) => void;

beforeAll(async () => {
  receiver = createServer((request: IncomingMessage, response) => {
    void text(request).then((body) => {
      const { 'lakeward-signature': signature, 'content-type': type } = request.headers;
      requests.push({ signature: signature as string | undefined, body, type });
      answer(response);
    });
  });
  receiver.listen(0, '127.0.0.1');
  await once(receiver, 'listening');
  address = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}`;
});
afterAll(() => {
  receiver.closeAllConnections();
  receiver.close();
});

const NOTICE: Notice = {
  id: 'd/s-1/7/year=2026',
  event: 'complete',
  delivery: 'd',
  stream: 's',
  partition: 'year=2026',
  entry: 7,
  rows: 1,
  files: 1,
  bytes: 1,
  closedAt: '2027-01-01T00:00:00.000Z',
};

test('a receiver that does not answer with success has not taken them, and a redirect leads nowhere', async () => {
  const notifier = createNotifier({ clock: systemClock(), secret: undefined });
  const send = (path: string): Promise<void> => notifier.send({ url: `${address}${path}` }, [NOTICE]);
  answer = (response) => response.writeHead(204).end();
  await send('/ok');
  expect(requests.splice(0)).toMatchObject([{ signature: undefined, type: 'application/json' }]);
  const refusals: ((response: ServerResponse) => void)[] = [
    (response) => response.writeHead(503).end('later'),
    (response) => response.writeHead(307, { location: `${address}/elsewhere` }).end(),
    (response) => response.destroy(),
  ];
  for (answer of refusals) {
    const refused: unknown = await send('/secret-path').catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: 'notify-failed', message: expect.stringContaining(address) as string });
    expect((refused as Error).message).not.toContain('secret-path');
  }
  expect(requests.splice(0)).toHaveLength(refusals.length);
  await expect(notifier.send({ stream: 'hours' }, [NOTICE])).rejects.toMatchObject({ code: 'notify-failed' });
});

test('a receiver and a stream are told of the hours of a delivery', { timeout: 240_000 }, async () => {
  const folder = await temporaryFolder();
  await writeFile(join(folder, 'lakeward.yaml'), `server: { noticeSecret: '${SECRET}' }`);
  const server = await start(folder);
  const { url } = server.address;
  const run = async (...args: string[]): Promise<void> => {
    const { code, stderr } = await lakeward(args, { url });
    expect(stderr).not.toContain('[');
    expect(code).toBe(0);
  };
  answer = (response) => response.writeHead(200).end('fine');
  try {
    await run('stream', 'create', 's');
    await run('stream', 'create', 'hours', '--shards', '2');
    const common = ['--stream', 's', '--event-time', 'at', '--flush-age', '1h', '--allowed-lateness', '0s'];
    await run('delivery', 'create', 'hook', ...common, '--notify', `${address}/hook`);
    await run('delivery', 'create', 'told', ...common, '--notify', 'hours');
    const nowMs = Date.now();
    // The third lets the hours before it be over; the last comes late.
    for (const hoursAgo of [5, 4, 2, 5]) {
      const record = JSON.stringify({ id: hoursAgo, at: new Date(nowMs - hoursAgo * HOUR_MS).toISOString() });
      const body = { method: 'POST', headers: { 'content-type': 'application/json' }, body: record };
      expect((await fetch(`${url}/v1/streams/s/records`, body)).status).toBe(200);
      await run('delivery', 'flush', 'hook');
      await run('delivery', 'flush', 'told');
    }
    const hour = (hoursAgo: number): string => new Date(nowMs - hoursAgo * HOUR_MS).toISOString().slice(11, 13);
    const wanted = [`complete ${hour(5)} 1`, `complete ${hour(4)} 1`, `reopened ${hour(5)} 2`];
    const short = ({ event, partition, rows }: Notice): string => `${event} ${partition.slice(-2)} ${rows}`;
    const patience = { timeout: 120_000, interval: 250 };

    await vi.waitFor(() => expect(requests).toHaveLength(wanted.length), patience);
    const events: Notice[] = [];
    for (const { body, signature } of requests) {
      const [, second, mac] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(signature ?? '') ?? [];
      expect(mac).toBe(createHmac('sha256', SECRET).update(`${second}.${body}`).digest('hex'));
      events.push(...(JSON.parse(body) as { events: Notice[] }).events);
    }
    expect(events.map(short)).toEqual(wanted);
    expect(events[2]).toMatchObject({ delivery: 'hook', stream: 's', lateRows: 1 });

    type Tail = { records: { partitionKey: string; data: string }[] };
    const records = async (): Promise<Tail['records']> =>
      ((await (await fetch(`${url}/v1/streams/hours/records?from=earliest`)).json()) as Tail).records;
    await vi.waitFor(async () => expect(await records()).toHaveLength(wanted.length), patience);
    const told = (await records()).map(({ partitionKey, data }) => {
      const notice = JSON.parse(data) as Notice;
      expect(partitionKey).toBe(notice.partition);
      return short(notice);
    });
    expect(told.toSorted()).toEqual(wanted.toSorted());
    // One partition is one shard.
    expect(told.indexOf(wanted[0] ?? '')).toBeLessThan(told.indexOf(wanted[2] ?? ''));

    // A moment after the receiver has answered.
    await vi.waitFor(async () => {
      const [status] = documents<DeliveryStatus>(await lakeward(['delivery', 'describe', 'hook', '--json'], { url }));
      expect(status).toMatchObject({ notices: { pending: 0 } });
      const metrics = await (await fetch(`${url}/metrics`)).text();
      expect(metrics).toContain('lakeward_delivery_notices_total{delivery="hook",outcome="sent"} 3');
    }, patience);
  } finally {
    await server.close('test over');
    await rm(folder, { recursive: true, force: true });
  }
});
