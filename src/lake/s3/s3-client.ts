/**
 * The connection to S3 that all stores of a process share. The library's own retries are off: what may be repeated, and how, is known
 * where the call is made (a stage gets a new key, a create is read back). Every request has an end: connecting, idle sockets, and the
 * whole request by its size.
 */
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { S3Client } from '@aws-sdk/client-s3';

const CONNECT_MS = 5_000;
/** Any request, beside what its bytes take. */
const REQUEST_MS = 30_000;
/** Of one among dozens of uploads that share a line: with 256, a line of 100 Mbit/s would never get a landing through. */
const BYTES_PER_MS_MIN = 16;
/** No byte in either direction for so many times the bound of a small request: a store that copies a large file says nothing meanwhile. */
const IDLE_TIMES = 4;
const SOCKETS_MAX = 64;

const nothing = (): void => undefined;
/** Failures are told by the calls that meet them, not by lines on the console. */
const SILENT = { trace: nothing, debug: nothing, info: nothing, warn: nothing, error: nothing };

export interface S3ClientOptions {
  /** By default as the SDK finds it (environment, profile). */
  readonly region?: string | undefined;
  readonly endpoint?: string | undefined;
  /** `endpoint/bucket/key` rather than `bucket.endpoint/key`. */
  readonly pathStyle?: boolean | undefined;
  /** Certificates (PEM) trusted in place of the usual authorities. */
  readonly ca?: string | undefined;
  /** By default the SDK's chain: environment, profile, web identity, container, instance. */
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string } | undefined;
  /** Bounds of one request, for tests that cannot wait. */
  readonly requestMs?: number | undefined;
}

/** A client and the bound of a request that moves some bytes, in ms. */
export interface S3Connection {
  readonly client: S3Client;
  readonly requestMs: (bytes: number) => number;
  close(): void;
}

export function connectS3(options: S3ClientOptions): S3Connection {
  const { region, endpoint, ca, credentials, pathStyle = false, requestMs = REQUEST_MS } = options;
  // Agents of our own: the library's stand-ins for single requests would forget the certificates.
  const sockets = { keepAlive: true, maxSockets: SOCKETS_MAX };
  const client = new S3Client({
    ...(region !== undefined && { region }),
    ...(endpoint !== undefined && { endpoint }),
    ...(credentials !== undefined && { credentials }),
    forcePathStyle: pathStyle,
    maxAttempts: 1,
    expectContinueHeader: false,
    logger: SILENT,
    requestHandler: {
      connectionTimeout: Math.min(CONNECT_MS, requestMs),
      socketTimeout: IDLE_TIMES * requestMs,
      throwOnRequestTimeout: true,
      httpAgent: new HttpAgent(sockets),
      httpsAgent: new HttpsAgent({ ...sockets, ...(ca !== undefined && { ca }) }),
    },
  });
  return {
    client,
    requestMs: (bytes) => requestMs + Math.ceil(bytes / BYTES_PER_MS_MIN),
    close: () => client.destroy(),
  };
}
