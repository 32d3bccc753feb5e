/**
 * The Kinesis wire over HTTP: JSON 1.1 by `X-Amz-Target`. Checks are made in AWS's order, because clients and their tests lean on
 * which problem is told first: method, content type, body, target, form of the authentication, types, constraints, action.
 * Where keys are configured the signature is verified before the body is parsed: strangers get no parser.
 */
import { Buffer } from 'node:buffer';
import { isLakewardError } from '../../model/errors.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/telemetry.ts';
import { signatureFormProblem, signatureProblem } from '../auth/signature-v4.ts';
import { CLIENT_GONE, type IngestMetrics } from '../ingest-metrics.ts';
import type { Exchange } from '../server/exchange.ts';
import { GONE, headerOf, readBody, send } from '../server/exchange.ts';
import type { AccessKey, ServerBounds } from '../server-options.ts';
import { takesNoRecords } from '../takes-no-records.ts';
import type { Action, ActionContext, ActionResult } from './action.ts';
import { ACTIONS } from './actions.ts';
import { corsHeaders } from './cors.ts';
import { parseJsonBody } from './json-body.ts';
import { checkInput } from './shape.ts';
import { WireError, errorText, statusOf, wireErrorOf } from './wire-error.ts';

export interface WireOptions {
  readonly takesRecords: boolean;
  readonly keys: readonly AccessKey[];
  readonly bounds: ServerBounds;
  readonly clock: Clock;
  readonly metrics: IngestMetrics;
  readonly log: Log;
  readonly services: Omit<ActionContext, 'requestId' | 'signal' | 'memory'>;
}

const TARGET_PREFIX = 'Kinesis_20131202.';
const CONTENT_TYPES = new Set(['application/x-amz-json-1.1', 'application/json']);
/** Body bound of a request whose action is not known. */
const UNKNOWN_BODY_BYTES_MAX = 2 * 1024 * 1024;

export function kinesisWire(options: WireOptions): (exchange: Exchange) => Promise<void> {
  return async (exchange) => {
    const { request, response, requestId } = exchange;
    const headers = {
      'x-amzn-requestid': requestId,
      'x-amz-id-2': amazonId(requestId),
      ...corsHeaders(request, options.keys),
    };
    if (request.method === 'OPTIONS') return send(response, { status: 200, headers, body: '' });
    const refusal = transportRefusal(exchange);
    if (refusal !== undefined) {
      const type = { 'content-type': 'application/xml' };
      request.resume();
      return send(response, { status: refusal.status, headers: { ...headers, ...type }, body: refusal.xml });
    }
    const contentType = mediaType(exchange);
    const action = actionOf(exchange);
    try {
      const result = await act(exchange, action, options);
      const isWritten = typeof result === 'string' || result instanceof Uint8Array;
      const body = result === undefined ? '' : isWritten ? result : JSON.stringify(result);
      count(exchange, action, { status: 200, code: 'OK' }, options);
      send(response, { status: 200, headers: { ...headers, 'content-type': contentType }, body });
    } catch (error) {
      const problem = wireErrorOf(error);
      const status = statusOf(problem.type);
      const isGone = error === GONE;
      if (problem.type === 'InternalFailure' && !isGone)
        options.log.error('request failed', { requestId, action: action?.name, error });
      count(exchange, action, isGone ? CLIENT_GONE : { status, code: problem.type }, options);
      const broken = isLakewardError(error, 'body-too-large') ? { connection: 'close' } : {};
      const all = {
        ...headers,
        ...(exchange.request.httpVersionMajor === 1 ? broken : {}),
        'content-type': contentType,
      };
      send(response, { status, headers: { ...all, 'x-amzn-errortype': problem.type }, body: errorText(problem) });
    } finally {
      exchange.reservation.release();
    }
  };
}

/** What a request gets that does not even look like a call: small XML, as from AWS. */
function transportRefusal(exchange: Exchange): { status: number; xml: string } | undefined {
  const known = CONTENT_TYPES.has(mediaType(exchange));
  if (exchange.request.method === 'POST' && known) return undefined;
  if (exchange.request.method === 'POST' && actionOf(exchange) !== undefined) {
    return { status: 404, xml: '<UnknownOperationException/>\n' };
  }
  const message = 'Unable to determine service/operation name to be authorized';
  return {
    status: 403,
    xml: `<AccessDeniedException>\n  <Message>${message}</Message>\n</AccessDeniedException>\n`,
  };
}

async function act(exchange: Exchange, action: Action | undefined, options: WireOptions): Promise<ActionResult> {
  const { bounds, clock, keys } = options;
  const bytesMax = Math.min(action?.bodyBytesMax ?? UNKNOWN_BODY_BYTES_MAX, bounds.bodyBytesMax);
  const body = await readBody(exchange, { bytesMax, timeoutMs: bounds.requestTimeoutMs, clock });
  const formProblem = signatureFormProblem(exchange);
  if (keys.length > 0) {
    const problem = formProblem ?? signatureProblem(exchange, body, { keys, nowMs: clock.nowMs() });
    if (problem !== undefined) throw new WireError(problem.type, problem.message);
  }
  if (!options.takesRecords && action?.name.startsWith('PutRecord') === true) throw takesNoRecords();
  const { requestId, signal, reservation } = exchange;
  const context = { ...options.services, requestId, signal, memory: reservation.memory };
  const plain = formProblem === undefined && body.length > 0 ? action?.runPlain?.(body, context) : undefined;
  if (plain !== undefined) return plain;
  const input = body.length === 0 ? {} : parseJsonBody(body);
  if (action === undefined) throw unknownOperation(exchange);
  if (formProblem !== undefined) throw new WireError(formProblem.type, formProblem.message);
  if (action.check === undefined) checkInput(action.input, input);
  else action.check(input);
  return action.run(input, context);
}

function count(
  exchange: Exchange,
  action: Action | undefined,
  outcome: { status: number | string; code: string },
  { metrics, clock }: WireOptions,
): void {
  const labels = {
    protocol: 'kinesis',
    action: action?.name ?? 'unknown',
    status: String(outcome.status),
    code: outcome.code,
  };
  metrics.requests.add(1, labels);
  if (action?.name.startsWith('PutRecord') !== true || outcome.status !== 200) return;
  metrics.acknowledgeSeconds.observe((clock.monotonicMs() - exchange.startedMs) / 1000, { protocol: 'kinesis' });
}

function actionOf({ request }: Exchange): Action | undefined {
  const target = headerOf(request, 'x-amz-target') ?? '';
  return target.startsWith(TARGET_PREFIX) ? ACTIONS.get(target.slice(TARGET_PREFIX.length)) : undefined;
}

function unknownOperation({ request }: Exchange): WireError {
  const target = headerOf(request, 'x-amz-target') ?? '';
  const given = target === '' ? 'X-Amz-Target is missing' : `'${target.slice(0, 100)}' is not served here`;
  const served = [...ACTIONS.keys()].join(', ');
  return new WireError('UnknownOperationException', `${given}; served are ${TARGET_PREFIX}* with ${served}`);
}

function mediaType({ request }: Exchange): string {
  return (headerOf(request, 'content-type') ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
}

/** Clients print it beside the request id; it says nothing more here. */
function amazonId(requestId: string): string {
  return Buffer.from(requestId).toString('base64');
}
