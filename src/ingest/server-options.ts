/**
 * What the front door is told: where to listen, who may come in, and its bounds. The defaults of everything an operator would
 * rarely change are here, so that a test or an embedding names only what it cares about.
 */
import { LIMITS, MIB } from '../model/limits.ts';

/** A key. On the Kinesis wire `id` is the access key id and `secret` the secret access key; elsewhere `secret` is the bearer token. */
export interface AccessKey {
  readonly id: string;
  readonly secret: string;
}

export interface ServerConfig {
  readonly host: string;
  /** 0 takes a free port. */
  readonly port: number;
  /** Lets anybody in from other machines too, when no keys are configured. */
  readonly open: boolean;
  readonly keys: readonly AccessKey[];
  readonly bounds?: Partial<ServerBounds>;
}

export interface ServerBounds {
  /** From the first byte awaited to the end of a request's headers. */
  readonly headersTimeoutMs: number;
  /** From the start of a request to the end of its body. */
  readonly requestTimeoutMs: number;
  /** A connection without a request is closed after this. */
  readonly idleTimeoutMs: number;
  /** A connection with a request on which nothing moves is closed after this; longer than every wait the API offers. */
  readonly stallTimeoutMs: number;
  readonly connectionsMax: number;
  /** Of one h2 connection, at the same time. */
  readonly h2StreamsMax: number;
  /** Request bodies held in memory, all connections together; more are answered with "slow down". */
  readonly inFlightBytesMax: number;
  readonly bodyBytesMax: number;
  readonly inflatedBytesMax: number;
  /** How long `close` lets requests finish. */
  readonly closeGraceMs: number;
}

const BOUNDS: ServerBounds = {
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
  idleTimeoutMs: 65_000,
  stallTimeoutMs: 300_000,
  connectionsMax: 4096,
  h2StreamsMax: 256,
  inFlightBytesMax: 192 * MIB,
  bodyBytesMax: LIMITS.bodyBytesMax,
  inflatedBytesMax: LIMITS.inflatedBytesMax,
  closeGraceMs: 10_000,
};

export function boundsOf(server: ServerConfig): ServerBounds {
  return { ...BOUNDS, ...server.bounds };
}

/** Facts about the process that the front door passes on and does not know itself. */
export interface ServerStatusFacts {
  readonly version: string;
  readonly startedMs: number;
  readonly nodeVersion: string;
  readonly dataFolder: string;
  readonly lake: string;
  /** What landing there promises. */
  readonly guarantee: 'exactly-once' | 'at-least-once';
  readonly roles: readonly string[];
  readonly disk: { readonly freeBytes: number; readonly reserveBytes: number };
  readonly memoryBytes: number;
  /** Why the process should get no traffic now; none when it is ready. */
  readonly notReady?: readonly string[];
}
