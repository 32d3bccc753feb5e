/**
 * Shares the shards of a delivery through Kafka's consumer group protocol: who is a member, and who works on which partition, is the
 * group's to say. Nothing is read or committed through the group. A member that loses its group goes on with the share it has and joins
 * again; the landing log is the fence, never the group.
 *
 *   joining ──dealt──► member ──dealt anew (others came, went, were silent; partitions were added)──► member
 *    ▲   ▲                │ └── hears nothing of the group for long ──► the same share, another client, joining
 *    │   └──── pause ◄────┴── the group is away, or does not know this member any more
 *    └─────────────────────────────────────────────────────────────────────────────────────────────┘
 */
import { asShard, type ShardIndex } from '../../model/stream.ts';
import type { Clock } from '../../ports/clock.ts';
import type { ShardGroups, ShardMembership, ShardShare } from '../../ports/shard-groups.ts';
import type { Log, Telemetry } from '../../ports/telemetry.ts';
import { type GroupClient, groupClient, type GroupClientOptions, REBALANCE_MS } from './group-client.ts';
import type { KafkaOptions } from './kafka-client.ts';

export interface ShardGroupOptions extends KafkaOptions {
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  /** A member that was silent for this long is taken for dead. Kafka refuses less than 6 s by default. */
  readonly sessionMs?: number;
  /** A member that hears nothing of its group for this long begins anew. */
  readonly silentMs?: number;
}

const SESSION_MS = 10_000;
/** Longer than a joining takes that waits for all the others. */
const SILENT_MS = 3 * REBALANCE_MS;
const SILENT_TURNS = 10;
/** How often a member looks whether it still is one, and whether there are more partitions. */
const LOOK_MS = 3_000;
/** Without a share for so long, a member works on all shards. */
const UNDEALT_MS = 30_000;
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

  // Both end by the throw of an aborted sleep.
  const running = Promise.allSettled([
    stayMember(of, (partitions) => deal(new Set(partitions.map(asShard)), 'by the group'), leaving.signal),
    takeAllWhenUndealt(),
  ]);

  async function leaveGroup(): Promise<void> {
    leaving.abort(new Error('leaving the group'));
    share = NONE;
    await running;
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

/** A member through all its clients, one after the other. Ends by the throw of an aborted sleep, when the last client is ended. */
async function stayMember(of: MemberOf, dealt: GroupClientOptions['dealt'], leaving: AbortSignal): Promise<never> {
  const { options, log, group, topic } = of;
  const { clock, sessionMs = SESSION_MS, silentMs = SILENT_MS } = options;
  const seen = { isAway: false };
  for (;;) {
    const client = groupClient({ kafka: options, clock, log, group, topic, sessionMs, dealt });
    const over = new AbortController();
    // Not waited for: what a client that is ended still waits for may never come.
    void lookOn(client, { clock, log, seen, signal: AbortSignal.any([leaving, over.signal]) });
    try {
      await untilSilent(client, { clock, silentMs, leaving });
      if (!seen.isAway)
        log.warn('the group of workers was not heard for long, this one joins anew with the shards it has');
    } finally {
      over.abort();
      await client.end();
    }
  }
}

interface Looking {
  readonly clock: Clock;
  readonly log: Log;
  /** Told once, whichever client finds it. */
  readonly seen: { isAway: boolean };
  readonly signal: AbortSignal;
}

async function lookOn(client: GroupClient, { clock, log, seen, signal }: Looking): Promise<void> {
  while (!signal.aborted) {
    try {
      await client.look();
      if (seen.isAway) log.info('the group of workers is back');
      seen.isAway = false;
    } catch (error) {
      if (signal.aborted) return;
      if (!seen.isAway) log.warn('the group of workers is away, this one goes on with the shards it has', { error });
      seen.isAway = true;
    }
    await clock.sleep(LOOK_MS * (0.5 + clock.random()), signal).catch(() => undefined);
  }
}

/** In turns, so that a process that was stopped for long does not take that for silence. */
async function untilSilent(
  client: GroupClient,
  { clock, silentMs, leaving }: { readonly clock: Clock; readonly silentMs: number; readonly leaving: AbortSignal },
): Promise<void> {
  for (let silent = 0; silent < SILENT_TURNS; ) {
    await clock.sleep(silentMs / SILENT_TURNS, leaving);
    silent = client.wasHeard() ? 0 : silent + 1;
  }
}

function isSame(a: ShardShare, b: ShardShare): boolean {
  if (a === 'all' || b === 'all') return a === b;
  return a !== NONE && a.size === b.size && [...a].every((shard) => b.has(shard));
}
