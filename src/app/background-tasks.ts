/**
 * Every background task of a server that is not part of a stage: name, cadence, jitter, what it does. Stages add jobs of their own to the
 * same scheduler (a delivery's landing maintenance) under names that start with the stage's.
 */
import { believedTime } from '../delivery/believed-time.ts';
import { finishDeletions } from '../ingest/stream-deletion.ts';
import type { Broker } from '../ports/broker.ts';
import type { Catalog } from '../ports/catalog.ts';
import type { Clock } from '../ports/clock.ts';
import type { Job } from '../ports/scheduler.ts';
import type { Telemetry } from '../ports/telemetry.ts';
import type { DiskFacts } from './disk.ts';

const MINUTE_MS = 60_000;
/** Records are dropped by a catalog that is known to be no older. */
const HEARD_WITHIN_MS = 10_000;

export interface TaskRoom {
  readonly broker: Broker;
  readonly catalog: Catalog;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  /** Takes over what others changed about topics that became streams. */
  readonly followTopics: (signal: AbortSignal) => Promise<void>;
  readonly disk: () => Promise<DiskFacts>;
}

export function backgroundTasks(room: TaskRoom): readonly Job[] {
  const trustedNowMs = timeForRetention(room);
  return [
    {
      name: 'broker retention',
      everyMs: MINUTE_MS,
      jitter: 0.1,
      run: (signal) => retain(room, trustedNowMs(), signal),
    },
    { name: 'adopted topics', everyMs: MINUTE_MS, jitter: 0.1, run: (signal) => room.followTopics(signal) },
    { name: 'deleted streams', everyMs: MINUTE_MS, jitter: 0.1, run: (signal) => finishDeletions(room, signal) },
    { name: 'disk gauge', everyMs: 15_000, jitter: 0.1, run: () => measureDisk(room) },
  ];
}

/** The time that retention may count by; undefined while it is in doubt: what retention drops is gone. */
function timeForRetention({ clock, telemetry }: TaskRoom): () => number | undefined {
  const read = believedTime(clock);
  let toldMs: number | undefined;
  return () => {
    const { nowMs, doubt } = read();
    if (doubt !== undefined && doubt.sinceMs !== toldMs) {
      const gainedMs = Math.round(doubt.gainedMs);
      telemetry.log.warn('the clock jumped ahead, retention waits until the new time has held', { gainedMs });
    }
    toldMs = doubt?.sinceMs;
    return doubt === undefined ? nowMs : undefined;
  };
}

/** Drops records past retention, stream after stream; a stream that fails does not keep the others from theirs. */
async function retain(room: TaskRoom, nowMs: number | undefined, signal: AbortSignal): Promise<void> {
  const { broker, catalog, clock, telemetry } = room;
  // Who does not hear of changes may not know of a longer retention.
  const isDeaf = clock.monotonicMs() - catalog.confirmedMs() > HEARD_WITHIN_MS;
  if (nowMs === undefined || isDeaf) return;
  const failures: unknown[] = [];
  for (const stream of catalog.read().stream.values()) {
    signal.throwIfAborted();
    try {
      const freedBytes = await broker.retain(stream.id, nowMs, { signal });
      if (freedBytes > 0) telemetry.log.info('records past retention dropped', { stream: stream.name, freedBytes });
    } catch (error) {
      // A stream that was deleted meanwhile has nothing to drop.
      if (catalog.read().stream.has(stream.name)) failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
}

async function measureDisk({ telemetry, disk }: TaskRoom): Promise<void> {
  const { freeBytes } = await disk();
  const gauge = telemetry.gauge({
    name: 'lakeward_app_disk_free_bytes',
    help: 'Free bytes on the disk of the data folder.',
  });
  gauge.set(freeBytes);
}
