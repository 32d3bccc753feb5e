/** How the process is: for operators, for whoever balances load, and for what collects metrics. */
import type { ControlApiOptions, Route } from './route.ts';
import { streamViews } from './stream-routes.ts';

const EXPOSITION_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

export function processRoutes(options: ControlApiOptions): Route[] {
  return [
    { method: 'GET', path: '/healthz', isPublic: true, handle: () => ({ body: { status: 'ok' } }) },
    {
      method: 'GET',
      path: '/readyz',
      isPublic: true,
      handle: async () => {
        const reasons = options.closing.aborted
          ? ['the server is stopping']
          : ((await options.status()).notReady ?? []);
        if (reasons.length === 0) return { body: { status: 'ready' } };
        return { status: 503, body: { status: 'not ready', reasons } };
      },
    },
    {
      method: 'GET',
      path: '/metrics',
      handle: async () => ({ type: EXPOSITION_TYPE, body: await options.telemetry.exposition() }),
    },
    {
      method: 'GET',
      path: '/v1/status',
      handle: async () => {
        const { notReady: _, ...facts } = await options.status();
        const [streams, deliveries, processes] = await Promise.all([
          streamViews(options),
          options.deliveries.status(),
          options.processes?.(),
        ]);
        return { body: { ...facts, streams, deliveries, ...(processes !== undefined && { processes }) } };
      },
    },
  ];
}
