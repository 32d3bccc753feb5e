/** A server that gives the answers a test scripts, and remembers what it was asked: S3 on a day that no real server can be brought to. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { systemClock } from '../../src/clock/system-clock.ts';
import { connectS3 } from '../../src/lake/s3/s3-client.ts';
import { createS3Store } from '../../src/lake/s3/s3-store.ts';
import type { LakeStore } from '../../src/ports/lake-store.ts';

export type Answer = (response: ServerResponse, request: IncomingMessage) => void;

export interface ScriptedS3 {
  readonly store: LakeStore;
  /** `PUT /bucket/a?b`, with headers, in order. */
  readonly asked: { readonly line: string; readonly headers: IncomingMessage['headers'] }[];
  close(): Promise<void>;
}

/** Each request takes the next answer; the last one stays. */
export async function scriptedS3(answers: readonly Answer[], requestMs = 5_000): Promise<ScriptedS3> {
  const asked: ScriptedS3['asked'] = [];
  const server = createServer((request, response) => {
    const answer = answers[Math.min(asked.length, answers.length - 1)];
    asked.push({ line: `${request.method} ${request.url}`, headers: request.headers });
    request.resume();
    request.once('end', () => answer?.(response, request));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const connection = connectS3({
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    region: 'eu-central-1',
    pathStyle: true,
    credentials: { accessKeyId: 'id', secretAccessKey: 'secret' },
    requestMs,
  });
  return {
    store: createS3Store({ connection, bucket: 'bucket', prefix: '/lake/', clock: systemClock() }),
    asked,
    async close() {
      connection.close();
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

export const says =
  (status: number, body = '', headers: Record<string, string> = {}): Answer =>
  (response) => {
    response.writeHead(status, { 'content-length': String(Buffer.byteLength(body)), ...headers }).end(body);
  };

export const refuses = (status: number, code: string, headers: Record<string, string> = {}): Answer =>
  says(status, `<?xml version="1.0"?><Error><Code>${code}</Code><Message>no</Message></Error>`, {
    'content-type': 'application/xml',
    ...headers,
  });
