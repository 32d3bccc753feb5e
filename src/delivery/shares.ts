/** What this process does for deliveries: the shards its workers land, what waits in them, and what is wrong. */
import type { Positions } from '../model/stream.ts';
import type { DeliveryShare } from '../ports/processes.ts';
import { landedPositions } from './log-holder.ts';
import type { DeliveryRoom } from './room.ts';
import type { RunningDelivery } from './running-deliveries.ts';
import { waitingAt } from './status.ts';
import { within } from './work-share.ts';

export async function sharesOf(room: DeliveryRoom, running: readonly RunningDelivery[]): Promise<DeliveryShare[]> {
  const shares = await Promise.all(running.map((delivery) => shareOf(room, delivery)));
  return shares.filter((share) => share !== undefined);
}

async function shareOf(room: DeliveryRoom, delivery: RunningDelivery): Promise<DeliveryShare | undefined> {
  const { document, holder, worker } = delivery;
  if (worker === undefined) return undefined;
  const { state, trouble, share } = worker.view();
  const view = holder.view();
  const stream = room.catalog.read().stream.get(document.spec.stream);
  const all: Positions = stream === undefined || view === undefined ? new Map() : landedPositions(view, stream);
  const positions = within(all, share);
  const { records, oldestArrivalMs } = await waitingAt(room, delivery, positions);
  return {
    delivery: document.spec.name,
    state,
    ...(trouble !== undefined && { trouble }),
    shards: [...positions.keys()],
    records,
    ...(oldestArrivalMs !== undefined && { oldestArrivalMs }),
    ...(view?.lastLandedMs !== undefined && { lastLandedMs: view.lastLandedMs }),
  };
}
