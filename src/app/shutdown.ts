/**
 * The order of closing, written once: the reverse of opening. Every step runs, also when an earlier one failed; each is logged with its
 * duration; the first failure is thrown at the end. One time is for all of it: a step that waits for somebody who does not answer (Kafka,
 * Redis, a lake that froze) is given up when that is over, as a process that is killed would give it up. Used for the end of a server and
 * for a start that failed half way.
 */
import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/telemetry.ts';

/** What is left of the time for the whole stop, ms, less what is to be kept for the steps after this one. */
export type TimeLeft = (keptMs?: number) => number;

export interface Shutdown {
  /** Remembers how to close what was just opened. */
  opened(name: string, close: (left: TimeLeft) => Promise<void>): void;
  /** The same for what waits for nobody but this machine, and must be over before the next is closed: it is never given up. */
  openedHere(name: string, close: () => Promise<void>): void;
  /** Closes the newest first. Asked again, gives the same end. */
  close(reason: string): Promise<void>;
}

export interface ShutdownOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** For all steps together. */
  readonly withinMs: number;
}

/** A step that has not begun when the time is over still has so long: most need no more. */
const LAST_MS = 50;

interface Step {
  readonly name: string;
  readonly close: (left: TimeLeft) => Promise<void>;
  readonly isHere: boolean;
}

export function createShutdown({ clock, log, withinMs }: ShutdownOptions): Shutdown {
  const steps: Step[] = [];
  let closing: Promise<void> | undefined;

  async function closeStep({ name, close, isHere }: Step, left: TimeLeft): Promise<void> {
    const startedMs = clock.monotonicMs();
    const closed = close(left);
    if (isHere) await closed;
    else {
      const timer = new AbortController();
      const late = clock.sleep(Math.max(left(), LAST_MS), timer.signal).then(
        () => 'late' as const,
        () => undefined,
      );
      try {
        if ((await Promise.race([closed, late])) === 'late') {
          closed.catch(() => undefined);
          log.warn('closing takes too long, it is left as it is', { step: name });
          return;
        }
      } finally {
        timer.abort();
      }
    }
    log.debug('closed', { step: name, durationMs: Math.round(clock.monotonicMs() - startedMs) });
  }

  async function closeAll(reason: string): Promise<void> {
    log.info('stopping', { reason });
    const untilMs = clock.monotonicMs() + withinMs;
    const left: TimeLeft = (keptMs = 0) => Math.max(0, untilMs - keptMs - clock.monotonicMs());
    const failures: unknown[] = [];
    for (let step = steps.pop(); step !== undefined; step = steps.pop()) {
      try {
        await closeStep(step, left);
      } catch (error) {
        log.error('closing failed', { step: step.name, error });
        failures.push(error);
      }
    }
    log.info('stopped', { reason });
    if (failures.length > 0) throw failures[0];
  }

  return {
    opened: (name, close) => void steps.push({ name, close, isHere: false }),
    openedHere: (name, close) => void steps.push({ name, close, isHere: true }),
    close: (reason) => (closing ??= closeAll(reason)),
  };
}
