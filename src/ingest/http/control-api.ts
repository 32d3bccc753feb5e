/**
 * The control API and the process endpoints on fastify: everything on plain HTTP but storing records. Fastify routes and validates
 * here; the port, its limits and its closing are the front door's, so fastify's own server is never listened on. Requests of both
 * HTTP versions come in through its router.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { fastify } from 'fastify';
import { LakewardError } from '../../model/errors.ts';
import { LIMITS, MIB } from '../../model/limits.ts';
import { CLIENT_GONE } from '../ingest-metrics.ts';
import { type Exchange, GONE, type Request } from '../server/exchange.ts';
import { applyRoutes } from './apply-routes.ts';
import { apiErrorOf, errorAnswer } from './api-error.ts';
import { careRoutes } from './care-routes.ts';
import { completenessRoutes } from './completeness-routes.ts';
import { compactionRoutes } from './compaction-routes.ts';
import { deliveryRoutes } from './delivery-routes.ts';
import { lakeRoutes } from './lake-routes.ts';
import { processRoutes } from './process-routes.ts';
import { nestingOf } from './record-spans.ts';
import type { ControlApiOptions, Route } from './route.ts';
import { REGISTRY_TYPES, isRegistryPath, registryAnswer } from './registry-wire.ts';
import { schemaRoutes } from './schema-routes.ts';
import { streamRoutes } from './stream-routes.ts';
import { subjectRoutes } from './subject-routes.ts';

export interface ControlApi {
  handle(exchange: Exchange): void;
  close(): Promise<void>;
}

const METHODS = ['GET', 'POST', 'PUT', 'DELETE', 'PATCH'] as const;
const BODY_BYTES_MAX = MIB;
/** One character, percent-encoded. */
const ENCODED_CHAR_MAX = 12;

export async function createControlApi(options: ControlApiOptions): Promise<ControlApi> {
  const exchanges = new WeakMap<Request | IncomingMessage, Exchange>();
  const app = fastify({
    logger: false,
    bodyLimit: BODY_BYTES_MAX,
    // Never reached: the server that listens has limits of its own.
    connectionTimeout: 60_000,
    requestTimeout: 30_000,
    return503OnClosing: false,
    exposeHeadRoutes: false,
    genReqId: (raw) => exchanges.get(raw)?.requestId ?? '',
    ajv: { customOptions: { removeAdditional: false, coerceTypes: false } },
    routerOptions: { maxParamLength: LIMITS.subjectCharsMax * ENCODED_CHAR_MAX, ignoreTrailingSlash: true },
  });
  acceptJson(app);
  app.setErrorHandler((error, request, reply) => answerError(asLakewardError(error), { request, reply, options }));
  app.setNotFoundHandler((request, reply) =>
    answerError(new LakewardError('not-found', `nothing is served under ${request.url.slice(0, 200)}`), {
      request,
      reply,
      options,
    }),
  );
  const routes = [
    ...applyRoutes(options),
    ...streamRoutes(options),
    ...deliveryRoutes(options),
    ...schemaRoutes(options),
    ...subjectRoutes(options),
    ...processRoutes(options),
    ...(options.desk === undefined ? [] : lakeRoutes(options.desk)),
    ...completenessRoutes(options.deliveries, options.closing),
    ...(options.compactions === undefined ? [] : compactionRoutes(options.compactions)),
    ...(options.care === undefined ? [] : careRoutes(options.care)),
  ];
  for (const route of routes) addRoute(app, route, { options, exchanges });
  refuseOtherMethods(app, routes);
  await app.ready();
  return {
    handle: (exchange) => {
      exchanges.set(exchange.request, exchange);
      app.routing(exchange.request as IncomingMessage, exchange.response as ServerResponse);
    },
    close: () => app.close(),
  };
}

