/**
 * The front door: one port for the Kinesis wire and the plain HTTP API. It decides by the request which of them answers, keeps the
 * two paths that carry records lean, and closes in order: no new connections, requests under way finish, then the port is free.
 */
import type { Broker } from '../ports/broker.ts';
import type { CallOptions } from '../ports/call-options.ts';
import type { Catalog } from '../ports/catalog.ts';
import type { Clock } from '../ports/clock.ts';
import type { Deliveries } from '../ports/deliveries.ts';
import type { Compactions } from '../ports/compactions.ts';
import type { LakeCare } from '../ports/lake-care.ts';
import type { LakeDesk } from '../ports/lake-desk.ts';
import type { KnownProcess } from '../ports/processes.ts';
import type { Schemas } from '../ports/schemas.ts';
import type { Telemetry } from '../ports/telemetry.ts';
import { bytesInFlight } from './admission/bytes-in-flight.ts';
import { bearerCheck } from './auth/bearer.ts';
import { checkHost, checkListening } from './auth/listening-rule.ts';
import { errorAnswer, apiErrorOf } from './http/api-error.ts';
import type { ControlApi } from './http/control-api.ts';
import { createControlApi } from './http/control-api.ts';
import { postRecords } from './http/post-records.ts';
import { CLIENT_GONE, ingestMetrics } from './ingest-metrics.ts';
import { kinesisWire } from './kinesis/wire.ts';
import { LakewardError } from '../model/errors.ts';
import { type OwnRecord, putOwnRecords } from './own-records.ts';
import { takesNoRecords } from './takes-no-records.ts';
import type { Exchange, Request, Response } from './server/exchange.ts';
import { GONE, headerOf, send } from './server/exchange.ts';
import { openPort } from './server/port.ts';
import type { ServerConfig, ServerStatusFacts } from './server-options.ts';
import { boundsOf } from './server-options.ts';
import { createStreams } from './streams.ts';
import type { SharedStreams } from './write-lease.ts';

export interface FrontDoorOptions {
  readonly broker: Broker;
  readonly catalog: Catalog;
  readonly deliveries: Deliveries;
  /** Without it the routes of the lake are not served. */
  readonly desk?: LakeDesk;
  readonly compactions?: Compactions;
  readonly care?: LakeCare;
  readonly schemas: Schemas;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly server: ServerConfig;
  /** Default true; a process that takes none still serves everything else. */
  readonly takesRecords?: boolean;
  /** Given where other processes append to the same streams. */
  readonly sharedStreams?: SharedStreams | undefined;
  /** Streams of the configuration file, by name: they are not deleted. */
  readonly declaredStreams?: readonly string[];
  readonly status: () => Promise<ServerStatusFacts>;
  /** Processes that share the catalog with this one; absent for one that is alone. */
  readonly processes?: () => Promise<readonly KnownProcess[]>;
}

export interface FrontDoor {
  /** Throws `config-invalid` when the address may not be listened on, or cannot. */
  listen(): Promise<{ readonly host: string; readonly port: number }>;
  /** Stores records of the server's own. Throws `stream-not-found`, and what keeps records from being stored. */
  put(stream: string, records: readonly OwnRecord[], options?: CallOptions): Promise<void>;
  /** Stops accepting and lets requests under way finish, as far as the time allows. Idempotent. */
  close(withinMs?: number): Promise<void>;
}

const RECORDS_PATH = /^\/v1\/streams\/([^/]+)\/records$/;

export function createFrontDoor(options: FrontDoorOptions): FrontDoor {
  const { broker, catalog, clock, server, telemetry, takesRecords = true } = options;
  const bounds = boundsOf(server);
  const metrics = ingestMetrics(telemetry);
  const log = telemetry.log.child({ room: 'ingest' });
  const { declaredStreams: declared = [], sharedStreams: shared } = options;
  const streams = createStreams({ broker, catalog, clock, declared, log, shared });
  const admission = bytesInFlight(bounds.inFlightBytesMax, metrics.inFlightBytes);
  const checkBearer = bearerCheck(server.keys);
  const services = { streams, broker, clock, metrics };
  const kinesis = kinesisWire({ takesRecords, keys: server.keys, bounds, clock, metrics, log, services });
  const closing = new AbortController();
  let control: ControlApi | undefined;

  async function records(name: string, exchange: Exchange): Promise<void> {
    const { request, response, requestId } = exchange;
    let answer;
    let code = 'ok';
    let isGone = false;
    try {
      checkBearer(headerOf(request, 'authorization'));
      if (closing.signal.aborted) throw new LakewardError('service-stopping', 'the server is stopping');
      if (!takesRecords) throw takesNoRecords();
      answer = await postRecords(name, exchange, { ...services, schemas: options.schemas, bounds });
    } catch (error) {
      const problem = apiErrorOf(error);
      isGone = error === GONE;
      if (problem.code === 'internal' && !isGone) log.error('request failed', { requestId, error });
      answer = errorAnswer(problem, requestId);
      code = problem.code;
    } finally {
      exchange.reservation.release();
    }
    const outcome = isGone ? CLIENT_GONE : { status: String(answer.status), code };
    metrics.requests.add(1, { protocol: 'http', action: 'postRecords', ...outcome });
    send(response, answer);
  }

  async function dispatch(exchange: Exchange): Promise<void> {
    const { request, path } = exchange;
    checkHost(headerOf(request, 'host') ?? headerOf(request, ':authority'), server);
    const stream = request.method === 'POST' ? RECORDS_PATH.exec(path)?.[1] : undefined;
    if (stream !== undefined) return records(nameOf(stream), exchange);
    if (headerOf(request, 'x-amz-target') !== undefined || path === '/') return kinesis(exchange);
    control?.handle(exchange);
  }

  const port = openPort({
    host: server.host,
    port: server.port,
    bounds,
    clock,
    onRequest: (request: Request, response: Response) => {
      const url = request.url ?? '/';
      const mark = url.indexOf('?');
      const gone = new AbortController();
      const exchange: Exchange = {
        request,
        response,
        requestId: clock.uuid(),
        path: mark === -1 ? url : url.slice(0, mark),
        query: mark === -1 ? '' : url.slice(mark + 1),
        startedMs: clock.monotonicMs(),
        signal: gone.signal,
        reservation: admission.reserve(),
      };
      response.once('close', () => gone.abort(GONE));
      response.on('error', () => gone.abort(GONE));
      dispatch(exchange).catch((error: unknown) => {
        log.error('request failed', { requestId: exchange.requestId, error });
        exchange.reservation.release();
        request.resume();
        send(response, errorAnswer(apiErrorOf(error), exchange.requestId));
      });
    },
  });

  return {
    listen: async () => {
      checkListening(server);
      streams.start();
      control = await createControlApi({
        ...services,
        telemetry,
        checkBearer,
        deliveries: options.deliveries,
        desk: options.desk,
        compactions: options.compactions,
        care: options.care,
        schemas: options.schemas,
        status: options.status,
        processes: options.processes,
        closing: closing.signal,
      });
      return port.listen();
    },
    put: (stream, records, call) => putOwnRecords(streams, stream, records, call),
    close: async (withinMs) => {
      closing.abort();
      await port.close(withinMs);
      await control?.close();
      await streams.close();
    },
  };
}

/** A name as the path carries it; one that is badly encoded is nobody's name. */
function nameOf(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
