/**
 * Completeness markers: `_lakeward/<folder>/complete/<partition>.json`, made when the watermark has passed the end of the time a
 * partition stands for. Derived from the log alone, so anybody may write one, any number of times, with the same content.
 */
import type { LakePath } from '../model/lake-path.ts';
import type { CallOptions } from '../ports/call-options.ts';
import type { ClosedPartition, LandingState } from './fold.ts';
import { inParallel } from './bounded-parallel.ts';
import { again, type LandingRoom } from './room.ts';

/** Writes the markers of the partitions that entries after `after` closed. */
export async function writeMarkers(
  room: LandingRoom,
  state: LandingState,
  after: number,
  call?: CallOptions,
): Promise<void> {
  const due = state.closed.filter(({ entry }) => entry > after);
  if (due.length === 0) return;
  await inParallel(due, async (closed) => {
    const bytes = new TextEncoder().encode(`${JSON.stringify(markerOf(closed))}\n`);
    await again(room, () => room.store.create(room.paths.complete(closed.partition), bytes, call), call);
  });
  await room.step('marked');
}

/** Removes those of partitions that are over, or counts them. */
export async function dropMarkers(
  room: LandingRoom,
  isOver: (partition: string) => boolean,
  call?: CallOptions & { readonly dryRun?: boolean },
): Promise<number> {
  const { store, paths } = room;
  const found: LakePath[] = [];
  for (let after: LakePath | undefined; ; ) {
    const cursor = after === undefined ? {} : { after };
    const page = await again(room, () => store.list(paths.markers, { signal: call?.signal, ...cursor }), call);
    found.push(...page.files.map(({ path }) => path).filter((path) => isOver(paths.partitionOf(path))));
    if (page.next === undefined) break;
    after = page.next;
  }
  if (call?.dryRun !== true) await inParallel(found, (path) => again(room, () => store.remove(path, call), call));
  return found.length;
}

function markerOf({ partition, rows, files, bytes, closesAtMs, entry }: ClosedPartition): object {
  return { v: 1, partition, rows, files, bytes, closedAt: new Date(closesAtMs).toISOString(), entry };
}