function addRoute(
  app: FastifyInstance,
  route: Route,
  { options, exchanges }: { options: ControlApiOptions; exchanges: WeakMap<Request | IncomingMessage, Exchange> },
): void {
  app.route({
    method: route.method,
    url: route.path,
    ...(route.bodyBytesMax !== undefined && { bodyLimit: route.bodyBytesMax }),
    ...(route.bodySchema !== undefined && { schema: { body: route.bodySchema } }),
    onRequest: (request, _reply, done) => {
      if (route.isPublic !== true) options.checkBearer(request.headers.authorization);
      done();
    },
    handler: async (request, reply) => {
      const exchange = exchanges.get(request.raw);
      const result = await route.handle({
        parameters: request.params as Record<string, string>,
        query: request.query as Record<string, string>,
        body: request.body,
        signal: exchange?.signal ?? options.closing,
      });
      const status = result.status ?? 200;
      count(request, { status, code: 'ok', options });
      const { body } = result;
      const sent = typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body);
      return reply
        .code(status)
        .header('content-type', result.type ?? 'application/json')
        .header('x-request-id', request.id)
        .send(sent);
    },
  });
}

/** Says 405 and what is accepted for a path that exists, where fastify alone would say 404. */
function refuseOtherMethods(app: FastifyInstance, routes: readonly Route[]): void {
  const accepted = Map.groupBy(routes, ({ path }) => path);
  for (const [url, entries] of accepted) {
    const allowed: string[] = entries.map(({ method }) => method);
    // Records are stored on a path of their own, before requests come here.
    if (url.endsWith('/records')) allowed.push('POST');
    const method = METHODS.filter((name) => !allowed.includes(name));
    app.route({
      method,
      url,
      handler: (request, reply) => {
        void reply.header('allow', allowed.join(', '));
        throw new LakewardError('method-not-allowed', `${request.method} is not served here; ${allowed.join(', ')} is`);
      },
    });
  }
}

function acceptJson(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser('error', 'error');
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(
    ['application/json', ...REGISTRY_TYPES],
    { parseAs: 'buffer' },
    (request, body: Buffer, done) => {
      if (body.length === 0) return done(null, undefined);
      if (nestingOf(body) > LIMITS.jsonDepthMax) {
        return done(new LakewardError('body-invalid', `JSON is nested at most ${LIMITS.jsonDepthMax} deep`), undefined);
      }
      return parse(request, body.toString(), done);
    },
  );
}

function asLakewardError(error: unknown): LakewardError {
  const { code, statusCode, message } = error as { code?: string; statusCode?: number; message?: string };
  if (error instanceof LakewardError) return error;
  if (code === 'FST_ERR_VALIDATION') return new LakewardError('argument-invalid', message ?? '', { cause: error });
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') {
    return new LakewardError('body-too-large', 'the body has more bytes than this route takes', { cause: error });
  }
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') {
    return new LakewardError('body-invalid', 'content-type must be application/json', { cause: error });
  }
  if (error instanceof SyntaxError || (statusCode !== undefined && statusCode >= 400 && statusCode < 500)) {
    return new LakewardError('body-invalid', 'the body is not valid JSON', { cause: error });
  }
  return apiErrorOf(error);
}

function answerError(
  problem: LakewardError,
  { request, reply, options }: { request: FastifyRequest; reply: FastifyReply; options: ControlApiOptions },
): FastifyReply {
  const isGone = problem.cause === GONE;
  if (problem.code === 'internal' && !isGone) {
    options.telemetry.log.error('request failed', { room: 'ingest', requestId: request.id, error: problem.cause });
  }
  const answer = errorAnswer(problem, request.id);
  const { status, headers, body } = isRegistryPath(request.url) ? registryAnswer(problem, answer) : answer;
  count(request, { ...(isGone ? CLIENT_GONE : { status, code: problem.code }), options });
  return reply.code(status).headers(headers).send(body);
}

function count(
  request: FastifyRequest,
  { status, code, options }: { status: number | string; code: string; options: ControlApiOptions },
): void {
  const action = `${request.method} ${request.routeOptions.url ?? 'unknown'}`;
  options.metrics.requests.add(1, { protocol: 'http', action, status: String(status), code });
}
