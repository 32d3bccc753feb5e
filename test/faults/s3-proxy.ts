/**
 * A proxy between a client and an S3 server that answers as a bad day would: throttles, conflicts, connections that break before or
 * after the server did what was asked, silence, answers and uploads cut in the middle, requests that take effect after the client
 * was told that they failed. Which request meets which fault is a function of a seed and the request, not of the order they come in.
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  Agent,
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export const S3_FAULTS = [
  'slow-down',
  'conflict',
  'error-before',
  'error-after',
  'reset-before',
  'reset-after',
  'cut-upload',
  'cut-answer',
  'silence-after',
  'late',
  'delay',
] as const;
export type S3Fault = (typeof S3_FAULTS)[number];

export interface ProxiedRequest {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** How often this method and path came before. */
  readonly turn: number;
}

export interface S3ProxyOptions {
  /** The server's endpoint. */
  readonly target: string;
  readonly choose: (given: ProxiedRequest) => S3Fault | undefined;
  /** How long a silent answer keeps its connection, should the client not give up before. */
  readonly silenceMs: number;
  /** How long a late request is under way, and a delayed one waits, at most. */
  readonly lateMs: number;
}

export interface S3Proxy {
  readonly endpoint: string;
  readonly counts: ReadonlyMap<S3Fault, number>;
  readonly requests: number;
  /** No faults from now on; resolves when what was late has arrived. */
  calm(): Promise<void>;
  /** Faults again. */
  stir(): void;
  close(): Promise<void>;
}

interface Answer {
  readonly status: number;
  readonly headers: readonly string[];
  readonly body: Buffer;
}

type Forward = (incoming: IncomingMessage, body: Buffer, sent?: number) => Promise<Answer>;

/** Of so many requests each meets a fault by chance; `share` of them altogether. */
export function seededFaults(
  seed: number,
  share: number,
  kinds: readonly S3Fault[] = S3_FAULTS,
): S3ProxyOptions['choose'] {
  return ({ method, path, headers, turn }) => {
    const hash = createHash('sha1').update(`${seed} ${method} ${path} ${turn}`).digest();
    if (hash.readUInt32BE(0) / 2 ** 32 >= share) return undefined;
    // What can only happen to a few requests happens to those more often.
    const rare = kinds.includes('conflict') && fits('conflict', method, headers);
    if (rare && hash[8] !== undefined && hash[8] < 64) return 'conflict';
    const fitting = kinds.filter((kind) => fits(kind, method, headers));
    return fitting[hash.readUInt32BE(4) % fitting.length];
  };
}

function fits(kind: S3Fault, method: string, headers: IncomingHttpHeaders): boolean {
  if (kind === 'conflict') return headers['if-none-match'] !== undefined;
  if (kind === 'cut-upload') return method === 'PUT' && headers['x-amz-copy-source'] === undefined;
  if (kind === 'cut-answer') return method === 'GET';
  if (kind === 'late' || kind === 'error-after') return method === 'PUT' || method === 'DELETE';
  return true;
}

export async function startS3Proxy(options: S3ProxyOptions): Promise<S3Proxy> {
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  const counts = new Map<S3Fault, number>();
  const turns = new Map<string, number>();
  const late = new Set<Promise<unknown>>();
  let isCalm = false;
  let requests = 0;

  const choose = (incoming: IncomingMessage): S3Fault | undefined => {
    const { method = 'GET', url = '/', headers } = incoming;
    const turn = turns.get(`${method} ${url}`) ?? 0;
    turns.set(`${method} ${url}`, turn + 1);
    requests++;
    const fault = isCalm ? undefined : options.choose({ method, path: url, headers, turn });
    if (fault !== undefined) counts.set(fault, (counts.get(fault) ?? 0) + 1);
    return fault;
  };
  const forward: Forward = (incoming, body, sent) => forwardTo(options.target, agent, { incoming, body, sent });
  const server = createServer((incoming, outgoing) => {
    const fault = choose(incoming);
    // A server that is away is a connection that breaks.
    serve(incoming, outgoing, { fault, forward, late, options }).catch(() => outgoing.destroy());
  });
  // Connections are ended by the client or by a fault, never by a time-out in between.
  server.keepAliveTimeout = 0;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    endpoint: `http://127.0.0.1:${port}`,
    counts,
    get requests() {
      return requests;
    },
    async calm() {
      isCalm = true;
      await Promise.all(late);
    },
    stir() {
      isCalm = false;
    },
    async close() {
      isCalm = true;
      server.close();
      server.closeAllConnections();
      await Promise.all(late);
      agent.destroy();
    },
  };
}

