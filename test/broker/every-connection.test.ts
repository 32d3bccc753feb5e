import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import { Admin } from '@platformatic/kafka';
import { expect, test } from 'vitest';
import { everyConnection } from '../../src/broker/kafka/every-connection.ts';

test('a connection that its client has forgotten is ended, so that the process can end', async () => {
  const server = createServer();
  const sockets: Socket[] = [];
  server.on('connection', (socket) => sockets.push(socket.resume()));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const broker = { host: '127.0.0.1', port };
  const admin = new Admin({ clientId: 'test', bootstrapBrokers: [`127.0.0.1:${port}`] });
  const every = everyConnection(admin);

  const first = await admin.connections.get(broker);
  first.emit('error', new Error('write EPIPE'));
  const second = await admin.connections.get(broker);
  await first.close();
  expect(second).not.toBe(first);
  expect(admin.connections.has(broker)).toBe(false);
  await admin.close();
  expect(second.socket.destroyed).toBe(false);

  every.end();
  await Promise.all(sockets.filter(({ closed }) => !closed).map((socket) => once(socket, 'close')));
  server.close();
  await once(server, 'close');
});
