/** Files of the landing log's own folders that were last changed before some time: what upkeep looks for. */
import type { LakePath } from '../model/lake-path.ts';
import type { CallOptions } from '../ports/call-options.ts';
import type { ListedFile } from '../ports/lake-store.ts';
import { again, type LandingRoom } from './room.ts';

/** Files last changed before `cutMs`, about `max` of them at most. */
export async function listOld(
  room: LandingRoom,
  { prefix, cutMs, max }: { readonly prefix: string; readonly cutMs: number; readonly max: number },
  call?: CallOptions,
): Promise<ListedFile[]> {
  const found: ListedFile[] = [];
  for (let after: LakePath | undefined; ; ) {
    const cursor = after === undefined ? {} : { after };
    const page = await again(room, () => room.store.list(prefix, { ...call, ...cursor }), call);
    found.push(...page.files.filter(({ modifiedMs }) => modifiedMs < cutMs));
    if (page.next === undefined || found.length >= max) return found;
    after = page.next;
  }
}
