import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import type { Socket } from 'node:net';
import { connect } from 'node:net';
import { describe, expect, test } from 'vitest';
import type { AppendBatch } from '../../src/model/record-batch.ts';
import { FORM_AUTHORIZATION, DAY_MS, ask, openDoor } from './open-door.ts';

/** Everything the server sends until it closes the connection. */
async function untilClosed(socket: Socket): Promise<string> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  socket.on('error', () => {});
  if (!socket.closed) await once(socket, 'close');
  return Buffer.concat(chunks).toString('latin1');
}

const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';

describe('one port', () => {
  test('tells HTTP/1.1 and h2 apart however the first bytes are cut', async () => {
    await using door = await openDoor();
    for (const first of ['G', 'GE', 'GET / HTTP/1.1\r\n']) {
      const socket = connect(door.port, '127.0.0.1');
      await once(socket, 'connect');
      socket.setNoDelay();
      socket.write(first);
      await new Promise((resolve) => setTimeout(resolve, 20));
      socket.write(
        'GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'.slice(
          first.length < 3 ? first.length : 0,
        ),
      );
      const answer = await untilClosed(socket);
      expect(answer).toMatch(/^HTTP\/1\.1 (200|400)/);
    }
    for (const cut of [1, 2, 3, 10]) {
      const socket = connect(door.port, '127.0.0.1');
      await once(socket, 'connect');
      socket.setNoDelay();
      socket.write(PREFACE.slice(0, cut));
      await new Promise((resolve) => setTimeout(resolve, 20));
      socket.write(PREFACE.slice(cut));
      const [settings] = (await once(socket, 'data')) as [Buffer];
      // The first frame of a server is SETTINGS, type 4 on stream 0.
      expect(settings[3]).toBe(4);
      socket.destroy();
    }
  });

  test('serves the plain API and the Kinesis wire over one h2 connection', async () => {
    await using door = await openDoor();
    await door.streams.create({ name: 's', shards: 1, retentionMs: DAY_MS });
    const session = connectHttp2(door.url);
    const send = async (headers: Record<string, string>, body: string): Promise<string> => {
      const stream = session.request({ ':method': 'POST', ...headers });
      stream.end(body);
      let text = '';
      for await (const chunk of stream) text += String(chunk);
      return text;
    };
    const [plain, wire] = await Promise.all([
      send({ ':path': '/v1/streams/s/records', 'content-type': 'application/json' }, '{"a":1}'),
      send(
        {
          ':path': '/',
          'content-type': 'application/x-amz-json-1.1',
          'x-amz-target': 'Kinesis_20131202.ListStreams',
          'x-amz-date': '20260101T000000Z',
          authorization: FORM_AUTHORIZATION,
        },
        '{}',
      ),
    ]);
    expect(JSON.parse(plain)).toMatchObject({ accepted: 1 });
    expect(JSON.parse(wire)).toMatchObject({ StreamNames: ['s'] });
    session.close();
  });
});

describe('a connection that dawdles is cut', () => {
  const bounds = { headersTimeoutMs: 200, requestTimeoutMs: 400, idleTimeoutMs: 200 };

  test.each([
    ['says nothing', ''],
    ['stops within the h2 preface', 'PR'],
    ['never ends its headers', 'GET / HTTP/1.1\r\nHost: localhost\r\nX-A: b'],
    [
      'never ends its body',
      'POST /v1/streams/s/records HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{',
    ],
    ['opens h2 and says no more', PREFACE],
  ])('when it %s', async (_, bytes) => {
    await using door = await openDoor({ bounds });
    await door.streams.create({ name: 's', shards: 1, retentionMs: DAY_MS });
    const socket = connect(door.port, '127.0.0.1');
    socket.write(bytes);
    await untilClosed(socket);
    expect((await ask(`${door.url}/healthz`, 'GET')).status).toBe(200);
  });

  test('when it drips its body for longer than a request may take', async () => {
    await using door = await openDoor({ bounds: { requestTimeoutMs: 1000 } });
    await door.streams.create({ name: 's', shards: 1, retentionMs: DAY_MS });
    const session = connectHttp2(door.url);
    const stream = session.request({
      ':method': 'POST',
      ':path': '/v1/streams/s/records',
      'content-type': 'application/json',
    });
    stream.write('{');
    await new Promise((resolve) => setTimeout(resolve, 50));
    await door.clock.advance(1001);
    stream.write('"a"');
    const [headers] = (await once(stream, 'response')) as [Record<string, unknown>];
    expect(headers[':status']).toBe(400);
    session.destroy();
  });
});

