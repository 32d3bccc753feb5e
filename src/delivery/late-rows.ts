/**
 * Late rows that are held: when a landing may hold some, and when those of which partition are released. A partition's rows are released
 * together, so stragglers make one file of it in every `hold`, not one each. Whoever merges them is given from outside.
 */
import type { LandingView } from '../landing/landing-log.ts';
import type { HeldFile } from '../landing/live-files.ts';
import type { DataFile } from '../model/data-file.ts';
import type { DeliveryDocument, DeliverySpec, LateRule } from '../model/delivery.ts';
import { LIMITS } from '../model/limits.ts';
import { compileLayout } from '../partition/layout.ts';
import type { CallOptions } from '../ports/call-options.ts';
import type { DeliveryRoom, ReleaseOrder } from './room.ts';
import type { LogHolder } from './log-holder.ts';
import type { HeldFacts } from './metrics.ts';
import { closingUnit, unitEndMs } from './watermark.ts';

type LateRoom = Pick<DeliveryRoom, 'clock' | 'releaseHeld' | 'telemetry'>;

interface HeldBy {
  readonly document: Pick<DeliveryDocument, 'spec'>;
  readonly holder: LogHolder;
}

/** Rows that are held so many times as long as they should be: nobody releases. */
const OVERDUE_TIMES = 4;
/** Of the room: with more held, some is released. */
const FULL_SHARE = 0.75;
const TRIES_MAX = 3;
/** A delivery that is deleted waits no longer for its lake. */
const LET_GO_MS = 60_000;

/** A landing of these files holds those of partitions that end by then; undefined: none. */
export function holdsThrough(
  { clock, releaseHeld }: Omit<LateRoom, 'telemetry'>,
  { late, layout }: Pick<DeliverySpec, 'late' | 'layout'>,
  { view, files }: { readonly view: LandingView; readonly files: readonly FileToHold[] },
): number | undefined {
  if (late === undefined || releaseHeld === undefined) return undefined;
  const unit = closingUnit(compileLayout(layout).units);
  const { held, watermarkMs } = view;
  if (unit === undefined || watermarkMs === undefined) return undefined;
  const more = files.filter(({ eventMinMs }) => unitEndMs(eventMinMs, unit) <= watermarkMs);
  return hasRoom(held, more, { ...late, nowMs: clock.nowMs() }) ? watermarkMs : undefined;
}

type FileToHold = Pick<DataFile, 'bytes' | 'eventMinMs'>;

/** Beyond the bounds rows show when they land. */
export function hasRoom(
  held: readonly HeldFile[],
  more: readonly Pick<DataFile, 'bytes'>[],
  { holdMs, bytes, nowMs }: LateRule & { readonly nowMs: number },
): boolean {
  const oldestMs = held.reduce((least, { sinceMs }) => Math.min(least, sinceMs), nowMs);
  const moreBytes = more.reduce((sum, file) => sum + file.bytes, 0);
  const fits = held.length + more.length <= LIMITS.heldFilesMax && bytesOf(held) + moreBytes <= bytes;
  return fits && nowMs - oldestMs < OVERDUE_TIMES * holdMs;
}

/** Those of partitions that wait long enough; with little room left, of the largest ones too, until half of it is free. */
export function dueFiles(held: readonly HeldFile[], rule: LateRule | undefined, nowMs: number): readonly HeldFile[] {
  if (rule === undefined) return held;
  const parts = [...Map.groupBy(held, ({ file }) => file.partition).values()];
  const isOld = (files: readonly HeldFile[]): boolean =>
    files.some(({ sinceMs }) => nowMs - sinceMs >= rule.holdMs || sinceMs > nowMs + rule.holdMs);
  const due = parts.filter(isOld);
  const rest = parts.filter((files) => !isOld(files)).sort((a, b) => bytesOf(b) - bytesOf(a));
  if (!isAbove(FULL_SHARE, held, rule)) return due.flat();
  while (isAbove(0.5, rest.flat(), rule)) due.push(rest.shift() ?? []);
  return due.flat();
}

function isAbove(share: number, held: readonly HeldFile[], { bytes }: LateRule): boolean {
  return held.length > LIMITS.heldFilesMax * share || bytesOf(held) > bytes * share;
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

/** The same for a delivery that stands still, whose stream may be gone: what has landed shows all the same. */
export async function releaseStanding(
  room: Omit<LateRoom, 'telemetry'>,
  { document: { spec }, holder }: HeldBy,
  signal: AbortSignal,
): Promise<void> {
  if (!mayHold({ document: { spec }, holder })) return;
  const log = await holder.openWithoutStream(signal);
  if (log !== undefined) await releaseDue(room, { log, spec, signal });
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
export async function letGo(room: LateRoom, { document: { spec }, holder }: HeldBy): Promise<void> {
  if (!mayHold({ document: { spec }, holder })) return;
  const late = new AbortController();
  const timer = new AbortController();
  room.clock.sleep(LET_GO_MS, timer.signal).then(
    () => late.abort(),
    () => undefined,
  );
  try {
    const log = await holder.openWithoutStream(late.signal);
    if (log !== undefined) await releaseAll(room, { log, spec }, late);
  } catch (error) {
    const rows = heldFacts(holder.view()?.held ?? [], 0).rows;
    room.telemetry.log.error('late rows of a deleted delivery stay hidden', { delivery: spec.name, rows, error });
  } finally {
    timer.abort();
  }
}

function mayHold({ document: { spec }, holder }: HeldBy): boolean {
  return spec.late !== undefined || (holder.view()?.held.length ?? 0) > 0;
}

/** `oldestMs`: how long the oldest is held. */
export function heldFacts(held: readonly HeldFile[], nowMs: number): HeldFacts {
  const rows = held.reduce((sum, { file }) => sum + file.rows, 0);
  const sinceMs = held.reduce((least, file) => Math.min(least, file.sinceMs), nowMs);
  return { files: held.length, rows, bytes: bytesOf(held), oldestMs: nowMs - sinceMs };
}
