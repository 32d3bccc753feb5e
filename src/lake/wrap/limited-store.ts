/**
 * A bound on calls under way, of all stores that share it together and of each prefix by itself, so that a delivery with thousands of
 * files cannot hold up the commits of the others. Who waits is served in order among those whose prefix has room.
 */
import { REJECTED_FOLDER, SYSTEM_FOLDER } from '../../model/lake-path.ts';
import type { LakeStore } from '../../ports/lake-store.ts';

export interface CallLimitOptions {
  readonly total: number;
  readonly perPrefix: number;
}

export interface CallLimit {
  /** Runs the call when there is room. An abort while waiting rejects with the signal's reason. */
  run<T>(path: string, call: () => Promise<T>, signal?: AbortSignal): Promise<T>;
}

interface Waiting {
  readonly prefix: string;
  readonly start: () => void;
}

export function callLimit({ total, perPrefix }: CallLimitOptions): CallLimit {
  const running = new Map<string, number>();
  const queue: Waiting[] = [];
  let all = 0;

  const hasRoom = (prefix: string): boolean => all < total && (running.get(prefix) ?? 0) < perPrefix;

  function enter(prefix: string): void {
    all += 1;
    running.set(prefix, (running.get(prefix) ?? 0) + 1);
  }

  function leave(prefix: string): void {
    all -= 1;
    const rest = (running.get(prefix) ?? 1) - 1;
    if (rest === 0) running.delete(prefix);
    else running.set(prefix, rest);
    const at = queue.findIndex((waiting) => hasRoom(waiting.prefix));
    if (at === -1) return;
    const [next] = queue.splice(at, 1);
    if (next === undefined) return;
    enter(next.prefix);
    next.start();
  }

  function turn(prefix: string, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const giveUp = (): void => {
        queue.splice(queue.indexOf(waiting), 1);
        reject(signal?.reason as Error);
      };
      const waiting: Waiting = {
        prefix,
        start: () => {
          signal?.removeEventListener('abort', giveUp);
          resolve();
        },
      };
      signal?.addEventListener('abort', giveUp, { once: true });
      queue.push(waiting);
    });
  }

  return {
    async run(path, call, signal) {
      signal?.throwIfAborted();
      const prefix = prefixOf(path);
      if (hasRoom(prefix)) enter(prefix);
      else await turn(prefix, signal);
      try {
        return await call();
      } finally {
        leave(prefix);
      }
    },
  };
}

/** The folder of a delivery: its files, its log, or its rejected rows. */
function prefixOf(path: string): string {
  const [first = '', second = ''] = path.split('/', 2);
  return first === SYSTEM_FOLDER || first === REJECTED_FOLDER ? `${first}/${second}` : first;
}

export function limitedStore(inner: LakeStore, limit: CallLimit): LakeStore {
  return {
    create: (path, bytes, options) => limit.run(path, () => inner.create(path, bytes, options), options?.signal),
    overwrite: (path, bytes, options) => limit.run(path, () => inner.overwrite(path, bytes, options), options?.signal),
    read: (path, options) => limit.run(path, () => inner.read(path, options), options?.signal),
    list: (prefix, options) => limit.run(prefix, () => inner.list(prefix, options), options?.signal),
    remove: (path, options) => limit.run(path, () => inner.remove(path, options), options?.signal),
    stage: (file, options) => limit.run(file.staged, () => inner.stage(file, options), options?.signal),
    publish: (handle, options) => limit.run(handle.final, () => inner.publish(handle, options), options?.signal),
    discard: (handle, options) => limit.run(handle.staged, () => inner.discard(handle, options), options?.signal),
  };
}
