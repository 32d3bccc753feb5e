/**
 * What of a delivery its worker lands at the moment: the shards dealt to this process, none once it retires. Shards that come from another
 * process are landed on from where that one got to, so the log is read on first; who is late all the same is superseded.
 */
import type { DeliverySpec } from '../model/delivery.ts';
import type { Positions } from '../model/stream.ts';
import type { CallOptions } from '../ports/call-options.ts';
import type { ShardMembership, ShardShare } from '../ports/shard-groups.ts';
import type { OpenLog } from './log-holder.ts';
import { landedPositions, newestOf } from './log-holder.ts';
import type { DeliveryRoom } from './room.ts';
import { NO_SHARDS, within, workShare } from './work-share.ts';

export interface DealtWork {
  share(): ShardShare;
  /** How far each shard of the share has landed, as far as this process knows. */
  positions(open: OpenLog): Positions;
  /** The same, read from the lake if there are shards it was not asked for the last time. */
  freshPositions(open: OpenLog, call: CallOptions): Promise<Positions>;
  /** Every shard of these positions is still of the share. */
  holds(positions: Positions): boolean;
  /** The share is empty from now on. Resolves when the worker has said that it stands still. */
  retire(): Promise<void>;
  standsStill(): void;
}

export function dealtWork(
  room: Pick<DeliveryRoom, 'catalog'>,
  spec: DeliverySpec,
  membership: Pick<ShardMembership, 'share'>,
): DealtWork {
  const still = Promise.withResolvers<void>();
  let retiring = false;
  let known: ShardShare | undefined;

  const share = (): ShardShare => (retiring ? NO_SHARDS : workShare(spec, membership.share()));
  const positions = ({ log, stream }: OpenLog): Positions =>
    within(landedPositions(log.view(), newestOf(room, stream)), share());

  return {
    share,
    positions,
    async freshPositions(open, call) {
      const before = known;
      known = share();
      if (isMore(known, before)) await open.log.refresh(call);
      return positions(open);
    },
    holds: (held) => within(held, share()).size === held.size,
    retire() {
      retiring = true;
      return still.promise;
    },
    standsStill: () => still.resolve(),
  };
}

/** One that lands all from the start has just opened the log. */
function isMore(share: ShardShare, before: ShardShare | undefined): boolean {
  if (share === 'all') return before !== undefined && before !== 'all';
  return before !== 'all' && [...share].some((shard) => before?.has(shard) !== true);
}
