/** What a delivery says of itself, from its document, its worker, its landing log and what waits in the stream. */
import { isCut } from '../landing/known-keys.ts';
import type { DeliveryState, DeliveryTrouble } from '../model/delivery.ts';
import { isLakewardError } from '../model/errors.ts';
import type { Positions } from '../model/stream.ts';
import type { CallOptions } from '../ports/call-options.ts';
import type { DeliveryStatus } from '../ports/deliveries.ts';
import type { ShardShare } from '../ports/shard-groups.ts';
import type { LandingView } from '../landing/landing-log.ts';
import { rowsOf, summed } from '../landing/reject-counts.ts';
import { asLakewardError, troubleOf } from './fault.ts';
import { heldFacts } from './late-rows.ts';
import { landedPositions, newestOf } from './log-holder.ts';
import { noticesWaiting } from './notices.ts';
import type { DeliveryRoom } from './room.ts';
import type { RunningDelivery } from './running-deliveries.ts';
import { isShared, NO_SHARDS, within } from './work-share.ts';

type PendingView = DeliveryStatus['pending'];

const NOTHING: PendingView = { records: 0, bytes: 0 };

export async function deliveryStatus(room: DeliveryRoom, delivery: RunningDelivery): Promise<DeliveryStatus> {
  const { spec, owner } = delivery.document;
  const opened = await readOn(room, delivery);
  const worker = delivery.worker?.view();
  const view = delivery.holder.view();
  const state: DeliveryState = worker?.state ?? (delivery.document.paused ? 'paused' : 'running');
  const trouble = worker?.trouble ?? opened;
  const times = {
    ...(trouble === undefined ? {} : { trouble }),
    ...(view?.lastLandedMs === undefined ? {} : { lastLandedMs: view.lastLandedMs }),
    ...(view?.watermarkMs === undefined ? {} : { watermarkMs: view.watermarkMs }),
  };
  const totals = view?.totals;
  const known = view !== undefined && spec.dedupe !== undefined ? view.known : undefined;
  const newest = room.catalog.read().plan.get(spec.name);
  const follows = spec.schema !== 'auto' && 'subject' in spec.schema ? newest?.follows : undefined;
  return {
    spec,
    owner,
    state,
    rows: totals?.rows ?? 0,
    files: totals?.files ?? 0,
    bytes: totals?.bytes ?? 0,
    rejectedRows: totals?.rejectedRows ?? 0,
    rejects: rejectsOf(view),
    extraRows: totals?.extraRows ?? 0,
    lateRows: totals?.lateRows ?? 0,
    duplicateRows: totals?.duplicateRows ?? 0,
    unkeyedRows: totals?.unkeyedRows ?? 0,
    filteredRows: totals?.filteredRows ?? 0,
    lostOffsets: totals?.lostOffsets ?? 0,
    ...heldOf(view),
    expiredRows: totals?.expiredRows ?? 0,
    erasedRows: totals?.erasedRows ?? 0,
    lostRows: totals?.lostRows ?? 0,
    entry: view?.entry ?? 0,
    pending: await pendingOf(room, delivery),
    planVersion: room.catalog.read().plan.get(spec.name)?.plan.version ?? view?.planVersion ?? 0,
    ...(follows === undefined ? {} : { follows }),
    ...(await noticesOf(room, delivery)),
    ...times,
    ...(known === undefined ? {} : { dedupe: { knownIds: known.keys, cut: isCut(known) } }),
  };
}

function heldOf(view: LandingView | undefined): Pick<DeliveryStatus, 'held'> {
  const [oldest] = view?.held ?? [];
  if (view === undefined || oldest === undefined) return {};
  const { rows, files, bytes } = heldFacts(view.held, 0);
  return { held: { rows, files, bytes, sinceMs: oldest.sinceMs } };
}

async function noticesOf(
  room: DeliveryRoom,
  { document: { spec, streamId } }: RunningDelivery,
): Promise<Pick<DeliveryStatus, 'notices'>> {
  if (spec.notify === undefined) return {};
  try {
    return { notices: await noticesWaiting(room, { spec, streamId }) };
  } catch (error) {
    if (isLakewardError(error)) return {};
    throw error;
  }
}

/** Where what waits now ends. Throws when log or stream cannot tell. */
export async function waitingEnds(
  room: DeliveryRoom,
  { holder }: Pick<RunningDelivery, 'holder'>,
  call?: CallOptions,
): Promise<Positions> {
  const { log, stream } = await holder.open();
  const now = { minBytes: 1, minRecords: 1, waitMs: 0, signal: call?.signal };
  return (await room.broker.pending(stream.id, landedPositions(log.view(), newestOf(room, stream)), now)).ends;
}

/** What waits for a delivery in these shards; nothing when neither log nor stream can tell. */
export async function pendingOf(
  room: DeliveryRoom,
  delivery: RunningDelivery,
  share: ShardShare = 'all',
): Promise<PendingView> {
  const stream = room.catalog.read().stream.get(delivery.document.spec.stream);
  const view = delivery.holder.view();
  if (stream === undefined || view === undefined) return NOTHING;
  return waitingAt(room, delivery, within(landedPositions(view, stream), share));
}

/** What waits at the positions; nothing when the stream cannot tell. */
export async function waitingAt(
  room: DeliveryRoom,
  delivery: RunningDelivery,
  positions: Positions,
): Promise<PendingView> {
  if (positions.size === 0) return NOTHING;
  try {
    const now = { minBytes: 1, minRecords: 1, waitMs: 0 };
    const { streamId } = delivery.document;
    const { records, bytes, oldestArrivalMs } = await room.broker.pending(streamId, positions, now);
    return { records, bytes, ...(oldestArrivalMs === undefined ? {} : { oldestArrivalMs }) };
  } catch (error) {
    room.telemetry.log.debug('pending is not known', {
      delivery: delivery.document.spec.name,
      code: asLakewardError(error).code,
    });
    return NOTHING;
  }
}

/** What other processes have landed since is only in the lake; a paused delivery has no worker that would have opened its log. */
async function readOn(
  room: DeliveryRoom,
  { document, holder, worker }: RunningDelivery,
): Promise<DeliveryTrouble | undefined> {
  const stream = room.catalog.read().stream.get(document.spec.stream);
  if (stream !== undefined && !isShared(worker?.view().share ?? NO_SHARDS, stream)) return undefined;
  try {
    // A worker that cannot open its log says so itself.
    if (worker !== undefined && holder.view() === undefined) return undefined;
    const { log } = await holder.open();
    await log.refresh();
    return undefined;
  } catch (error) {
    return troubleOf(asLakewardError(error), undefined, room.clock.nowMs());
  }
}

function rejectsOf(view: LandingView | undefined): DeliveryStatus['rejects'] {
  const { replayedRows = 0, skippedRows = 0, rejectedRows = 0, droppedRejects = 0 } = view?.totals ?? {};
  const { groups = [], recent = [] } = view?.rejects ?? {};
  return {
    openRows: rejectedRows - replayedRows - droppedRejects,
    replayedRows,
    skippedRows,
    groups: groups.toSorted((a, b) => b.rejected + b.skipped - a.rejected - a.skipped),
    lately: {
      landings: recent.length,
      ...(recent[0] === undefined ? {} : { sinceMs: recent[0].timeMs }),
      rows: rowsOf(recent),
      groups: summed(recent.flatMap(({ rejects }) => rejects)).toSorted((a, b) => b.rows - a.rows),
    },
  };
}
