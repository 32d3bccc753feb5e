/**
 * Which shards of a delivery this process works on, when several processes share them. Advice for thrift, not a lock: two processes may
 * hold one shard for a while (a hand-over, a process that slept), and the landing log decides which of their landings counts.
 */
import type { ShardIndex, StreamDocument } from '../model/stream.ts';

/** `all`: this process works on every shard there is and will be, alone. */
export type ShardShare = 'all' | ReadonlySet<ShardIndex>;

export interface ShardMembership {
  /** The share now, at once; another object after every change. Empty until the group has given one. */
  share(): ShardShare;
  /** Calls back after every change. Gives the way to stop it. */
  watch(changed: () => void): () => void;
  /** Gives the shards to the others at once, as far as they can be told within seconds. Never throws. Idempotent; the share is empty then. */
  leave(): Promise<void>;
}

export interface ShardGroups {
  /**
   * Joins the workers of a delivery; at once, the share comes when the group has dealt. Every shard is in the share of some member,
   * also one that is added to the stream later. A member that cannot reach its group keeps the share it has; one that never had one
   * works on all shards after a while: records are not left lying because nobody deals them.
   */
  join(delivery: string, stream: Pick<StreamDocument, 'id' | 'topic'>): ShardMembership;
}
