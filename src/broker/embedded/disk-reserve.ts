/**
 * Holds back the last bytes of the disk, so that retention, recovery and an operator's shell still work when it fills. Asks the
 * disk now and then while appends come, without making them wait; once the reserve is reached each append asks again (not
 * more often than `RETRY_MS`), so writing heals by itself.
 */
import { LakewardError } from '../../model/errors.ts';
import type { Clock } from '../../ports/clock.ts';
import type { FileSystem } from './file-system.ts';

const CHECK_MS = 1000;
const RETRY_MS = 100;

export interface DiskReserve {
  /** Undefined to go on at once; else resolves when there is space, or throws `disk-full`. */
  admit(): Promise<void> | undefined;
  /** Asks the disk. */
  check(): Promise<void>;
  /** A write met a full disk. */
  found(): void;
}

export interface DiskReserveOptions {
  readonly files: FileSystem;
  readonly folder: string;
  readonly clock: Clock;
  readonly reserveBytes: number;
}

export function createDiskReserve({ files, folder, clock, reserveBytes }: DiskReserveOptions): DiskReserve {
  let full = false;
  let checkedMs = -Infinity;
  let checking: Promise<void> | undefined;

  async function check(): Promise<void> {
    try {
      full = (await files.freeBytes(folder)) < reserveBytes;
    } catch {
      // A disk that does not say its free space is believed until a write fails.
      full = false;
    } finally {
      checkedMs = clock.monotonicMs();
      checking = undefined;
    }
  }

  async function recheck(): Promise<void> {
    if (clock.monotonicMs() - checkedMs >= RETRY_MS) await (checking ??= check());
    if (full) {
      throw new LakewardError('disk-full', `less than ${reserveBytes} bytes are free under ${folder}; free some space`);
    }
  }

  return {
    admit: () => {
      if (full) return recheck();
      if (checking === undefined && clock.monotonicMs() - checkedMs >= CHECK_MS) checking = check();
      return undefined;
    },
    check: () => (checking ??= check()),
    found: () => {
      full = true;
      checkedMs = clock.monotonicMs();
    },
  };
}
