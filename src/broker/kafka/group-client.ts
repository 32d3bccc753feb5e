/**
 * One client in a consumer group: joins, looks after its membership, and says when it was last heard. Who was silent for long is replaced by
 * another, made anew: what became of the first is not asked. Invariant: one that was ended is no member any more and cannot become one again,
 * whatever Kafka answers later: its pool takes no connection and those it ever made are gone.
 */
import { Consumer } from '@platformatic/kafka';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/telemetry.ts';
import { atMost } from '../../model/waiting.ts';
import { everyConnection } from './every-connection.ts';
import { connectionOptions, type KafkaOptions } from './kafka-client.ts';

export interface GroupClientOptions {
  readonly kafka: KafkaOptions;
  readonly clock: Clock;
  readonly log: Log;
  readonly group: string;
  readonly topic: string;
  readonly sessionMs: number;
  /** What the group gives to this member, at every dealing. */
  readonly dealt: (partitions: readonly number[]) => void;
}

export interface GroupClient {
  /** Joins when it is no member, and anew when there are more partitions. Throws while the group is away; may never resolve. */
  look(): Promise<void>;
  /** Whether the group has answered a heartbeat or a joining since this was asked last. */
  wasHeard(): boolean;
  /** Leaves if it can tell the group at once. Never throws. */
  end(): Promise<void>;
}

/** How soon a member sees that the shards are dealt anew. */
const HEARTBEAT_MS = 1_000;
/** How long the others are waited for when shards are dealt. */
export const REBALANCE_MS = 10_000;
const LEAVE_MS = 2_000;
const PROTOCOL = { name: 'roundrobin', version: 1 };

export function groupClient({ kafka, clock, log, group, topic, sessionMs, dealt }: GroupClientOptions): GroupClient {
  const consumer = new Consumer({
    ...connectionOptions(kafka),
    // The answer to a join comes when all have joined.
    requestTimeout: 2 * REBALANCE_MS,
    groupId: group,
    sessionTimeout: sessionMs,
    rebalanceTimeout: REBALANCE_MS,
    heartbeatInterval: HEARTBEAT_MS,
    // Dealt in one round, all shards to who is there: the client's dealing in two rounds (cooperative-sticky) has left shards to nobody when
    // a member joined between them. That shards move more often costs a second reading; the landing log keeps two members apart.
    protocols: [PROTOCOL],
  });
  const every = everyConnection(consumer);
  let partitions = 0;
  let heard = false;
  let ended = false;

  function tell(): void {
    // Nothing is assigned to a member the group has forgotten, which goes on with what it had until it is dealt anew.
    if (ended || consumer.assignments === null || consumer.memberId === null) return;
    dealt(consumer.assignments.flatMap((one) => (one.topic === topic ? one.partitions : [])));
  }

  consumer.topics.track(topic);
  consumer.on('consumer:heartbeat:end', () => (heard = true));
  consumer.on('consumer:group:join', () => {
    heard = true;
    tell();
  });
  consumer.on('consumer:group:rebalance', tell);
  consumer.on('error', (error: Error) => log.debug('the group of workers answers with an error', { error }));

  return {
    async look() {
      const cluster = await consumer.metadata({ topics: [topic], forceUpdate: true });
      const count = cluster.topics.get(topic)?.partitionsCount ?? partitions;
      if (!consumer.isActive() || (partitions !== 0 && count > partitions)) await consumer.joinGroup();
      partitions = count;
    },
    wasHeard() {
      const was = heard;
      heard = false;
      return was;
    },
    async end() {
      ended = true;
      // A group that does not answer finds out by itself.
      await atMost(clock, LEAVE_MS, consumer.close(true));
      // One whose leaving failed opens itself again and would go on as a member.
      consumer.connections.close().catch(() => undefined);
      every.end();
    },
  };
}
