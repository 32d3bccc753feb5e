/**
 * A load of pre-encoded HTTP/1.1 requests over plain sockets, so that the generator costs little beside the server it measures:
 * one request in flight a connection (at least one is sent), closed loop, or paced to a rate (then latency counts from the moment a request was due).
 */
import { once } from 'node:events';
import { type Socket, connect } from 'node:net';

export interface LoadOptions {
  readonly port: number;
  /** Whole requests, headers and body; sent in turn. */
  readonly requests: readonly Uint8Array[];
  readonly recordsPerRequest: number;
  readonly connections: number;
  readonly seconds: number;
  /** Ends after as many requests, if the time has not. */
  readonly requestsMax?: number;
  /** Records a second over all connections; absent: as fast as answers come. */
  readonly rate?: number;
  /** Text that every answer must hold. */
  readonly expect: string;
}

export interface LoadResult {
  readonly records: number;
  readonly seconds: number;
  /** Of each request, ms, ascending. */
  readonly latencies: readonly number[];
}

/** Sends one request and resolves with the whole answer. */
function exchange(socket: Socket, request: Uint8Array): Promise<string> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    let size = 0;
    let wanted = -1;
    const done = (error?: Error): void => {
      socket.off('data', onData);
      socket.off('error', done);
      socket.off('close', onClose);
      if (error) reject(error);
      else resolve(Buffer.concat(parts).toString('latin1'));
    };
    const onClose = (): void => done(new Error('the server closed the connection'));
    const onData = (chunk: Buffer): void => {
      parts.push(chunk);
      size += chunk.length;
      if (wanted < 0) {
        const head = Buffer.concat(parts).toString('latin1');
        const end = head.indexOf('\r\n\r\n');
        if (end < 0) return;
        const length = /content-length: *(\d+)/i.exec(head.slice(0, end));
        if (length?.[1] === undefined) return done(new Error(`an answer without length: ${head.slice(0, 300)}`));
        wanted = end + 4 + Number(length[1]);
      }
      if (size >= wanted) done();
    };
    socket.on('data', onData);
    socket.on('error', done);
    socket.on('close', onClose);
    socket.write(request);
  });
}

/** Runs the load. Throws at the first answer that lacks the expected text. */
export async function runLoad(options: LoadOptions): Promise<LoadResult> {
  const started = performance.now();
  const until = started + options.seconds * 1000;
  const gapMs = options.rate === undefined ? 0 : (options.recordsPerRequest * 1000) / options.rate;
  const { requestsMax = Number.POSITIVE_INFINITY } = options;
  const latencies: number[] = [];
  let turn = 0;

  async function connection(): Promise<void> {
    const socket = connect({ port: options.port, host: '127.0.0.1', noDelay: true });
    await once(socket, 'connect');
    do {
      const number = turn++;
      const due = started + number * gapMs;
      if (gapMs > 0 && due > performance.now())
        await new Promise((resolve) => setTimeout(resolve, due - performance.now()));
      const sent = gapMs > 0 ? due : performance.now();
      const answer = await exchange(socket, options.requests[number % options.requests.length] ?? new Uint8Array());
      if (!answer.includes(options.expect)) throw new Error(`unexpected answer: ${answer.slice(0, 500)}`);
      latencies.push(performance.now() - sent);
    } while (performance.now() < until && turn < requestsMax);
    socket.end();
  }

  await Promise.all(Array.from({ length: options.connections }, connection));
  return {
    records: latencies.length * options.recordsPerRequest,
    seconds: (performance.now() - started) / 1000,
    latencies: latencies.sort((a, b) => a - b),
  };
}

/** PutRecords requests of the Kinesis wire with these records, each with a partition key of its own. */
export function putRecordsRequest(
  stream: string,
  records: readonly { readonly key: string; readonly data: Uint8Array | string }[],
): Uint8Array {
  const body = JSON.stringify({
    StreamName: stream,
    Records: records.map(({ key, data }) => ({ Data: Buffer.from(data).toString('base64'), PartitionKey: key })),
  });
  return kinesisRequest('PutRecords', body);
}

/** Any request of the Kinesis wire. The signature has the right form and is not checked without keys. */
export function kinesisRequest(action: string, body: string): Uint8Array {
  return Buffer.from(
    `POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-amz-json-1.1\r\nX-Amz-Target: Kinesis_20131202.${action}\r\n` +
      'X-Amz-Date: 20260101T000000Z\r\nAuthorization: AWS4-HMAC-SHA256 Credential=bench/20260101/us-east-1/kinesis/aws4_request, ' +
      `SignedHeaders=host;x-amz-date, Signature=${'0'.repeat(64)}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}
