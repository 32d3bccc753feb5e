/**
 * Every background task of a server that is not part of a stage: name, cadence, jitter, what it does. Stages add jobs of their own to the
 * same scheduler (a delivery's landing maintenance) under names that start with the stage's.
 */
import type { Broker } from '../ports/broker.ts';
import type { Catalog } from '../ports/catalog.ts';
import type { Clock } from '../ports/clock.ts';
import type { Job } from '../ports/scheduler.ts';
import type { Telemetry } from '../ports/telemetry.ts';
import type { DiskFacts } from './disk.ts';

const MINUTE_MS = 60_000;

export interface TaskRoom {
  readonly broker: Broker;
  readonly catalog: Catalog;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly disk: () => Promise<DiskFacts>;
}

export function backgroundTasks(room: TaskRoom): readonly Job[] {
  return [
    { name: 'broker retention', everyMs: MINUTE_MS, jitter: 0.1, run: (signal) => retain(room, signal) },
    { name: 'disk gauge', everyMs: 15_000, jitter: 0.1, run: () => measureDisk(room) },
  ];
}

/** Drops records past retention, stream after stream; a stream that fails does not keep the others from theirs. */
async function retain({ broker, catalog, clock, telemetry }: TaskRoom, signal: AbortSignal): Promise<void> {
  const failures: unknown[] = [];
  for (const stream of catalog.read().stream.values()) {
    signal.throwIfAborted();
    try {
      const freedBytes = await broker.retain(stream.id, clock.nowMs(), { signal });
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
