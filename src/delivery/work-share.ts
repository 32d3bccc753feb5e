/**
 * From the share of a delivery's shards that this process was dealt to the shards its worker lands. Pure. A delivery whose landings are
 * compared with one another (duplicates, a budget of rejects, the first bad row) is worked on by one member as a whole, the one that
 * holds the stream's first shard: landings side by side would only supersede each other, or each keep within the budget alone.
 */
import type { DeliverySpec } from '../model/delivery.ts';
import type { Positions, ShardIndex, StreamDocument } from '../model/stream.ts';
import { asShard } from '../model/stream.ts';
import type { ShardGroups, ShardShare } from '../ports/shard-groups.ts';

export const NO_SHARDS: ShardShare = new Set<ShardIndex>();

/** For a process whose streams nobody else lands. */
export const alone: ShardGroups = {
  join() {
    let left = false;
    return {
      share: () => (left ? NO_SHARDS : 'all'),
      watch: () => () => undefined,
      async leave() {
        left = true;
      },
    };
  },
};

export function isWhole({ dedupe, rejects }: Pick<DeliverySpec, 'dedupe' | 'rejects'>): boolean {
  return dedupe !== undefined || rejects?.mode === 'suspend' || rejects?.budget !== undefined;
}

/** What of the share is worked on. */
export function workShare(spec: Pick<DeliverySpec, 'dedupe' | 'rejects'>, dealt: ShardShare): ShardShare {
  if (dealt === 'all' || !isWhole(spec)) return dealt;
  return dealt.has(asShard(0)) ? 'all' : NO_SHARDS;
}

/** The positions of the share's shards. */
export function within(positions: Positions, share: ShardShare): Positions {
  return share === 'all' ? positions : new Map([...positions].filter(([shard]) => share.has(shard)));
}

/** Whether other processes work on shards of the stream. */
export function isShared(share: ShardShare, { shards }: Pick<StreamDocument, 'shards'>): boolean {
  return share !== 'all' && shards.some(({ index }) => !share.has(asShard(index)));
}
