/** Deliveries in the control API: a thin skin over the delivery stage, which parses, checks and decides. */
import { LakewardError } from '../../model/errors.ts';
import { LIMITS } from '../../model/limits.ts';
import type { PageOptions } from '../../ports/deliveries.ts';
import { avroView } from './avro-body.ts';
import type { Call, ControlApiOptions, Route } from './route.ts';
import { integerIn, textIn } from './query-value.ts';

const PAGE_DEFAULT = 100;
const PAGE_MAX = 1000;

export function deliveryRoutes({ deliveries, schemas }: ControlApiOptions): Route[] {
  return [
    {
      method: 'GET',
      path: '/v1/deliveries',
      handle: async () => ({ body: { deliveries: await deliveries.status() } }),
    },
    {
      method: 'POST',
      path: '/v1/deliveries',
      handle: async ({ body, signal }) => ({
        status: 201,
        body: await deliveries.create(deliveries.parse(body), { signal }),
      }),
    },
    {
      method: 'GET',
      path: '/v1/deliveries/:name',
      handle: async (call) => {
        const [status] = await deliveries.status(nameOf(call));
        if (status === undefined) {
          throw new LakewardError('delivery-not-found', `there is no delivery '${nameOf(call)}'`);
        }
        return { body: status };
      },
    },
    {
      method: 'PUT',
      path: '/v1/deliveries/:name',
      handle: async (call) => ({
        body: await deliveries.update(deliveries.parse(named(call)), { signal: call.signal }),
      }),
    },
    {
      method: 'DELETE',
      path: '/v1/deliveries/:name',
      handle: async (call) => {
        await deliveries.remove(nameOf(call), { signal: call.signal });
        return { body: {} };
      },
    },
    {
      method: 'POST',
      path: '/v1/deliveries/:name/flush',
      handle: async (call) => ({ body: await deliveries.flush(nameOf(call), { signal: call.signal }) }),
    },
    ...([true, false] as const).map(
      (paused): Route => ({
        method: 'POST',
        path: `/v1/deliveries/:name/${paused ? 'pause' : 'resume'}`,
        handle: async (call) => ({
          body: await deliveries.setPaused(nameOf(call), paused, { signal: call.signal }),
        }),
      }),
    ),
    {
      method: 'GET',
      path: '/v1/deliveries/:name/files',
      handle: async (call) => {
        const prefix = textIn(call.query, 'prefix');
        const page = pageOf(call);
        return { body: await deliveries.files(nameOf(call), prefix === undefined ? page : { ...page, prefix }) };
      },
    },
    {
      method: 'POST',
      path: '/v1/deliveries/:name/sweep',
      handle: async (call) => ({
        body: await deliveries.sweep(nameOf(call), { dryRun: dryRunOf(call), signal: call.signal }),
      }),
    },
    {
      method: 'POST',
      path: '/v1/deliveries/:name/rejected/replay',
      bodyBytesMax: LIMITS.bodyBytesMax,
      handle: async (call) => ({ body: await deliveries.replay(nameOf(call), call.body, { signal: call.signal }) }),
    },
    {
      method: 'GET',
      path: '/v1/deliveries/:name/rejected',
      handle: async (call) => {
        const { items, ...page } = await deliveries.rejected(nameOf(call), pageOf(call));
        return { body: { items: items.map((row) => ({ ...row, ...avroView(row.data, schemas) })), ...page } };
      },
    },
  ];
}

function nameOf({ parameters }: Call): string {
  return parameters['name'] ?? '';
}

function dryRunOf({ body }: Call): boolean {
  const { dryRun = false, ...rest } = (body ?? {}) as { dryRun?: unknown };
  if (typeof dryRun === 'boolean' && Object.keys(rest).length === 0) return dryRun;
  throw new LakewardError('argument-invalid', 'the body of a sweep is {}, or {"dryRun": true}');
}

/** The specification in the body, with the name from the path. */
function named(call: Call): unknown {
  const { body } = call;
  const name = nameOf(call);
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return body;
  if ('name' in body && body.name !== name) {
    throw new LakewardError('argument-invalid', `the name in the body must be '${name}', as in the path, or left out`);
  }
  return { ...body, name };
}

function pageOf({ query, signal }: Call): PageOptions {
  const after = textIn(query, 'after');
  const limit = integerIn(query, { name: 'limit', fallback: PAGE_DEFAULT, min: 1, max: PAGE_MAX });
  return after === undefined ? { limit, signal } : { after, limit, signal };
}
