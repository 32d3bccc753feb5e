/**
 * The port of a server that cannot start yet because what it needs does not answer: alive, not ready, with its metrics, and with the reason for
 * everything else. The front door takes the port over when the start goes on.
 */
import { type LakewardError, isLakewardError } from '../model/errors.ts';
import type { Clock } from '../ports/clock.ts';
import type { Telemetry } from '../ports/telemetry.ts';
import { bearerCheck } from './auth/bearer.ts';
import { checkHost, checkListening } from './auth/listening-rule.ts';
import { apiErrorOf, errorAnswer } from './http/api-error.ts';
import { type Answer, headerOf, type Request, send } from './server/exchange.ts';
import { openPort } from './server/port.ts';
import { boundsOf, type ServerConfig } from './server-options.ts';

export interface WaitingDoorOptions {
  readonly server: ServerConfig;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  /** Why the start waits, now. */
  readonly reason: () => LakewardError;
}

export interface WaitingDoor {
  readonly url: string;
  close(): Promise<void>;
}

const JSON_TYPE = { 'content-type': 'application/json' };
/** Requests here take no longer. */
const CLOSE_MS = 500;

/** Throws `config-invalid` when the address may not be listened on, or cannot. */
export async function openWaitingDoor({ server, clock, telemetry, reason }: WaitingDoorOptions): Promise<WaitingDoor> {
  const checkBearer = bearerCheck(server.keys);

  async function answerTo(request: Request): Promise<Answer> {
    checkHost(headerOf(request, 'host') ?? headerOf(request, ':authority'), server);
    const path = (request.url ?? '/').split('?', 1)[0];
    if (path === '/healthz') return { status: 200, headers: JSON_TYPE, body: JSON.stringify({ status: 'ok' }) };
    if (path === '/readyz') {
      const body = JSON.stringify({ status: 'not ready', reasons: [reason().message] });
      return { status: 503, headers: JSON_TYPE, body };
    }
    checkBearer(headerOf(request, 'authorization'));
    if (path !== '/metrics') throw reason();
    const type = { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' };
    return { status: 200, headers: type, body: await telemetry.exposition() };
  }

  checkListening(server);
  const port = openPort({
    host: server.host,
    port: server.port,
    bounds: boundsOf(server),
    clock,
    onRequest: (request, response) => {
      request.resume();
      answerTo(request)
        .catch((error: unknown) => {
          if (!isLakewardError(error)) telemetry.log.error('request failed', { room: 'ingest', error });
          return errorAnswer(apiErrorOf(error), clock.uuid());
        })
        .then((answer) => send(response, answer))
        .catch(() => response.destroy());
    },
  });
  const bound = await port.listen();
  const host = bound.host.includes(':') ? `[${bound.host}]` : bound.host;
  return { url: `http://${host}:${bound.port}`, close: () => port.close(CLOSE_MS) };
}
