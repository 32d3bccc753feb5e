/**
 * The order of closing, written once: the reverse of opening. Every step runs, also when an earlier one failed; each is logged with its
 * duration; the first failure is thrown at the end. Used for the end of a server and for a start that failed half way.
 */
import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/telemetry.ts';

export interface Shutdown {
  /** Remembers how to close what was just opened. */
  opened(name: string, close: () => Promise<void>): void;
  /** Closes the newest first. Asked again, gives the same end. */
  close(reason: string): Promise<void>;
}

export function createShutdown({ clock, log }: { clock: Clock; log: Log }): Shutdown {
  const steps: { readonly name: string; readonly close: () => Promise<void> }[] = [];
  let closing: Promise<void> | undefined;

  async function closeAll(reason: string): Promise<void> {
    log.info('stopping', { reason });
    const failures: unknown[] = [];
    for (let step = steps.pop(); step !== undefined; step = steps.pop()) {
      const startedMs = clock.monotonicMs();
      try {
        await step.close();
        log.debug('closed', { step: step.name, durationMs: Math.round(clock.monotonicMs() - startedMs) });
      } catch (error) {
        log.error('closing failed', { step: step.name, error });
        failures.push(error);
      }
    }
    log.info('stopped', { reason });
    if (failures.length > 0) throw failures[0];
  }

  return {
    opened: (name, close) => void steps.push({ name, close }),
    close: (reason) => (closing ??= closeAll(reason)),
  };
}
