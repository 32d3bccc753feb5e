/**
 * One TCP port for HTTP/1.1 and h2 without TLS. The first bytes of a connection tell them apart: an h2 client that knows the
 * server speaks h2 begins with `PRI `, which no HTTP/1.1 method does. The HTTP/1.1 server owns the port, so that its own time
 * limits and connection count apply; h2 sockets are handed to the h2 server.
 */
import { Buffer } from 'node:buffer';
import type { ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { ServerHttp2Session } from 'node:http2';
import { constants, createServer as createHttp2Server } from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import { LakewardError } from '../../model/errors.ts';
import { MIB } from '../../model/limits.ts';
import { atMost } from '../../model/waiting.ts';
import type { Clock } from '../../ports/clock.ts';
import type { ServerBounds } from '../server-options.ts';
import type { Request, Response } from './exchange.ts';

export interface PortOptions {
  readonly host: string;
  readonly port: number;
  readonly bounds: ServerBounds;
  readonly clock: Clock;
  readonly onRequest: (request: Request, response: Response) => void;
}

export interface Port {
  listen(): Promise<{ host: string; port: number }>;
  /** Accepts no more, lets requests under way finish, ends what is still there after the grace time or the time given. Idempotent. */
  close(withinMs?: number): Promise<void>;
}

const H2_PREFACE = 'PRI';
/** One client may have this much of a body on the way before it hears from us. */
const H2_WINDOW_BYTES = 4 * MIB;

export function openPort({ host, port, bounds, clock, onRequest }: PortOptions): Port {
  const sockets = new Set<Socket>();
  const sessions = new Set<ServerHttp2Session>();
  const http1 = createServer({
    headersTimeout: Math.min(bounds.headersTimeoutMs, bounds.requestTimeoutMs),
    requestTimeout: bounds.requestTimeoutMs,
    keepAliveTimeout: bounds.idleTimeoutMs,
    connectionsCheckingInterval: Math.max(50, Math.min(5_000, bounds.headersTimeoutMs / 2)),
    noDelay: true,
    highWaterMark: 256 * 1024,
  });
  http1.maxConnections = bounds.connectionsMax;
  http1.timeout = bounds.stallTimeoutMs;
  const http2 = createHttp2Server({
    settings: { maxConcurrentStreams: bounds.h2StreamsMax, initialWindowSize: H2_WINDOW_BYTES },
    // MiB of queued frames and bodies of one session; the default of 10 is less than one large PutRecords.
    maxSessionMemory: 64,
  });
  let closing: Promise<void> | undefined;
  const answering = new Set<ServerResponse>();
  http1.on('request', (request, response) => {
    answering.add(response);
    response.once('close', () => answering.delete(response));
    // On a server that closes, an answer is the last of its connection.
    if (closing !== undefined) response.shouldKeepAlive = false;
    onRequest(request, response);
  });
  http2.on('request', onRequest);
  http2.on('stream', (stream) => {
    stream.setTimeout(bounds.stallTimeoutMs, () => stream.close(constants.NGHTTP2_CANCEL));
  });
  http2.on('session', (session) => {
    sessions.add(session);
    session.setLocalWindowSize(H2_WINDOW_BYTES);
    session.setTimeout(bounds.idleTimeoutMs, () => session.close());
    session.once('close', () => sessions.delete(session));
    session.on('error', () => session.destroy());
  });

  const acceptHttp1 = http1.listeners('connection') as ((this: unknown, socket: Socket) => void)[];
  http1.removeAllListeners('connection');
  http1.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    peek(socket, bounds.headersTimeoutMs, (isH2) => {
      if (isH2) {
        // Sockets of an HTTP/1.1 server outlive the client's end, for the answer; an h2 session would then never notice it.
        socket.allowHalfOpen = false;
        http2.emit('connection', socket);
      } else for (const accept of acceptHttp1) accept.call(http1, socket);
    });
  });

  async function close(withinMs: number): Promise<void> {
    if (!http1.listening) return;
    const closed = new Promise<void>((resolve) => {
      http1.close(() => resolve());
    });
    for (const response of answering) response.shouldKeepAlive = false;
    http1.closeIdleConnections();
    for (const session of sessions) session.close();
    await atMost(clock, Math.min(bounds.closeGraceMs, withinMs), closed);
    for (const socket of sockets) socket.destroy();
    await closed;
  }

  return {
    listen: () =>
      new Promise((resolve, reject) => {
        http1.once('error', (cause) => reject(cannotListen(host, port, cause)));
        http1.listen({ host, port }, () => {
          const address = http1.address() as AddressInfo;
          resolve({ host: address.address, port: address.port });
        });
      }),
    close: (withinMs = bounds.closeGraceMs) => (closing ??= close(withinMs)),
  };
}

/** Decides by the first bytes, and leaves them in the socket for the server that gets it. */
function peek(socket: Socket, timeoutMs: number, decided: (isH2: boolean) => void): void {
  const giveUp = (): void => {
    socket.destroy();
  };
  socket.setTimeout(timeoutMs, giveUp);
  socket.on('error', giveUp);
  const chunks: Buffer[] = [];
  const onReadable = (): void => {
    const chunk = socket.read() as Buffer | null;
    if (chunk !== null) chunks.push(chunk);
    const bytes = Buffer.concat(chunks);
    const seen = bytes.toString('latin1', 0, H2_PREFACE.length);
    if (seen.length < H2_PREFACE.length && H2_PREFACE.startsWith(seen) && !socket.readableEnded) {
      socket.once('readable', onReadable);
      return;
    }
    socket.setTimeout(0);
    socket.removeListener('timeout', giveUp);
    socket.removeListener('error', giveUp);
    if (bytes.length > 0) socket.unshift(bytes);
    decided(seen === H2_PREFACE);
  };
  socket.once('readable', onReadable);
}

function cannotListen(host: string, port: number, cause: Error): LakewardError {
  return new LakewardError('config-invalid', `cannot listen on ${host}:${port}: ${cause.message}`, {
    cause,
    details: { problems: [{ path: 'server.port', value: port, accepted: 'a port that is free' }] },
  });
}
