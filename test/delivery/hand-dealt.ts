/** Shard groups whose shares a test deals by hand, for stages that stand for processes. */
import { NO_SHARDS } from '../../src/delivery/work-share.ts';
import { asShard } from '../../src/model/stream.ts';
import type { ShardGroups, ShardShare } from '../../src/ports/shard-groups.ts';

export interface HandDealt {
  readonly groups: ShardGroups;
  /** The share of this process from now on, of every delivery. */
  deal(shards: 'all' | readonly number[]): void;
  /** Deliveries whose group was left. */
  readonly left: readonly string[];
}

export function handDealt(first: 'all' | readonly number[]): HandDealt {
  const watchers = new Set<() => void>();
  const left: string[] = [];
  let share = shareOf(first);
  return {
    left,
    deal(shards) {
      share = shareOf(shards);
      for (const changed of watchers) changed();
    },
    groups: {
      join(delivery) {
        let isIn = true;
        return {
          share: () => (isIn ? share : NO_SHARDS),
          watch(changed) {
            watchers.add(changed);
            return () => watchers.delete(changed);
          },
          async leave() {
            isIn = false;
            left.push(delivery);
          },
        };
      },
    },
  };
}

function shareOf(shards: 'all' | readonly number[]): ShardShare {
  return shards === 'all' ? shards : new Set(shards.map(asShard));
}
