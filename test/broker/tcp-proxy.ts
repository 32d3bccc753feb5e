/** A TCP proxy that loses or changes what servers answer, silences or ends connections, when told to. */
import { createServer, connect, type Socket } from 'node:net';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';

export interface TcpProxy {
  readonly port: number;
  /** From now on what comes from the server is thrown away, or is passed on again. */
  loseAnswers(lose: boolean): void;
  /** From now on what comes from the server is passed on as this makes it; as it is without. */
  changeAnswers(change?: (chunk: Buffer) => Buffer): void;
  /** Connections there are stay open, and nothing more comes through them. */
  silenceAll(): void;
  cutAll(): void;
  close(): Promise<void>;
}

/** `target`: the port to connect to, asked for at each connection. */
export async function tcpProxy(target: () => number): Promise<TcpProxy> {
  let loses = false;
  let changed = (chunk: Buffer): Buffer => chunk;
  const silent = new WeakSet<Socket>();
  const pairs = new Set<readonly [Socket, Socket]>();
  const server = createServer((client) => {
    const upstream = connect(target(), '127.0.0.1');
    const pair = [client, upstream] as const;
    pairs.add(pair);
    const end = (): void => {
      client.destroy();
      upstream.destroy();
      pairs.delete(pair);
    };
    for (const socket of pair) socket.on('error', end).on('close', end);
    client.on('data', (chunk) => {
      if (!silent.has(client)) upstream.write(chunk);
    });
    upstream.on('data', (chunk) => {
      if (!loses && !silent.has(client)) client.write(changed(chunk));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const cutAll = (): void => {
    for (const [client] of pairs) client.destroy();
  };
  return {
    port: (server.address() as AddressInfo).port,
    loseAnswers: (lose) => {
      loses = lose;
    },
    changeAnswers: (change = (chunk) => chunk) => {
      changed = change;
    },
    silenceAll() {
      for (const [client] of pairs) silent.add(client);
    },
    cutAll,
    async close() {
      cutAll();
      server.close();
      await once(server, 'close');
    },
  };
}
