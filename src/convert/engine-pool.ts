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
  /** Runs `work` with a living engine of its own. Waiting ends with the signal's reason when aborted. */
  use<T>(work: (engine: EngineProcess) => Promise<T>, signal: AbortSignal | undefined): Promise<T>;
  /** Tells what an engine holds after a command; over the bound it is replaced. */
  report(engine: EngineProcess, rssBytes: number): void;
  close(): Promise<void>;
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
}

interface Waiter {
  readonly take: (slot: Slot) => void;
  readonly refuse: (reason: unknown) => void;
}

export function enginePool({ engines, scratchFolder, ...options }: EnginePoolOptions): EnginePool {
  const slots = Array.from({ length: engines }, (_, i): Slot => {
    return { folder: join(scratchFolder, `engine-${i}`), engine: undefined, commands: 0 };
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

  async function acquire(signal: AbortSignal | undefined): Promise<Slot> {
    signal?.throwIfAborted();
    const free = idle.pop();
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

  async function use<T>(work: (engine: EngineProcess) => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    const { promise, resolve } = Promise.withResolvers<void>();
    underWay.add(promise);
    try {
      return await useSlot(work, signal);
    } finally {
      underWay.delete(promise);
      resolve();
    }
  }

  async function useSlot<T>(work: (engine: EngineProcess) => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    if (closed) throw closedError();
    const slot = await acquire(signal);
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
      await Promise.all(slots.map(() => use(() => Promise.resolve(), undefined)));
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
