/**
 * Files that left the lake, by an entry. They are removed when the entry is published, or, where readers go by a list of ours, when
 * their time has come; and for a day after that they are looked for again: a copy that was in flight when they were removed may have
 * put one back. Only what is there is removed: in a bucket that keeps versions each deletion leaves a mark.
 */
import type { LakePath } from '../model/lake-path.ts';
import type { CallOptions } from '../ports/call-options.ts';
import { inParallel } from './bounded-parallel.ts';
import type { Leaving } from './live-files.ts';
import { again, type LandingRoom } from './room.ts';

/** How long a file that is gone is looked for. */
const LOOKED_FOR_MS = 24 * 3_600_000;

/** Removes what is there of the files whose time has come. The newest entry is published. */
export async function removeLeft(room: LandingRoom, leaving: Leaving, call?: CallOptions): Promise<void> {
  const nowMs = room.clock.nowMs();
  const due = new Set([...leaving].filter(([, fromMs]) => fromMs <= nowMs).map(([path]) => path));
  const folders = new Set([...due].map((path) => path.slice(0, path.lastIndexOf('/') + 1)));
  await inParallel([...folders], async (folder) => {
    const found: LakePath[] = [];
    for (let after: LakePath | undefined; ; ) {
      const cursor = after === undefined ? {} : { after };
      const page = await again(room, () => room.store.list(folder, { ...call, ...cursor }), call);
      found.push(...page.files.map(({ path }) => path).filter((path) => due.has(path)));
      if (page.next === undefined) break;
      after = page.next;
    }
    for (const path of found) await again(room, () => room.store.remove(path, call), call);
  });
}

/** Without what was looked for long enough, a last time now. */
export async function forgetLeft(room: LandingRoom, leaving: Leaving, call?: CallOptions): Promise<Leaving> {
  const cutMs = room.clock.nowMs() - LOOKED_FOR_MS;
  const over = [...leaving].filter(([, fromMs]) => fromMs < cutMs);
  if (over.length === 0) return leaving;
  await removeLeft(room, new Map(over), call);
  return new Map([...leaving].filter(([, fromMs]) => fromMs >= cutMs));
}
