import type { ManualClock } from '../../src/clock/manual-clock.ts';
import { manualClock } from '../../src/clock/manual-clock.ts';
import { memoryBroker } from '../../src/broker/memory/memory-broker.ts';
import { createCatalog } from '../../src/catalog/catalog.ts';
import { createFrontDoor } from '../../src/ingest/front-door.ts';
import type { AccessKey, ServerBounds } from '../../src/ingest/server-options.ts';
import type { Streams } from '../../src/ingest/streams.ts';
import { createStreams } from '../../src/ingest/streams.ts';
import { memoryStore } from '../../src/lake/memory/memory-store.ts';
import { LakewardError } from '../../src/model/errors.ts';
import type { Broker } from '../../src/ports/broker.ts';
import type { Catalog } from '../../src/ports/catalog.ts';
import type { Deliveries } from '../../src/ports/deliveries.ts';
import { schemaRegistry } from '../../src/schema/registry.ts';
import { createTelemetry } from '../../src/telemetry/telemetry.ts';

export interface OpenDoor extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly clock: ManualClock;
  readonly broker: Broker;
  readonly catalog: Catalog;
  readonly streams: Streams;
  /** Lines of the log. */
  readonly logged: string[];
  /** What /readyz complains of. */
  readonly complaints: string[];
  close(): Promise<void>;
}

export interface DoorOptions {
  readonly keys?: readonly AccessKey[];
  readonly host?: string;
  readonly bounds?: Partial<ServerBounds>;
  readonly deliveries?: Partial<Deliveries>;
  /** Puts something around the broker. */
  readonly around?: (broker: Broker) => Partial<Broker>;
}

/** A real front door on a free port, before a broker and a lake in memory. Its clock stands at the time of the call. */
export async function openDoor(options: DoorOptions = {}): Promise<OpenDoor> {
  const clock = manualClock({ nowMs: Date.now() });
  const catalog = createCatalog({ store: memoryStore({ clock }), clock });
  await catalog.open();
  const inner = memoryBroker({ clock });
  const broker: Broker = { ...inner, ...options.around?.(inner) };
  const logged: string[] = [];
  const complaints: string[] = [];
  const telemetry = createTelemetry({ level: 'debug', destination: { write: (text) => void logged.push(text) } });
  const door = createFrontDoor({
    broker,
    catalog,
    clock,
    telemetry,
    schemas: schemaRegistry({ catalog, clock }),
    deliveries: { status: async () => [], ...options.deliveries } as Deliveries,
    server: {
      host: options.host ?? '127.0.0.1',
      port: 0,
      open: false,
      keys: options.keys ?? [],
      bounds: { closeGraceMs: 1000, ...options.bounds },
    },
    status: async () => ({
      version: '1.2.3',
      startedMs: 0,
      nodeVersion: process.versions.node,
      dataFolder: '/data',
      lake: '/lake',
      guarantee: 'exactly-once' as const,
      roles: ['ingest'],
      disk: { freeBytes: 1, reserveBytes: 0 },
      memoryBytes: 1,
      notReady: complaints,
    }),
  });
  const { host, port } = await door.listen();
  const close = async (): Promise<void> => {
    await door.close();
    await broker.close();
    await catalog.close();
  };
  return {
    url: `http://${host}:${port}`,
    port,
    clock,
    broker,
    catalog,
    streams: createStreams({ broker, catalog, clock }),
    logged,
    complaints,
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** A broker whose appends fail whole with this code. */
export function refusingBroker(code: 'broker-overloaded' | 'disk-full' | 'broker-closed'): () => Partial<Broker> {
  return () => ({ append: () => Promise.reject(new LakewardError(code, 'refused for the test')) });
}

export const DAY_MS = 86_400_000;

export interface WireAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly json: Record<string, unknown>;
}

export const FORM_AUTHORIZATION =
  'AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/kinesis/aws4_request, SignedHeaders=host, Signature=00';

/** One call of the Kinesis wire as plain bytes. */
export async function call(
  url: string,
  action: string,
  body: unknown,
  headers: Record<string, string | undefined> = {},
): Promise<WireAnswer> {
  const all: Record<string, string | undefined> = {
    'content-type': 'application/x-amz-json-1.1',
    'x-amz-target': `Kinesis_20131202.${action}`,
    'x-amz-date': '20260101T000000Z',
    authorization: FORM_AUTHORIZATION,
    ...headers,
  };
  const sent = Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined);
  const bytes = typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body);
  const response = await fetch(url, { method: 'POST', headers: sent, body: bytes as string });
  return answerOf(response);
}

/** One request of the plain API. */
export async function ask(
  url: string,
  method: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<WireAnswer> {
  const bytes =
    body === undefined || typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body);
  const type: Record<string, string> = body === undefined ? {} : { 'content-type': 'application/json' };
  const response = await fetch(url, {
    method,
    headers: { ...type, ...headers },
    ...(bytes === undefined ? {} : { body: bytes as string }),
  });
  return answerOf(response);
}

async function answerOf(response: Response): Promise<WireAnswer> {
  const text = await response.text();
  let json: Record<string, unknown> = {};
  try {
    json = JSON.parse(text) as Record<string, unknown>;
  } catch {
    // XML, text or nothing.
  }
  return { status: response.status, headers: response.headers, text, json };
}
