/** Compaction in the control API. A run takes its time: it is begun by a request and looked at by others. */
import { LakewardError } from '../../model/errors.ts';
import type { Compactions } from '../../ports/compactions.ts';
import type { Call, Route } from './route.ts';

export function compactionRoutes(compactions: Compactions): Route[] {
  return [
    {
      method: 'GET',
      path: '/v1/deliveries/:name/compaction',
      handle: async (call) => ({ body: await compactions.status(nameOf(call)) }),
    },
    {
      method: 'POST',
      path: '/v1/deliveries/:name/compaction',
      handle: async (call) =>
        dryRunOf(call)
          ? { body: await compactions.plan(nameOf(call), { signal: call.signal }) }
          : { status: 202, body: await compactions.run(nameOf(call)) },
    },
    {
      method: 'DELETE',
      path: '/v1/deliveries/:name/compaction',
      handle: async (call) => ({ body: await compactions.cancel(nameOf(call)) }),
    },
  ];
}

function nameOf({ parameters }: Call): string {
  return parameters['name'] ?? '';
}

function dryRunOf({ body }: Call): boolean {
  const { dryRun = false, ...rest } = (body ?? {}) as { dryRun?: unknown };
  if (typeof dryRun === 'boolean' && Object.keys(rest).length === 0) return dryRun;
  throw new LakewardError('argument-invalid', 'the body of a compaction is {}, or {"dryRun": true}');
}
