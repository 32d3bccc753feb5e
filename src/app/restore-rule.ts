/**
 * Which deleted files may come back: what a landing log names as live, its own files, and files that are no delivery's. A file that a log
 * let go (compacted, replayed, repaired) would double its rows, a stage would be nobody's.
 */
import type { DeliverySpec } from '../model/delivery.ts';
import type { LakePath } from '../model/lake-path.ts';
import { REJECTED_FOLDER, SYSTEM_FOLDER } from '../model/lake-path.ts';
import type { Deliveries } from '../ports/deliveries.ts';

export interface RestoreGround {
  readonly specs: readonly DeliverySpec[];
  readonly deliveries: Pick<Deliveries, 'files'>;
}

/** Why the file stays deleted; undefined when it may come back. Throws what the delivery's log throws when it cannot be read. */
export async function whyNot(path: LakePath, { specs, deliveries }: RestoreGround): Promise<string | undefined> {
  if (path.startsWith(`${SYSTEM_FOLDER}/`)) {
    return /^_lakeward\/(probe\/|[^/]+\/[^/]+\/staged\/)/.test(path) ? 'it was for the moment only' : undefined;
  }
  if (path.startsWith(`${REJECTED_FOLDER}/`)) {
    return 'a replay may have taken its rows; bring it back by its version in the bucket when none has';
  }
  const owner = specs.find(({ prefix }) => path.startsWith(`${prefix}/`));
  if (owner === undefined) return undefined;
  const { items } = await deliveries.files(owner.name, { prefix: path, limit: 1 });
  return items[0]?.path === path ? undefined : `the landing log of '${owner.name}' does not name it (any more)`;
}
