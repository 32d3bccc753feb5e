/** Whether an hour is complete, in the control API: asked once, or waited for a while. */
import type { Deliveries } from '../../ports/deliveries.ts';
import { checkNames, flagIn, integerIn, textIn } from './query-value.ts';
import type { Route } from './route.ts';

const WAIT_MS_MAX = 30_000;

/** `closing` aborts when the server begins to close: who waits then is answered with what is known. */
export function completenessRoutes(deliveries: Deliveries, closing: AbortSignal): Route[] {
  return [
    {
      method: 'GET',
      path: '/v1/deliveries/:name/complete',
      handle: async ({ parameters, query, signal }) => {
        checkNames(Object.keys(query), ['partition', 'hour', 'waitMs', 'anyway']);
        const asked = { partition: textIn(query, 'partition'), hour: textIn(query, 'hour') };
        const waitMs = integerIn(query, { name: 'waitMs', fallback: 0, min: 0, max: WAIT_MS_MAX });
        const anyway = flagIn(query, 'anyway');
        const either = AbortSignal.any([signal, closing]);
        const name = parameters['name'] ?? '';
        try {
          return { body: await deliveries.completeness(name, asked, { waitMs, anyway, signal: either }) };
        } catch (error) {
          if (!closing.aborted) throw error;
          return { body: await deliveries.completeness(name, asked, { signal }) };
        }
      },
    },
  ];
}
