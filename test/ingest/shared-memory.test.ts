import { once } from 'node:events';
import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { asStreamId } from '../../src/model/stream.ts';
import { readAll, startOf } from '../broker/read-all.ts';
import { FORM_AUTHORIZATION, ask, call, openDoor } from './open-door.ts';

const REQUESTS = 24;
const RECORDS = 40;
/** Several chunks a body, of sizes that share buffers. */
const dataOf = (request: number, i: number): string =>
  `${request}/${i}:`.padEnd(2500 + request * 100, `${request % 10}`);

/** Begins a body, and leaves before it is whole. */
async function breakOff(port: number): Promise<void> {
  const socket = connect({ port, host: '127.0.0.1' });
  await once(socket, 'connect');
  const head = `POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-amz-json-1.1\r\nX-Amz-Target: Kinesis_20131202.PutRecords\r\nAuthorization: ${FORM_AUTHORIZATION}\r\nContent-Length: 200000\r\n\r\n`;
  socket.write(head + '!'.repeat(150_000), () => socket.destroy());
  await once(socket, 'close');
}

test('requests at the same time, by both protocols, plain or not, beside bodies that break off, store their own bytes', async () => {
  let turn = 0;
  await using door = await openDoor({
    // Appends that take turns of the loop, as on a disk, so that batches wait while other bodies come.
    around: (broker) => ({
      append: async (...args) => {
        for (let i = turn++ % 5; i >= 0; i--) await new Promise((resolve) => setImmediate(resolve));
        return broker.append(...args);
      },
    }),
  });
  await call(door.url, 'CreateStream', { StreamName: 's', ShardCount: 3 });
  const put = async (request: number): Promise<number> => {
    const indexes = Array.from({ length: RECORDS }, (_, i) => i);
    if (request % 3 === 0) {
      const records = indexes.map((i) => ({ text: dataOf(request, i) }));
      return (await ask(`${door.url}/v1/streams/s/records`, 'POST', records)).status;
    }
    const Records = indexes.map((i) => ({
      Data: Buffer.from(JSON.stringify({ text: dataOf(request, i) })).toString('base64'),
      PartitionKey: request % 3 === 1 ? `key-${i}` : `schlüssel-${i}`,
    }));
    return (await call(door.url, 'PutRecords', { StreamName: 's', Records })).status;
  };
  const broken = Array.from({ length: REQUESTS }, () => breakOff(door.port));
  const statuses = await Promise.all(Array.from({ length: REQUESTS }, (_, request) => put(request)));
  await Promise.all(broken);
  expect(statuses.every((status) => status === 200)).toBe(true);
  const id = door.catalog.read().stream.get('s')?.id ?? asStreamId('none');
  const { records } = await readAll(door.broker, id, startOf(3), 10_000_000);
  const expected = Array.from({ length: REQUESTS * RECORDS }, (_, n) =>
    dataOf(Math.floor(n / RECORDS), n % RECORDS),
  ).sort();
  const stored = records.map(({ data }) => (JSON.parse(data) as { text: string }).text).sort();
  expect(stored.length).toBe(expected.length);
  expect(stored.every((text, i) => text === expected[i])).toBe(true);
});
