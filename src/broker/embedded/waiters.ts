/**
 * Who waits for records of a stream. A commit wakes those whose condition it fulfils; nothing polls. A waiter leaves by being
 * woken, by time, by abort, or because the log closes; each way takes it out of the set.
 */
import type { Clock } from '../../ports/clock.ts';
import type { FrameFacts } from './frame.ts';

export interface Waiters {
  /** Resolves true when `arrived` said true for a commit's frames, false when `waitMs` passed; rejects on abort and on `fail`. */
  wait(options: WaitOptions): Promise<boolean>;
  /** New durable frames. */
  notify(frames: readonly FrameFacts[]): void;
  /** Ends every waiting, now and later, with this error. */
  fail(error: Error): void;
}

export interface WaitOptions {
  readonly waitMs: number;
  readonly signal: AbortSignal | undefined;
  readonly arrived: (frames: readonly FrameFacts[]) => boolean;
}

interface Waiter {
  readonly arrived: (frames: readonly FrameFacts[]) => boolean;
  readonly wake: () => void;
  readonly fail: (error: Error) => void;
}

export function createWaiters(clock: Clock): Waiters {
  const waiting = new Set<Waiter>();
  let failure: Error | undefined;

  async function wait({ waitMs, signal, arrived }: WaitOptions): Promise<boolean> {
    signal?.throwIfAborted();
    if (failure !== undefined) throw failure;
    const timer = new AbortController();
    const stop = (): void => timer.abort(signal?.reason);
    signal?.addEventListener('abort', stop);
    let waiter: Waiter | undefined;
    const woken = new Promise<boolean>((resolve, reject) => {
      waiter = { arrived, wake: () => resolve(true), fail: reject };
      waiting.add(waiter);
    });
    try {
      return await Promise.race([woken, clock.sleep(waitMs, timer.signal).then(() => false)]);
    } finally {
      if (waiter !== undefined) waiting.delete(waiter);
      signal?.removeEventListener('abort', stop);
      timer.abort();
    }
  }

  return {
    wait,
    notify: (frames) => {
      for (const waiter of waiting) if (waiter.arrived(frames)) waiter.wake();
    },
    fail: (error) => {
      failure ??= error;
      for (const waiter of waiting) waiter.fail(error);
    },
  };
}
