/**
 * Where the catalog lies: in the data folder of a process that is alone, or in the lake, shared by every process on it. A shared one
 * cannot be done without: streams are unknown until it is read, so a start waits for the lake a while, and then fails.
 */
import { createCatalog } from '../catalog/catalog.ts';
import type { Config } from '../config/load.ts';
import { checkLake } from '../landing/lake-identity.ts';
import { openFileStore } from '../lake/file/file-store.ts';
import { isLakewardError } from '../model/errors.ts';
import { SYSTEM_FOLDER } from '../model/lake-path.ts';
import type { Catalog } from '../ports/catalog.ts';
import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/telemetry.ts';
import type { LateLake } from './late-lake.ts';

/** How long a start waits for a lake that holds the catalog, and how often it asks. */
const LAKE_WAIT_MS = 60_000;
const LAKE_PAUSE_MS = 1_000;

export interface CatalogRoom {
  readonly config: Config;
  readonly lake: LateLake;
  readonly clock: Clock;
  readonly log: Log;
}

/** Whether other processes share streams, catalog and lake with this one. */
export function isShared({ catalog }: Pick<Config, 'catalog'>): boolean {
  return catalog.place === 'lake';
}

/** Throws `lake-unavailable` when a lake that holds the catalog stays away, and `incarnation-mismatch` when it is another. */
export async function openCatalog({ config, lake, clock, log }: CatalogRoom): Promise<Catalog> {
  if (!isShared(config)) {
    const catalog = createCatalog({
      store: await openFileStore({ folder: config.data.folder, clock }),
      clock,
      alone: true,
    });
    await catalog.open();
    return catalog;
  }
  const catalog = createCatalog({ store: lake.lake, folder: `${SYSTEM_FOLDER}/catalog`, clock });
  const startedMs = clock.monotonicMs();
  for (;;) {
    try {
      // An emptied lake would look like a catalog without streams.
      await checkLake(lake.lake, await lake.lakeId());
      await catalog.open();
      return catalog;
    } catch (error) {
      if (!isLakewardError(error, 'lake-unavailable') || clock.monotonicMs() - startedMs > LAKE_WAIT_MS) throw error;
      log.warn('the lake holds the catalog and is away, waiting for it', { reason: error.message });
    }
    await clock.sleep(LAKE_PAUSE_MS);
  }
}
