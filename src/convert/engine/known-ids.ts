/**
 * The event ids an engine remembers between conversions, a table a delivery, filled from the files a job names: files that came are
 * read, files that left in front are read once more to forget theirs, and any other difference begins anew. A table always holds
 * what its files say and nothing of a conversion that may not have landed.
 */
import { join } from 'node:path';
import { LIMITS } from '../../model/limits.ts';
import type { ConvertDedupe } from '../../ports/converter.ts';
import { eachKey } from './key-file.ts';
import type { KeyTable } from './key-table.ts';
import { keyTable } from './key-table.ts';

export interface KnownIds {
  /** The ids of exactly the job's files. Throws `KeyFileError`; the delivery's ids are read anew by the next call then. */
  of(job: ConvertDedupe): KeyTable;
  readonly bytes: () => number;
}

interface Known {
  /** Names of the files, oldest first. */
  readonly files: readonly string[];
  readonly table: KeyTable;
}

/** `alive` is called before each file is read. */
export function knownIds(alive: () => void, keysMax: number = LIMITS.dedupeKeysMax): KnownIds {
  /** The delivery used last is the last. */
  const deliveries = new Map<string, Known>();

  function of(job: ConvertDedupe): KeyTable {
    const known = deliveries.get(job.delivery);
    deliveries.delete(job.delivery);
    makeRoom(job.keys);
    const table = (known === undefined ? undefined : followed(known, job)) ?? readAll(job);
    deliveries.set(job.delivery, { files: job.files, table });
    return table;
  }

  function makeRoom(keys: number): void {
    let together = keys;
    for (const { table } of deliveries.values()) together += table.size();
    for (const [delivery, { table }] of deliveries) {
      if (together <= keysMax) return;
      together -= table.size();
      deliveries.delete(delivery);
    }
  }

  /** The table brought up to the job's files; undefined when they do not continue those it holds. */
  function followed({ files, table }: Known, job: ConvertDedupe): KeyTable | undefined {
    const [first] = job.files;
    const gone = first === undefined ? files.length : files.indexOf(first);
    // To read most of the files again is more work than to begin anew.
    if (gone === -1 || gone > files.length / 2) return undefined;
    const kept = files.length - gone;
    if (job.files.length < kept || files.slice(gone).some((name, i) => job.files[i] !== name)) return undefined;
    for (const name of files.slice(0, gone)) {
      alive();
      eachKey(join(job.folder, name), (key, second) => table.forget(key, second));
    }
    readInto(table, job, job.files.slice(kept));
    return table;
  }

  function readAll(job: ConvertDedupe): KeyTable {
    const table = keyTable();
    table.reserve(job.keys);
    readInto(table, job, job.files);
    return table;
  }

  function readInto(table: KeyTable, { folder, keys }: ConvertDedupe, names: readonly string[]): void {
    if (names.length > 0) table.reserve(Math.max(0, keys - table.size()));
    for (const name of names) {
      alive();
      eachKey(join(folder, name), (key, second) => table.set(key, second));
    }
  }

  return {
    of,
    bytes: () => [...deliveries.values()].reduce((sum, { table }) => sum + table.bytes(), 0),
  };
}
