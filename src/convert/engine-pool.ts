/**
 * The engines of a converter: at most so many processes, each used by one caller at a time, callers served in order. An engine
 * that died, grew over its bound or did its share of work is replaced the next time one is needed.
 */
import { join } from 'node:path';
import { LakewardError } from '../model/errors.ts';
import type { EngineProcess, EngineProcessOptions } from './engine-process.ts';
import { startEngine } from './engine-process.ts';

export interface EnginePool {
  open(): Promise<void>;
  /**
   * Runs `work` with a living engine of its own; of the idle ones, the one last used for the same home. Waiting ends with the signal's
   * reason when aborted.
   */
  use<T>(work: (engine: EngineProcess) => Promise<T>, call?: UseOptions): Promise<T>;
  /** Tells what an engine holds after a command; over the bound it is replaced. */
  report(engine: EngineProcess, rssBytes: number): void;
  close(): Promise<void>;
}

export interface UseOptions {
  readonly signal?: AbortSignal | undefined;
  readonly home?: string | undefined;
}

export interface EnginePoolOptions extends Omit<EngineProcessOptions, 'folder'> {
  readonly engines: number;
  readonly scratchFolder: string;
}

const COMMANDS_MAX = 500;
/** Memory an idle engine may keep, beyond its working memory. */
const RSS_SLACK_BYTES = 192 * 1024 * 1024;

interface Slot {
  readonly folder: string;
  engine: EngineProcess | undefined;
  commands: number;
  home: string | undefined;
}

interface Waiter {
  readonly take: (slot: Slot) => void;
  readonly refuse: (reason: unknown) => void;
}

export function enginePool({ engines, scratchFolder, ...options }: EnginePoolOptions): EnginePool {
  const slots = Array.from({ length: engines }, (_, i): Slot => {
    return { folder: join(scratchFolder, `engine-${i}`), engine: undefined, commands: 0, home: undefined };
  });
  const idle = [...slots];
  const waiters: Waiter[] = [];
  /** Uses that have begun; `close` waits for them, or an engine that still starts would outlive it and clear a later one's folder. */
  const underWay = new Set<Promise<void>>();
  let closed = false;

  async function engineOf(slot: Slot): Promise<EngineProcess> {
    if (slot.engine?.alive() !== true || slot.commands >= COMMANDS_MAX) {
      await slot.engine?.kill();
      slot.engine = await startEngine({ ...options, folder: slot.folder });
      slot.commands = 0;
    }
    slot.commands++;
    return slot.engine;
  }

  /** Of the idle slots the one at home there, then one without a home, then any. */
  function takeIdle(home: string | undefined): Slot | undefined {
    let at = idle.findLastIndex((slot) => slot.home === home);
    if (at === -1) at = idle.findLastIndex((slot) => slot.home === undefined);
    return idle.splice(at, 1)[0];
  }

  async function acquire({ signal, home }: UseOptions): Promise<Slot> {
    signal?.throwIfAborted();
    const free = takeIdle(home);
    if (free !== undefined) return free;
    const { promise, resolve, reject } = Promise.withResolvers<Slot>();
    const waiter = { take: resolve, refuse: reject };
    waiters.push(waiter);
    const abort = (): void => {
      const at = waiters.indexOf(waiter);
      if (at !== -1) waiters.splice(at, 1);
      reject(signal?.reason as Error);
    };
    signal?.addEventListener('abort', abort, { once: true });
    return await promise.finally(() => signal?.removeEventListener('abort', abort));
  }

  function release(slot: Slot): void {
    const next = waiters.shift();
    if (next === undefined) idle.push(slot);
    else next.take(slot);
  }

  async function use<T>(work: (engine: EngineProcess) => Promise<T>, call: UseOptions = {}): Promise<T> {
    const { promise, resolve } = Promise.withResolvers<void>();
    underWay.add(promise);
    try {
      return await useSlot(work, call);
    } finally {
      underWay.delete(promise);
      resolve();
    }
  }

  async function useSlot<T>(work: (engine: EngineProcess) => Promise<T>, call: UseOptions): Promise<T> {
    if (closed) throw closedError();
    const slot = await acquire(call);
    slot.home = call.home ?? slot.home;
    try {
      const engine = await engineOf(slot);
      // Closed while the engine started: nobody else would end it.
      if (closed) {
        await engine.kill();
        throw closedError();
      }
      return await work(engine);
    } finally {
      release(slot);
    }
  }

  async function close(): Promise<void> {
    closed = true;
    for (const waiter of waiters.splice(0)) waiter.refuse(closedError());
    await Promise.all(slots.map(async (slot) => await slot.engine?.kill()));
    await Promise.all(underWay);
  }

  return {
    open: async () => {
      await Promise.all(slots.map(() => use(() => Promise.resolve())));
    },
    use,
    report: (engine, rssBytes) => {
      const slot = slots.find((one) => one.engine === engine);
      if (slot !== undefined && rssBytes > options.memoryBytes + RSS_SLACK_BYTES) slot.commands = COMMANDS_MAX;
    },
    close,
  };
}

function closedError(): LakewardError {
  return new LakewardError('convert-failed', 'the converter is closed');
}
