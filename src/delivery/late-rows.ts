/**
 * Late rows that are held: when a landing may hold some, and when those of which partition are released. A partition's rows are released
 * together, so stragglers make one file of it in every `hold`, not one each. Whoever merges them is given from outside.
 */
import type { LandingView } from '../landing/landing-log.ts';
import type { HeldFile } from '../landing/live-files.ts';
import type { DeliveryDocument, DeliverySpec, LateRule } from '../model/delivery.ts';
import { LIMITS } from '../model/limits.ts';
import type { CallOptions } from '../ports/call-options.ts';
import type { DeliveryRoom, ReleaseOrder } from './room.ts';
import type { LogHolder } from './log-holder.ts';
import type { HeldFacts } from './metrics.ts';

type LateRoom = Pick<DeliveryRoom, 'clock' | 'releaseHeld' | 'telemetry'>;

/** Rows that are held so many times as long as they should be: nobody releases. */
const OVERDUE_TIMES = 4;
const TRIES_MAX = 3;
/** A delivery that is deleted waits no longer for its lake. */
const LET_GO_MS = 60_000;

/** A landing holds the rows of partitions that end by then; undefined: none. */
export function holdsThrough(
  room: Omit<LateRoom, 'telemetry'>,
  { late }: DeliverySpec,
  view: LandingView,
): number | undefined {
  if (late === undefined || room.releaseHeld === undefined) return undefined;
  return hasRoom(view.held, late, room.clock.nowMs()) ? view.watermarkMs : undefined;
}

/** Beyond the bounds rows show when they land. */
export function hasRoom(held: readonly HeldFile[], { holdMs, bytes }: LateRule, nowMs: number): boolean {
  const oldestMs = Math.min(nowMs, ...held.map(({ sinceMs }) => sinceMs));
  return held.length < LIMITS.heldFilesMax && bytesOf(held) < bytes && nowMs - oldestMs < OVERDUE_TIMES * holdMs;
}

/** Those of partitions that wait long enough; with too many held, of the largest ones too, until half the room is free. */
export function dueFiles(held: readonly HeldFile[], rule: LateRule | undefined, nowMs: number): readonly HeldFile[] {
  if (rule === undefined) return held;
  const parts = [...Map.groupBy(held, ({ file }) => file.partition).values()];
  const isOld = (files: readonly HeldFile[]): boolean =>
    files.some(({ sinceMs }) => nowMs - sinceMs >= rule.holdMs || sinceMs > nowMs + rule.holdMs);
  const due = parts.filter(isOld);
  const rest = parts.filter((files) => !isOld(files)).sort((a, b) => bytesOf(b) - bytesOf(a));
  const isFull = held.length >= LIMITS.heldFilesMax || bytesOf(held) >= rule.bytes;
  if (!isFull) return due.flat();
  while (isAboveHalf(rest.flat(), rule)) due.push(rest.shift() ?? []);
  return due.flat();
}

function isAboveHalf(held: readonly HeldFile[], { bytes }: LateRule): boolean {
  return held.length > LIMITS.heldFilesMax / 2 || bytesOf(held) > bytes / 2;
}

function bytesOf(held: readonly HeldFile[]): number {
  return held.reduce((sum, { file }) => sum + file.bytes, 0);
}

/** Releases what is due; of a delivery that does not hold any more, everything. */
export async function releaseDue(room: Omit<LateRoom, 'telemetry'>, at: Omit<ReleaseOrder, 'held'>): Promise<void> {
  const { log, spec, signal } = at;
  if (room.releaseHeld === undefined || (spec.late === undefined && log.view().held.length === 0)) return;
  // Other processes hold and release too.
  await log.refresh({ signal });
  const held = dueFiles(log.view().held, spec.late, room.clock.nowMs());
  if (held.length > 0) await room.releaseHeld({ ...at, held });
}

/** Releases everything that is held now. */
export async function releaseAll(
  room: Pick<LateRoom, 'releaseHeld'>,
  { log, spec }: Pick<ReleaseOrder, 'log' | 'spec'>,
  { signal = new AbortController().signal }: CallOptions = {},
): Promise<void> {
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    await log.refresh({ signal });
    const { held } = log.view();
    if (held.length === 0 || room.releaseHeld === undefined) return;
    await room.releaseHeld({ spec, log, held, signal });
  }
}

/**
 * Of a delivery that is deleted, whose worker has ended: what it holds is shown, as far as that can be done now; otherwise it is told, and
 * shows when a delivery of this name reads the stream again.
 */
export async function letGo(
  room: LateRoom,
  { document: { spec }, holder }: { readonly document: Pick<DeliveryDocument, 'spec'>; readonly holder: LogHolder },
): Promise<void> {
  if (spec.late === undefined && (holder.view()?.held.length ?? 0) === 0) return;
  const late = new AbortController();
  const timer = new AbortController();
  room.clock.sleep(LET_GO_MS, timer.signal).then(
    () => late.abort(),
    () => undefined,
  );
  try {
    const { log } = await holder.open(late.signal);
    await releaseAll(room, { log, spec }, late);
  } catch (error) {
    const rows = heldFacts(holder.view()?.held ?? [], 0).rows;
    room.telemetry.log.error('late rows of a deleted delivery stay hidden', { delivery: spec.name, rows, error });
  } finally {
    timer.abort();
  }
}

/** `oldestMs`: how long the oldest is held. */
export function heldFacts(held: readonly HeldFile[], nowMs: number): HeldFacts {
  const rows = held.reduce((sum, { file }) => sum + file.rows, 0);
  const sinceMs = Math.min(nowMs, ...held.map((file) => file.sinceMs));
  return { files: held.length, rows, bytes: bytesOf(held), oldestMs: nowMs - sinceMs };
}
