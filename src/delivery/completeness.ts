/**
 * Whether a span of time is complete in the lake, and what it holds. The landing log knows; a caller may wait for it, and is answered in any case
 * when his time is over, and at once when nothing is under way that could complete it.
 */
import type { LandingLog } from '../landing/landing-log.ts';
import type { DeliverySpec } from '../model/delivery.ts';
import type { CallOptions } from '../ports/call-options.ts';
import type { Clock } from '../ports/clock.ts';
import type { Completeness, CompletenessQuery } from '../ports/deliveries.ts';
import { type CompleteSpan, spanOf } from './complete-span.ts';

const LOOK_MS = 1000;
const PAGE_FILES = 1000;
const TRIES_MAX = 5;

export interface CompletenessRoom {
  readonly clock: Clock;
  readonly spec: DeliverySpec;
  /** The log, read on to what others have landed. */
  fresh(): Promise<LandingLog>;
  /** What keeps the delivery from landing until an operator does something; undefined when nothing does. */
  stopped(): Promise<Completeness['blocked']>;
}

export async function completenessOf(
  at: CompletenessRoom,
  query: CompletenessQuery,
  { waitMs = 0, anyway = false, signal }: CallOptions & { readonly waitMs?: number; readonly anyway?: boolean } = {},
): Promise<Completeness> {
  const { clock, spec } = at;
  const span = spanOf(spec.layout, query);
  const endMs = clock.monotonicMs() + waitMs;
  for (;;) {
    const log = await at.fresh();
    const leftMs = endMs - clock.monotonicMs();
    if (isPassed(log, span)) return await told(spec, { span, log }, { signal });
    const blocked = (await at.stopped()) ?? withoutTime(log);
    if (leftMs <= 0 || (blocked !== undefined && !anyway)) {
      const answer = await told(spec, { span, log }, { signal });
      return answer.complete || blocked === undefined ? answer : { ...answer, blocked };
    }
    await clock.sleep(Math.min(LOOK_MS, leftMs), signal);
  }
}

/** Time goes on with rows. */
function withoutTime(log: LandingLog): Completeness['blocked'] {
  if (log.view().watermarkMs !== undefined) return undefined;
  return { by: 'nothing-landed', message: 'no row has landed yet, so that no hour is over' };
}

function isPassed(log: LandingLog, { endsAtMs }: CompleteSpan): boolean {
  return (log.view().watermarkMs ?? Number.NEGATIVE_INFINITY) >= endsAtMs;
}

async function told(
  spec: DeliverySpec,
  { span, log }: { readonly span: CompleteSpan; readonly log: LandingLog },
  call: CallOptions,
): Promise<Completeness> {
  for (let tries = 1; ; tries++) {
    // What others have merged since is gone from the lake.
    await log.refresh(call);
    const complete = isPassed(log, span);
    const { entry, watermarkMs } = log.view();
    const held = { rows: 0, files: 0, bytes: 0 };
    for (let after: string | undefined; ; ) {
      const page = await log.files({ prefix: `${spec.prefix}/${span.folders}`, after, limit: PAGE_FILES, ...call });
      for (const { partition, rows, bytes } of page.items) {
        if (!span.holds(partition)) continue;
        held.rows += rows;
        held.files += 1;
        held.bytes += bytes;
      }
      if (page.next === undefined) break;
      after = page.next;
    }
    // Pages of one state alone add up.
    if (log.view().entry !== entry && tries < TRIES_MAX) continue;
    const { endsAtMs } = span;
    const hidden = log.view().held.filter(({ file }) => span.holds(file.partition));
    const heldRows = hidden.reduce((sum, { file }) => sum + file.rows, 0);
    const times = { endsAtMs, ...(watermarkMs === undefined ? {} : { watermarkMs }) };
    return { delivery: spec.name, complete, ...times, ...held, ...(heldRows === 0 ? {} : { heldRows }), entry };
  }
}