describe('a connection that breaks the rules does no harm', () => {
  test.each([
    [
      'both lengths',
      'POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    ['no HTTP at all', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
    ['headers without end', `GET / HTTP/1.1\r\nHost: localhost\r\n${'X-A: b\r\n'.repeat(5000)}\r\n`],
    ['h2 frames of nonsense', `${PREFACE}${'\xff'.repeat(100)}`],
    [
      'a body that never comes',
      'POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 999999999999\r\nX-Amz-Target: Kinesis_20131202.PutRecords\r\nContent-Type: application/x-amz-json-1.1\r\n\r\n',
    ],
  ])('with %s', async (_, bytes) => {
    await using door = await openDoor({ bounds: { headersTimeoutMs: 300, requestTimeoutMs: 300, idleTimeoutMs: 300 } });
    const socket = connect(door.port, '127.0.0.1');
    socket.write(bytes, 'latin1');
    const answer = await untilClosed(socket);
    expect(answer).not.toMatch(/^HTTP\/1\.1 2/);
    expect((await ask(`${door.url}/healthz`, 'GET')).status).toBe(200);
  });

  test('with a client that leaves in the middle, whose bytes are given back', async () => {
    await using door = await openDoor({ bounds: { inFlightBytesMax: 1000 } });
    await door.streams.create({ name: 's', shards: 1, retentionMs: DAY_MS });
    const socket = connect(door.port, '127.0.0.1');
    socket.write(
      `POST /v1/streams/s/records HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 2000\r\n\r\n${'{'.repeat(900)}`,
    );
    const heldBytes = async (): Promise<string | undefined> =>
      /lakeward_ingest_in_flight_bytes (\d+)/.exec((await ask(`${door.url}/metrics`, 'GET')).text)?.[1];
    await expect.poll(heldBytes).toBe('900');
    socket.destroy();
    await expect.poll(heldBytes).toBe('0');
  });
});

describe('without keys', () => {
  test('another address than loopback is refused, and nothing listens', async () => {
    await expect(openDoor({ host: '0.0.0.0' })).rejects.toMatchObject({ code: 'config-invalid' });
  });

  test('a request under another name is refused: a web page could have made it', async () => {
    await using door = await openDoor();
    const socket = connect(door.port, '127.0.0.1');
    socket.write('GET /v1/streams HTTP/1.1\r\nHost: evil.example:4567\r\nConnection: close\r\n\r\n');
    expect(await untilClosed(socket)).toMatch(/^HTTP\/1\.1 401/);
  });
});

describe('closing', () => {
  test('finishes what is under way on both kinds of connection, and takes no more', async () => {
    let store = (): void => {};
    const storing = new Promise<void>((resolve) => (store = resolve));
    let begun = 0;
    const door = await openDoor({
      around: (broker) => ({
        append: async (stream: Parameters<typeof broker.append>[0], batch: AppendBatch) => {
          begun++;
          await storing;
          return broker.append(stream, batch);
        },
      }),
    });
    await door.streams.create({ name: 's', shards: 1, retentionMs: DAY_MS });
    const plain = ask(`${door.url}/v1/streams/s/records`, 'POST', '{"a":1}');
    const session = connectHttp2(door.url);
    const stream = session.request({
      ':method': 'POST',
      ':path': '/v1/streams/s/records',
      'content-type': 'application/json',
    });
    stream.end('{"a":2}');
    await expect.poll(() => begun).toBe(2);
    const goneAway = once(session, 'goaway');
    const response = once(stream, 'response');
    const closed = door.close();
    await goneAway;
    await expect(ask(`${door.url}/healthz`, 'GET')).rejects.toThrow('fetch failed');
    store();
    expect((await plain).json).toMatchObject({ accepted: 1 });
    expect((await response)[0]).toMatchObject({ ':status': 200 });
    stream.resume();
    await closed;
  });

  test('ends a waiting reader with an empty answer and its cursor', async () => {
    const door = await openDoor();
    await door.streams.create({ name: 's', shards: 1, retentionMs: DAY_MS });
    const before = door.clock.sleepers();
    const waiting = ask(`${door.url}/v1/streams/s/records?from=latest&waitMs=30000`, 'GET');
    await expect.poll(() => door.clock.sleepers()).toBe(before + 1);
    await door.close();
    expect((await waiting).json).toEqual({ records: [], cursor: expect.any(String) });
  });

  test('does not wait for ever on a client that does not read', async () => {
    const door = await openDoor({ bounds: { closeGraceMs: 5000 } });
    const socket = connect(door.port, '127.0.0.1');
    socket.write(
      'POST / HTTP/1.1\r\nHost: localhost\r\nX-Amz-Target: Kinesis_20131202.ListStreams\r\nContent-Type: application/x-amz-json-1.1\r\nContent-Length: 5\r\n\r\n{',
    );
    await expect.poll(async () => (await ask(`${door.url}/healthz`, 'GET')).status).toBe(200);
    const before = door.clock.sleepers();
    const closed = door.close();
    await expect.poll(() => door.clock.sleepers()).toBe(before + 1);
    await door.clock.advance(5000);
    await closed;
    await untilClosed(socket);
  });
});