interface Serving {
  readonly fault: S3Fault | undefined;
  readonly forward: Forward;
  readonly late: Set<Promise<unknown>>;
  readonly options: S3ProxyOptions;
}

async function serve(incoming: IncomingMessage, outgoing: ServerResponse, given: Serving): Promise<void> {
  const { fault, forward, late, options } = given;
  const body = Buffer.concat(await incoming.toArray());
  switch (fault) {
    case 'slow-down':
      return reply(outgoing, refusal(503, 'SlowDown', 'Please reduce your request rate.'));
    case 'conflict':
      return reply(outgoing, refusal(409, 'ConditionalRequestConflict', 'A conflicting operation is under way.'));
    case 'error-before':
      return reply(outgoing, refusal(500, 'InternalError', 'We encountered an internal error.'));
    case 'error-after':
      await forward(incoming, body);
      return reply(outgoing, refusal(500, 'InternalError', 'We encountered an internal error.'));
    case 'reset-before':
      incoming.socket.resetAndDestroy();
      return;
    case 'reset-after':
      await forward(incoming, body);
      incoming.socket.resetAndDestroy();
      return;
    case 'cut-upload':
      await forward(incoming, body, Math.floor(body.length / 2)).catch(() => undefined);
      incoming.socket.resetAndDestroy();
      return;
    case 'cut-answer':
      return reply(outgoing, await forward(incoming, body), true);
    case 'silence-after': {
      await forward(incoming, body);
      const gone = once(incoming.socket, 'close');
      await Promise.race([gone, sleep(options.silenceMs, undefined, { ref: false })]);
      incoming.socket.resetAndDestroy();
      return;
    }
    case 'late': {
      incoming.socket.resetAndDestroy();
      const arrival = sleep(waitOf(body, options.lateMs))
        .then(() => forward(incoming, body))
        .catch(() => undefined)
        .finally(() => late.delete(arrival));
      late.add(arrival);
      return;
    }
    case 'delay':
      await sleep(waitOf(body, options.lateMs));
      return reply(outgoing, await forward(incoming, body));
    case undefined:
      return reply(outgoing, await forward(incoming, body));
  }
}

/** Some wait up to a bound, by what is sent. */
function waitOf(body: Buffer, msMax: number): number {
  return (createHash('sha1').update(body).digest().readUInt32BE(0) / 2 ** 32) * msMax;
}

/** Sends the request on with its own headers, as they are signed. `sent`: breaks off after so many bytes of the body. */
function forwardTo(
  target: string,
  agent: Agent,
  { incoming, body, sent }: { incoming: IncomingMessage; body: Buffer; sent: number | undefined },
): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const { method, url: path, headers } = incoming;
  const outgoing = request(target, { method, path, headers, agent }, (answer) => {
    answer.toArray().then((chunks: Buffer[]) => {
      resolve({ status: answer.statusCode ?? 502, headers: answer.rawHeaders, body: Buffer.concat(chunks) });
    }, reject);
  });
  outgoing.once('error', reject);
  if (sent === undefined) outgoing.end(body);
  else outgoing.write(body.subarray(0, sent), () => outgoing.destroy(new Error('cut')));
  return promise;
}

function refusal(status: number, code: string, message: string): Answer {
  const text = `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>${message}</Message></Error>`;
  return {
    status,
    headers: ['Content-Type', 'application/xml', 'Content-Length', String(text.length)],
    body: Buffer.from(text),
  };
}

const OWN_HEADERS = new Set(['connection', 'keep-alive', 'transfer-encoding']);

function reply(outgoing: ServerResponse, { status, headers, body }: Answer, cut = false): void {
  const kept: string[] = [];
  for (let i = 0; i < headers.length; i += 2) {
    const [name = '', value = ''] = headers.slice(i, i + 2);
    if (!OWN_HEADERS.has(name.toLowerCase())) kept.push(name, value);
  }
  outgoing.writeHead(status, kept);
  if (cut && body.length > 0) outgoing.write(body.subarray(0, body.length >> 1), () => outgoing.destroy());
  else outgoing.end(body);
}
