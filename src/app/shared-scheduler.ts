/**
 * Which scheduler has the jobs that one process does for all: that of the process itself where it is alone or told nothing, or one on Redis,
 * with a queue for each role, since processes of one role have the same jobs. What every process does for itself is not here.
 */
import type { Config, Role } from '../config/load.ts';
import type { Clock } from '../ports/clock.ts';
import type { Scheduler } from '../ports/scheduler.ts';
import type { Telemetry } from '../ports/telemetry.ts';
import type { Shutdown } from './shutdown.ts';

export interface SharedSchedulerRoom {
  readonly config: Config;
  /** The process's own. */
  readonly scheduler: Scheduler;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly shutdown: Shutdown;
}

/** Throws `schedule-unsuitable`. A Redis that is away is waited for in the background. */
export async function sharedScheduler(room: SharedSchedulerRoom, role: Role): Promise<Scheduler> {
  const { config, clock, telemetry, shutdown } = room;
  if (config.redis === undefined) return room.scheduler;
  // Takes a while to load: only who uses it waits for it.
  const { bullmqScheduler } = await import('../schedule/bullmq/bullmq-scheduler.ts');
  const scheduler = await bullmqScheduler({ ...config.redis, queue: role, clock, telemetry });
  shutdown.opened(`shared schedule, ${role}`, () => scheduler.close());
  return scheduler;
}
