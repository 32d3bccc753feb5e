/** What the lake of a configuration can do for deliveries, known before anything is opened. */
import type { Config } from '../config/load.ts';
import type { LakeOffers } from '../model/object-settings.ts';

export function offersOf({ lake, lakeKeys }: Pick<Config, 'lake' | 'lakeKeys'>): LakeOffers {
  return {
    kind: 's3' in lake ? 's3' : 'folder',
    keys: lakeKeys.map(({ id, from }) => ({ id, raw: !('command' in from) })),
  };
}
