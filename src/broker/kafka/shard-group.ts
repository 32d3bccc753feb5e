/**
 * Shares the shards of a delivery through Kafka's consumer group protocol: who is a member, and who works on which partition, is the
 * group's to say. Nothing is read or committed through the group. A member that loses its group goes on with the share it has and joins
 * again; the landing log is the fence, never the group.
 *
 *   joining ──dealt──► member ──dealt anew (others came, went, were silent; partitions were added)──► member
 *      ▲                  │
 *      └──── pause ◄──────┴── the group is away, or does not know this member any more
 */
import { Consumer } from '@platformatic/kafka';
import { asShard, type ShardIndex } from '../../model/stream.ts';
import type { Clock } from '../../ports/clock.ts';
import type { ShardGroups, ShardMembership, ShardShare } from '../../ports/shard-groups.ts';
import type { Log, Telemetry } from '../../ports/telemetry.ts';
import { everyConnection } from './every-connection.ts';
import { connectionOptions, type KafkaOptions } from './kafka-client.ts';

export interface ShardGroupOptions extends KafkaOptions {
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  /** A member that was silent for this long is taken for dead. Kafka refuses less than 6 s by default. */
  readonly sessionMs?: number;
}

const SESSION_MS = 10_000;
/** How soon a member sees that the shards are dealt anew. */
const HEARTBEAT_MS = 1_000;
/** How long the others are waited for when shards are dealt. */
const REBALANCE_MS = 10_000;
const PROTOCOL = { name: 'roundrobin', version: 1 };
/** How often a member looks whether it still is one, and whether there are more partitions. */
const LOOK_MS = 3_000;
/** Without a share for so long, a member works on all shards. */
const UNDEALT_MS = 30_000;
const LEAVE_MS = 2_000;
const NONE: ShardShare = new Set<ShardIndex>();

export function kafkaShardGroups(options: ShardGroupOptions): ShardGroups {
  return {
    join(delivery, { id, topic }) {
      // A stream that is not on Kafka is in this process alone.
      if (topic === undefined)
        return { share: () => 'all', watch: () => () => undefined, leave: async () => undefined };
      const log = options.telemetry.log.child({ delivery });
      return member({ options, log, group: `lakeward-${id}-${delivery}`, topic: topic.name });
    },
  };
}

interface MemberOf {
  readonly options: ShardGroupOptions;
  readonly log: Log;
  readonly group: string;
  readonly topic: string;
}

function member(of: MemberOf): ShardMembership {
  const { clock } = of.options;
  const leaving = new AbortController();
  const watchers = new Set<() => void>();
  let share: ShardShare = NONE;
  let left: Promise<void> | undefined;

  function deal(dealt: ShardShare, why: string): void {
    if (leaving.signal.aborted || isSame(share, dealt)) return;
    share = dealt;
    of.log.info('shards were dealt', { shards: dealt === 'all' ? 'all' : [...dealt].toSorted((a, b) => a - b), why });
    for (const changed of watchers) changed();
  }

  async function takeAllWhenUndealt(): Promise<void> {
    await clock.sleep(UNDEALT_MS, leaving.signal);
    if (share === NONE) deal('all', 'the group has not dealt any');
  }

  const consumer = consumerOf(of, (partitions) => deal(new Set(partitions.map(asShard)), 'by the group'));
  const every = everyConnection(consumer);
  // Both end by the throw of an aborted sleep.
  const running = Promise.allSettled([stayMember(of, consumer, leaving.signal), takeAllWhenUndealt()]);

  async function leaveGroup(): Promise<void> {
    leaving.abort(new Error('leaving the group'));
    share = NONE;
    const timer = new AbortController();
    // A group that does not answer finds out by itself.
    await Promise.race([
      Promise.allSettled([consumer.close(true), running]),
      clock.sleep(LEAVE_MS, timer.signal).catch(() => undefined),
    ]);
    timer.abort();
    every.end();
    for (const changed of watchers) changed();
  }

  return {
    share: () => share,
    watch(changed) {
      watchers.add(changed);
      return () => watchers.delete(changed);
    },
    leave: () => (left ??= leaveGroup()),
  };
}

function consumerOf(
  { options, log, group, topic }: MemberOf,
  dealt: (partitions: readonly number[]) => void,
): Consumer {
  const consumer = new Consumer({
    ...connectionOptions(options),
    // The answer to a join comes when all have joined.
    requestTimeout: 2 * REBALANCE_MS,
    groupId: group,
    sessionTimeout: options.sessionMs ?? SESSION_MS,
    rebalanceTimeout: REBALANCE_MS,
    heartbeatInterval: HEARTBEAT_MS,
    // Dealt in one round, all shards to who is there: the client's dealing in two rounds (cooperative-sticky) has left shards to nobody when
    // a member joined between them. That shards move more often costs a second reading; the landing log keeps two members apart.
    protocols: [PROTOCOL],
  });
  consumer.topics.track(topic);
  const tell = (): void => {
    // Nothing is assigned to a member the group has forgotten, which goes on with what it had until it is dealt anew.
    if (consumer.assignments === null || consumer.memberId === null) return;
    dealt(consumer.assignments.flatMap((one) => (one.topic === topic ? one.partitions : [])));
  };
  consumer.on('consumer:group:join', tell);
  consumer.on('consumer:group:rebalance', tell);
  consumer.on('error', (error: Error) => log.debug('the group of workers answers with an error', { error }));
  return consumer;
}

/** Joins, and again whenever the membership is gone or partitions were added. Ends by the throw of an aborted sleep. */
async function stayMember({ options, log, topic }: MemberOf, consumer: Consumer, leaving: AbortSignal): Promise<never> {
  const { clock } = options;
  let partitions = 0;
  let isAway = false;
  for (;;) {
    try {
      const cluster = await consumer.metadata({ topics: [topic], forceUpdate: true });
      const count = cluster.topics.get(topic)?.partitionsCount ?? partitions;
      if (!consumer.isActive() || (partitions !== 0 && count > partitions)) await consumer.joinGroup();
      partitions = count;
      if (isAway) log.info('the group of workers is back');
      isAway = false;
    } catch (error) {
      leaving.throwIfAborted();
      if (!isAway) log.warn('the group of workers is away, this one goes on with the shards it has', { error });
      isAway = true;
    }
    await clock.sleep(LOOK_MS * (0.5 + clock.random()), leaving);
  }
}

function isSame(a: ShardShare, b: ShardShare): boolean {
  if (a === 'all' || b === 'all') return a === b;
  return a !== NONE && a.size === b.size && [...a].every((shard) => b.has(shard));
}
