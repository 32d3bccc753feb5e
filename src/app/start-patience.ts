/**
 * Waits for what a start cannot do without (Kafka, a lake that holds the catalog) until it answers or the server is told to stop: whoever
 * starts everything at once need not mind the order. Meanwhile the port says that the process is alive and not ready, and why.
 */
import type { Config } from '../config/load.ts';
import { openWaitingDoor, type WaitingDoor } from '../ingest/waiting-door.ts';
import type { LakewardError } from '../model/errors.ts';
import { isLakewardError } from '../model/errors.ts';
import { unlessAborted } from '../model/waiting.ts';
import type { Clock } from '../ports/clock.ts';
import type { Telemetry } from '../ports/telemetry.ts';

export interface Needed<T> {
  /** As people call it. */
  readonly name: 'kafka' | 'lake';
  /** May be called again after it failed. */
  readonly attempt: () => Promise<T>;
  /** Whether waiting may help. */
  readonly isAway: (error: LakewardError) => boolean;
}

/** Throws what the attempt throws when waiting does not help, and the signal's reason. */
export type WhenThere = <T>(needed: Needed<T>) => Promise<T>;

export interface PatienceOptions {
  readonly config: Pick<Config, 'server'>;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly signal: AbortSignal | undefined;
}

const PAUSE_MS = 1_000;

export function startPatience({ config, clock, telemetry, signal }: PatienceOptions): WhenThere {
  const waiting = telemetry.gauge({
    name: 'lakeward_app_waiting',
    help: '1 while the start waits for this to answer, else 0.',
    labels: ['for'],
  });

  return async ({ name, attempt, isAway }) => {
    let door: WaitingDoor | undefined;
    let reason: LakewardError;
    try {
      for (;;) {
        try {
          return await unlessAborted(attempt(), signal);
        } catch (error) {
          signal?.throwIfAborted();
          if (!isLakewardError(error) || !isAway(error)) throw error;
          reason = error;
        }
        if (door === undefined) {
          waiting.set(1, { for: name });
          door = await openWaitingDoor({ server: config.server, clock, telemetry, reason: () => reason });
          telemetry.log.warn('the start waits for what does not answer', {
            for: name,
            url: door.url,
            reason: reason.message,
          });
        }
        await clock.sleep(PAUSE_MS, signal);
      }
    } finally {
      waiting.set(0, { for: name });
      await door?.close();
    }
  };
}
