/**
 * A flush of a delivery whose shards other processes land: what is wanted is written into the delivery's document, which every worker sees
 * within two seconds, and the landing log says when it is there. Resolves when it is, whoever landed it.
 */
import { LakewardError } from '../model/errors.ts';
import type { Positions } from '../model/stream.ts';
import type { CallOptions } from '../ports/call-options.ts';
import { documentOf, flushing } from './documents.ts';
import type { DeliveryRoom } from './room.ts';
import type { RunningDelivery } from './running-deliveries.ts';
import { waitingEnds } from './status.ts';
import { troubleAnywhere } from './others.ts';

const LOOK_MS = 250;
/** What others told before that may be over. */
const HEARD_MS = 15_000;
/** So long the log may stand still until nobody seems to work on the delivery. */
const UNATTENDED_MS = 120_000;

export async function flushEverywhere(
  room: DeliveryRoom,
  delivery: RunningDelivery,
  call?: CallOptions,
): Promise<void> {
  const { name } = delivery.document.spec;
  const ends = await waitingEnds(room, delivery, call);
  await room.catalog.edit((state) => flushing(state, name, ends), call);
  const { log } = await delivery.holder.open();
  const startedMs = room.clock.monotonicMs();
  let movedMs = startedMs;
  let entry = log.view().entry;
  for (;;) {
    await log.refresh(call);
    const view = log.view();
    if (reaches(view.positions, ends)) return;
    const { paused } = documentOf(room.catalog.read(), name);
    if (paused) throw new LakewardError('delivery-paused', `delivery '${name}' was paused before it had landed`);
    const waitedMs = room.clock.monotonicMs() - startedMs;
    const met = waitedMs < HEARD_MS ? delivery.worker?.view() : await troubleAnywhere(room, delivery);
    if (met?.state === 'suspended' && met.trouble !== undefined)
      throw new LakewardError(met.trouble.code, met.trouble.message);
    if (view.entry !== entry) movedMs = room.clock.monotonicMs();
    entry = view.entry;
    if (room.clock.monotonicMs() - movedMs > UNATTENDED_MS) throw unattended(name);
    await room.clock.sleep(LOOK_MS, call?.signal);
  }
}

function reaches(positions: Positions, ends: Positions): boolean {
  return [...ends].every(([shard, end]) => (positions.get(shard) ?? 0) >= end);
}

function unattended(name: string): LakewardError {
  const seconds = UNATTENDED_MS / 1000;
  return new LakewardError(
    'delivery-unattended',
    `nothing of delivery '${name}' was landed for ${seconds} s by any process`,
  );
}
