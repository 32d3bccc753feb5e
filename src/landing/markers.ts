/**
 * Completeness markers. `_lakeward/<folder>/complete/<partition>.json` is made when the watermark has passed the end of the time a partition
 * stands for, `reopened/<partition>/<20-digit entry>.json` for every entry that landed rows in it later. Derived from the log alone and made
 * once, so anybody may make one: an entry has a follower only when its markers are there, so a crash never leaves one out.
 */
import type { LakePath } from '../model/lake-path.ts';
import type { CallOptions } from '../ports/call-options.ts';
import type { LogView } from './follow.ts';
import type { ClosedPartition, ReopenedPartition } from './fold.ts';
import { inParallel } from './bounded-parallel.ts';
import { type NoticeEvent, writeNotices } from './notices.ts';
import { type PartitionFile, type PartitionReader, sumOf } from './partition-files.ts';
import { again, type LandingRoom } from './room.ts';

/** Makes the markers of what entries after `after` closed and reopened. */
export async function writeMarkers(
  room: LandingRoom,
  at: { readonly view: LogView; readonly after: number; readonly reader: PartitionReader },
  call?: CallOptions,
): Promise<void> {
  const { view, after, reader } = at;
  const isDue = ({ entry }: { readonly entry: number }): boolean => entry > after;
  const closed = view.state.closed.filter(isDue);
  const reopened = view.state.reopened.filter(isDue);
  if (closed.length === 0 && reopened.length === 0) return;
  const files = await reader.read(view, new Set(reopened.map(({ partition }) => partition)), call);
  const events = [
    ...closed.map((part) => closingOf(part)),
    ...reopened.map((part) => reopeningOf(part, files.get(part.partition) ?? [])),
  ];
  await inParallel(events, async ({ event, ...marker }) => {
    const { paths } = room;
    const { partition, entry } = marker;
    const path = event === 'complete' ? paths.complete(partition) : paths.reopened(partition, entry);
    const bytes = new TextEncoder().encode(`${JSON.stringify({ v: 1, ...marker })}\n`);
    await again(room, () => room.store.create(path, bytes, call), call);
  });
  if (room.notices) await writeNotices(room, events, call);
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
  for (const prefix of [paths.markers, paths.reopenings, paths.manifests]) {
    for (let after: LakePath | undefined; ; ) {
      const cursor = after === undefined ? {} : { after };
      const page = await again(room, () => store.list(prefix, { signal: call?.signal, ...cursor }), call);
      found.push(...page.files.map(({ path }) => path).filter((path) => isOver(paths.partitionOf(path))));
      if (page.next === undefined) break;
      after = page.next;
    }
  }
  if (call?.dryRun !== true) await inParallel(found, (path) => again(room, () => store.remove(path, call), call));
  return found.length;
}

function closingOf({ partition, rows, files, bytes, closesAtMs, entry }: ClosedPartition): NoticeEvent {
  return { event: 'complete', partition, rows, files, bytes, closedAt: new Date(closesAtMs).toISOString(), entry };
}

/** Rows, files and bytes are those the partition has with the late ones. */
function reopeningOf(part: ReopenedPartition, live: readonly PartitionFile[]): NoticeEvent {
  const { partition, lateRows, lostRows, closesAtMs, entry } = part;
  return {
    event: 'reopened',
    partition,
    ...sumOf(live),
    lateRows,
    ...(lostRows === undefined ? {} : { lostRows }),
    closedAt: new Date(closesAtMs).toISOString(),
    entry,
  };
}
