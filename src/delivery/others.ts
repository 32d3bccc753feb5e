/** Other processes that land what this one lands or knows of: whether there are any, and what is wrong with them. */
import type { DeliveryState, DeliveryTrouble } from '../model/delivery.ts';
import type { Completeness } from '../ports/deliveries.ts';
import type { DeliveryRoom } from './room.ts';
import type { RunningDelivery } from './running-deliveries.ts';
import { isShared, NO_SHARDS } from './work-share.ts';

export function hasOthers({ groups, delivers }: Pick<DeliveryRoom, 'groups' | 'delivers'>): boolean {
  return groups !== undefined || delivers === false;
}

/** Whether others land some of the delivery's shards now, so that what has landed is only in the lake. */
export function isSharedNow(
  { catalog }: Pick<DeliveryRoom, 'catalog'>,
  { document, worker }: Pick<RunningDelivery, 'document' | 'worker'>,
): boolean {
  const stream = catalog.read().stream.get(document.spec.stream);
  return stream === undefined || isShared(worker?.view().share ?? NO_SHARDS, stream);
}

export interface MetTrouble {
  readonly trouble: DeliveryTrouble;
  readonly state: DeliveryState;
}

/** The worst that keeps a delivery from landing, in this process or, as it last told, in another. */
export async function troubleAnywhere(
  { elsewhere }: Pick<DeliveryRoom, 'elsewhere'>,
  { document, worker }: Pick<RunningDelivery, 'document' | 'worker'>,
): Promise<MetTrouble | undefined> {
  const there = (await elsewhere?.(document.spec.name)) ?? [];
  const all = [...(worker === undefined ? [] : [worker.view()]), ...there];
  const met = all.flatMap(({ trouble, state }) => (trouble === undefined ? [] : [{ trouble, state }]));
  return met.find(({ state }) => state === 'suspended') ?? met[0];
}

/** Why a delivery lands nothing, anywhere, until an operator resumes it. */
export async function stoppedBy(
  room: Pick<DeliveryRoom, 'elsewhere'>,
  delivery: Pick<RunningDelivery, 'document' | 'worker'>,
): Promise<Completeness['blocked']> {
  const { paused, spec } = delivery.document;
  if (paused) return { by: 'paused', message: `it is paused; go on with lakeward delivery resume ${spec.name}` };
  const met = await troubleAnywhere(room, delivery);
  if (met?.state !== 'suspended') return undefined;
  return { by: 'suspended', message: `it is suspended [${met.trouble.code}]: ${met.trouble.message}` };
}
