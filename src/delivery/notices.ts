/**
 * Tells the receiver of a delivery which partitions became complete or were reopened, from the notices that lie beside its landing log: oldest
 * first, each until it is taken, so every event arrives at least once and those of a partition in their order. A receiver that is away keeps
 * nobody from landing: notices wait in the lake, tries grow rarer, and what is older than a week is dropped and counted.
 */
import { type NoticeBox, type NoticeEvent, noticeBox } from '../landing/notices.ts';
import type { DeliverySpec, DeliveryTrouble } from '../model/delivery.ts';
import type { StreamId } from '../model/stream.ts';
import type { Notice } from '../ports/notifier.ts';
import { asLakewardError, troubleOf } from './fault.ts';
import { folderOf } from './log-holder.ts';
import type { DeliveryMetrics } from './metrics.ts';
import type { DeliveryRoom } from './room.ts';

/** Events of one request. */
const SEND_MAX = 500;
const FIRST_PAUSE_MS = 5_000;
const PAUSE_MS_MAX = 300_000;
const KEPT_MS = 7 * 86_400_000;

/** What one process remembers of a receiver that does not take. */
export interface Tries {
  failed: number;
  nextMs: number;
  trouble: DeliveryTrouble | undefined;
}

export function noTries(): Tries {
  return { failed: 0, nextMs: 0, trouble: undefined };
}

export interface NoticeTurn {
  readonly room: DeliveryRoom;
  readonly spec: DeliverySpec;
  readonly streamId: StreamId;
  readonly metrics: DeliveryMetrics;
  readonly tries: Tries;
}

/** One turn. Throws what the lake throws. */
export async function sendNotices(turn: NoticeTurn, signal: AbortSignal): Promise<void> {
  const { room, metrics, tries } = turn;
  if (room.clock.monotonicMs() < tries.nextMs) return;
  const box = boxOf(turn);
  const { notices, trouble } = await box.pending({ signal, tidy: true });
  metrics.noticesPending(notices.length);
  let left = notices.length;
  for (const { n, madeMs } of notices) {
    const events = await box.read(n, { signal });
    const isOver = room.clock.nowMs() - madeMs > KEPT_MS;
    if (!isOver && !(await sent(turn, { box, events, known: trouble }, signal))) return;
    await box.told(n, { signal });
    metrics.notices(isOver ? 'dropped' : 'sent', events.length);
    metrics.noticesPending(--left);
  }
}

/** What waits to be told. Throws what the lake throws. */
export async function noticesWaiting(
  room: DeliveryRoom,
  about: Pick<NoticeTurn, 'spec' | 'streamId'>,
): Promise<{ readonly pending: number; readonly oldestMs?: number; readonly trouble?: DeliveryTrouble }> {
  const { notices, trouble } = await boxOf({ room, ...about }).pending();
  const oldestMs = notices[0]?.madeMs;
  return {
    pending: notices.length,
    ...(oldestMs === undefined ? {} : { oldestMs }),
    ...(trouble === undefined ? {} : { trouble }),
  };
}

function boxOf({ room, spec, streamId }: Pick<NoticeTurn, 'room' | 'spec' | 'streamId'>): NoticeBox {
  return noticeBox(room.lake, folderOf(spec, { id: streamId }));
}

interface Due {
  readonly box: NoticeBox;
  readonly events: readonly NoticeEvent[];
  /** As any process noted it. */
  readonly known: DeliveryTrouble | undefined;
}

async function sent(turn: NoticeTurn, { box, events, known }: Due, signal: AbortSignal): Promise<boolean> {
  const { room, spec, metrics, tries } = turn;
  const { notifier } = room;
  if (notifier === undefined || spec.notify === undefined) return false;
  const log = room.telemetry.log.child({ delivery: spec.name });
  try {
    for (let from = 0; from < events.length; from += SEND_MAX) {
      const some = events.slice(from, from + SEND_MAX).map((event) => noticeOf(turn, event));
      await notifier.send(spec.notify, some, { signal });
    }
  } catch (thrown) {
    if (signal.aborted) throw thrown;
    const error = asLakewardError(thrown);
    tries.trouble = troubleOf(error, tries.trouble ?? known, room.clock.nowMs());
    const pauseMs = Math.min(PAUSE_MS_MAX, FIRST_PAUSE_MS * 2 ** tries.failed++);
    tries.nextMs = room.clock.monotonicMs() + pauseMs * (0.5 + room.clock.random() / 2);
    metrics.notices('failed', 1);
    log.warn('a receiver of notices does not take them', { code: error.code, reason: error.message, pauseMs });
    if (known?.message !== error.message) await box.note(tries.trouble, { signal });
    return false;
  }
  if (tries.trouble !== undefined || known !== undefined) {
    await box.note(undefined, { signal });
    log.info('a receiver takes notices again', { after: (tries.trouble ?? known)?.code });
  }
  Object.assign(tries, noTries());
  return true;
}

function noticeOf({ spec, streamId }: NoticeTurn, { partition, entry, event, ...facts }: NoticeEvent): Notice {
  const id = `${spec.name}/${streamId}/${entry}/${partition}`;
  return { id, event, delivery: spec.name, stream: spec.stream, partition, entry, ...facts };
}
