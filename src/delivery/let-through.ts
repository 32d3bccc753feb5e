/**
 * Records that an operator lets through the error budget once: those that waited at the resume. They are landed by themselves, so that
 * what came later is judged, and the log's entry says so: the budget counts anew behind it. The decision is in the catalog, so a
 * crash in between does not ask for it again. Pure.
 */
import type { DeliveryDocument } from '../model/delivery.ts';
import type { Positions } from '../model/stream.ts';
import { asOffset } from '../model/stream.ts';

/** Whether the next records of some shard are let through, and then where they end. */
export function letThroughEnds(
  letThrough: DeliveryDocument['letThrough'],
  from: Positions,
  ends: Positions,
): Positions | undefined {
  if (letThrough === undefined) return undefined;
  let any = false;
  const cut = new Map(ends);
  for (const [shard, end] of ends) {
    const at = from.get(shard) ?? asOffset(0);
    const through = Math.max(at, Math.min(end, letThrough[String(shard)] ?? 0));
    if (through > at) any = true;
    cut.set(shard, asOffset(through));
  }
  return any ? cut : undefined;
}
