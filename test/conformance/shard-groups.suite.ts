/** What every `ShardGroups` does, whoever deals the shards. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { StreamDocument } from '../../src/model/stream.ts';
import type { ShardGroups, ShardMembership } from '../../src/ports/shard-groups.ts';

export interface ShardGroupsFixture {
  readonly stream: Pick<StreamDocument, 'id' | 'topic'>;
  /** As another process has them. */
  process(): ShardGroups;
  /** Adds shards to the stream; absent where a process works alone. */
  grow?(shards: number): Promise<void>;
  close(): Promise<void>;
}

/** `shards`: of the stream. `shared`: other processes get their part. */
export interface ShardGroupsCapabilities {
  readonly shards: number;
  readonly shared: boolean;
}

const PATIENCE = { timeout: 40_000, interval: 50 };

export function shardGroupsSuite(
  name: string,
  { shards, shared }: ShardGroupsCapabilities,
  setUp: () => Promise<ShardGroupsFixture>,
): void {
  describe(`${name} as shard groups`, () => {
    let fixture: ShardGroupsFixture;
    let members: ShardMembership[];

    beforeEach(async () => {
      fixture = await setUp();
      members = [];
    });
    afterEach(async () => {
      await Promise.all(members.map((member) => member.leave()));
      await fixture.close();
    });

    const join = (delivery = 'd'): ShardMembership => {
      const member = fixture.process().join(delivery, fixture.stream);
      members.push(member);
      return member;
    };
    const sharesOf = (member: ShardMembership, of = shards): number[] => {
      const share = member.share();
      return share === 'all' ? Array.from({ length: of }, (_, i) => i) : [...share].toSorted((a, b) => a - b);
    };
    const every = (of: number): number[] => Array.from({ length: of }, (_, i) => i);
    /** Each shard is in one share. */
    const dealt = (among: readonly ShardMembership[], of = shards): Promise<void> =>
      vi.waitFor(
        () => expect(among.flatMap((member) => sharesOf(member, of)).toSorted((a, b) => a - b)).toEqual(every(of)),
        PATIENCE,
      );

    test('one member works on every shard, and on none once it has left', async () => {
      const member = join();
      await dealt([member]);
      await member.leave();
      await member.leave();
      expect(sharesOf(member)).toEqual([]);
    });

    test('deliveries share apart from each other', async () => {
      const [one, other] = [join('one'), join('other')];
      await dealt([one]);
      await dealt([other]);
    });

    if (!shared) return;

    test('members share the shards, and tell of every change', async () => {
      const first = join();
      await dealt([first]);
      let changes = 0;
      const unwatch = first.watch(() => (changes += 1));
      const second = join();
      await vi.waitFor(() => expect(sharesOf(second).length).toBeGreaterThanOrEqual(Math.floor(shards / 2)), PATIENCE);
      await dealt([first, second]);
      expect(changes).toBeGreaterThan(0);
      const kept = sharesOf(first);
      await second.leave();
      await dealt([first]);
      expect(sharesOf(first)).toEqual(expect.arrayContaining(kept));
      unwatch();
      const before = changes;
      await first.leave();
      expect(changes).toBe(before);
    });

    test('shards that are added are dealt too', async () => {
      const [first, second] = [join(), join()];
      await dealt([first, second]);
      await fixture.grow?.(shards + 2);
      await dealt([first, second], shards + 2);
    });
  });
}
