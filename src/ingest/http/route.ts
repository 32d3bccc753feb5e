/** What a route of the control API is: where, what it takes, what it does. Routes know nothing of fastify. */
import type { Broker } from '../../ports/broker.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Compactions } from '../../ports/compactions.ts';
import type { Deliveries } from '../../ports/deliveries.ts';
import type { LakeCare } from '../../ports/lake-care.ts';
import type { LakeDesk } from '../../ports/lake-desk.ts';
import type { KnownProcess } from '../../ports/processes.ts';
import type { Schemas } from '../../ports/schemas.ts';
import type { Telemetry } from '../../ports/telemetry.ts';
import type { IngestMetrics } from '../ingest-metrics.ts';
import type { ServerStatusFacts } from '../server-options.ts';
import type { Streams } from '../streams.ts';

export interface ControlApiOptions {
  readonly broker: Broker;
  readonly streams: Streams;
  readonly deliveries: Deliveries;
  readonly desk?: LakeDesk | undefined;
  readonly compactions?: Compactions | undefined;
  readonly care?: LakeCare | undefined;
  readonly schemas: Schemas;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly metrics: IngestMetrics;
  readonly status: () => Promise<ServerStatusFacts>;
  readonly processes?: (() => Promise<readonly KnownProcess[]>) | undefined;
  /** Aborts when the server begins to close: waiting reads end then. */
  readonly closing: AbortSignal;
  /** Throws `unauthorized`. */
  readonly checkBearer: (authorization: string | undefined) => void;
}

/** What the handler of a route is given. */
export interface Call {
  readonly parameters: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, string>>;
  readonly body: unknown;
  /** Aborts when the client has gone. */
  readonly signal: AbortSignal;
}

export interface Result {
  /** Default 200. */
  readonly status?: number;
  readonly type?: string;
  readonly body: string | Uint8Array | object;
}

export interface Route {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly path: string;
  /** Served without a key. */
  readonly isPublic?: boolean;
  /** Where a body may be larger than usual, bytes. */
  readonly bodyBytesMax?: number;
  /** JSON schema of the body. */
  readonly bodySchema?: object;
  handle(call: Call): Promise<Result> | Result;
}
