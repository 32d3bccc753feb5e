/**
 * Deliveries as the processes that share them report: a worker in trouble is told wherever one asks, also by a process that has no
 * worker of its own. What has landed and what waits every process knows from the landing log and the streams.
 */
import type { DeliveryTrouble } from '../model/delivery.ts';
import type { Deliveries, DeliveryStatus } from '../ports/deliveries.ts';
import type { DeliveryShare, KnownProcess } from '../ports/processes.ts';

export function heardDeliveries<T extends Deliveries>(inner: T, processes: () => Promise<readonly KnownProcess[]>): T {
  return {
    ...inner,
    async status(name?: string) {
      const [statuses, known] = await Promise.all([inner.status(name), processes()]);
      return statuses.map((status) => withTrouble(status, known));
    },
  };
}

/** What the processes that were heard lately do for a delivery. */
export function sharesHeard(
  processes: () => Promise<readonly KnownProcess[]>,
): (delivery: string) => Promise<readonly DeliveryShare[]> {
  return async (name) => {
    const heard = (await processes()).filter(({ silent }) => !silent);
    return heard.flatMap(({ deliveries }) => deliveries.filter(({ delivery }) => delivery === name));
  };
}

/** Pure. A delivery's own trouble goes first, then that of the worker that is worst off. */
export function withTrouble(status: DeliveryStatus, known: readonly KnownProcess[]): DeliveryStatus {
  if (status.state === 'paused' || status.trouble !== undefined) return status;
  let worst:
    | { readonly share: DeliveryShare; readonly trouble: DeliveryTrouble; readonly of: KnownProcess }
    | undefined;
  for (const of of known.filter(({ silent }) => !silent)) {
    const share = of.deliveries.find(({ delivery }) => delivery === status.spec.name);
    if (share?.trouble === undefined) continue;
    if (worst === undefined || (share.state === 'suspended' && worst.share.state !== 'suspended')) {
      worst = { share, trouble: share.trouble, of };
    }
  }
  if (worst === undefined) return status;
  const { share, trouble, of } = worst;
  return {
    ...status,
    state: share.state,
    trouble: { ...trouble, message: `${trouble.message} (at ${of.host}/${of.pid})` },
  };
}
