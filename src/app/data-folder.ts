/**
 * What lies where in a data folder: `lock`, `lakes.json`, `catalog/` (the catalog's log), `streams/` (the log of the streams), `scratch/` (nothing
 * in it is needed after a restart), and by default `lake/`.
 */
import { join } from 'node:path';

export interface DataFolder {
  readonly streams: string;
  readonly lakes: string;
  readonly scratch: { readonly engines: string; readonly landings: string; readonly probes: string };
}

export function dataFolder(folder: string): DataFolder {
  const scratch = (name: string): string => join(folder, 'scratch', name);
  return {
    streams: join(folder, 'streams'),
    lakes: join(folder, 'lakes.json'),
    scratch: { engines: scratch('engines'), landings: scratch('landings'), probes: scratch('probes') },
  };
}
