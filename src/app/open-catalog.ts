/**
 * Where the catalog lies: in the data folder of a process that is alone, or in the lake, shared by every process on it. A shared one
 * cannot be done without: streams are unknown until it is read, so a start waits for the lake.
 */
import { createCatalog } from '../catalog/catalog.ts';
import type { Config } from '../config/load.ts';
import { checkLake } from '../landing/lake-identity.ts';
import { openFileStore } from '../lake/file/file-store.ts';
import { SYSTEM_FOLDER } from '../model/lake-path.ts';
import type { Catalog } from '../ports/catalog.ts';
import type { Clock } from '../ports/clock.ts';
import type { LateLake } from './late-lake.ts';
import type { WhenThere } from './start-patience.ts';

export interface CatalogRoom {
  readonly config: Config;
  readonly lake: LateLake;
  readonly clock: Clock;
  readonly whenThere: WhenThere;
}

/** Whether other processes share streams, catalog and lake with this one. */
export function isShared({ catalog }: Pick<Config, 'catalog'>): boolean {
  return catalog.place === 'lake';
}

/** Waits for a lake that holds the catalog. Throws `incarnation-mismatch` when it is another. */
export async function openCatalog({ config, lake, clock, whenThere }: CatalogRoom): Promise<Catalog> {
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
  await whenThere({
    name: 'lake',
    isAway: ({ code }) => code === 'lake-unavailable',
    async attempt() {
      // An emptied lake would look like a catalog without streams.
      await checkLake(lake.lake, await lake.lakeId());
      await catalog.open();
    },
  });
  return catalog;
}
