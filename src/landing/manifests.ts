/**
 * Manifests: the live files of a partition as one small file, for readers who must see a change of them at once. After every entry that changed a
 * partition `_lakeward/<folder>/manifest/<partition>/<20-digit entry>.json` is made, once, with what the log says at that entry; the
 * highest number counts. It is made when all files of the entry are visible and before those it replaces go, and the next entry follows it:
 * the newest manifest never lacks a row that landed, never names one twice, and never names a file that is gone.
 *
 * `manifest.json` beside them says that every partition has one; who opens the log of a delivery that does not keep manifests takes it away, so
 * that they are made anew, all of them, when manifests are wanted again.
 */
import type { LakePath } from '../model/lake-path.ts';
import type { CallOptions } from '../ports/call-options.ts';
import type { ListedFile } from '../ports/lake-store.ts';
import { inParallel } from './bounded-parallel.ts';
import { eachFile } from './file-list.ts';
import type { LogView } from './follow.ts';
import { partitionIn, type PartitionReader, sumOf } from './partition-files.ts';
import { again, type LandingRoom } from './room.ts';
import { numberOf } from './paths.ts';

/** Of an open log. */
export interface ManifestPlace {
  readonly room: LandingRoom;
  readonly partitions: PartitionReader;
  readonly view: LogView | undefined;
  readonly markedThrough: number;
}

const VERSION = 1;

/** Of the partitions that entries behind the last marked changed. */
export async function writeManifests(place: ManifestPlace, call?: CallOptions): Promise<void> {
  const { room, markedThrough } = place;
  if (!room.manifests) return;
  const { touched } = (place.view as LogView).state;
  const due = [...touched].flatMap(([folder, entry]) =>
    entry > markedThrough ? (partitionIn(room, folder) ?? []) : [],
  );
  await writeAll(place, new Set(due), call);
}

/** At opening: sees to it that there is a manifest of every partition, or notes that there need not be one. */
export async function settleManifests(place: ManifestPlace, call?: CallOptions): Promise<void> {
  const { room } = place;
  const { store, paths } = room;
  const kept = (await again(room, () => store.read(paths.manifested, call), call)) !== undefined;
  if (kept === room.manifests) return;
  if (kept) return again(room, () => store.remove(paths.manifested, call), call);
  const { state, checkpoint } = place.view as LogView;
  const partitions = new Set<string>();
  await eachFile(
    room,
    { state, parts: checkpoint?.parts ?? [], partsMs: 0 },
    (live) => {
      if (live.kind === 'data') partitions.add(live.file.partition);
    },
    call,
  );
  await writeAll(place, partitions, call);
  const bytes = new TextEncoder().encode(`${JSON.stringify({ v: VERSION, since: state.n })}\n`);
  await again(room, () => store.overwrite(paths.manifested, bytes, call), call);
}

/** Removes manifests that were followed by others a while ago; all of them, when none are wanted. */
export async function tidyManifests({ room }: Pick<ManifestPlace, 'room'>, call?: CallOptions): Promise<void> {
  const { store, paths, tuning, clock } = room;
  const cutMs = clock.nowMs() - tuning.emptyAfterMs;
  let before: ListedFile | undefined;
  for (let after: LakePath | undefined; ; ) {
    const cursor = after === undefined ? {} : { after };
    const page = await again(room, () => store.list(paths.manifests, { ...call, ...cursor }), call);
    if (page.files.length === 0) return;
    const old: LakePath[] = [];
    for (const file of page.files) {
      const isFollowed = before !== undefined && paths.partitionOf(before.path) === paths.partitionOf(file.path);
      // Since the next one is there, nobody begins with this one.
      if (isFollowed && before !== undefined && file.modifiedMs < cutMs) old.push(before.path);
      before = numberOf(file.path) === undefined ? undefined : file;
    }
    const isKept = room.manifests || (await again(room, () => store.read(paths.manifested, call), call)) !== undefined;
    const gone = isKept ? old : page.files.map(({ path }) => path);
    await inParallel(gone, (path) => again(room, () => store.remove(path, call), call));
    if (page.next === undefined) return;
    after = page.next;
  }
}

async function writeAll(place: ManifestPlace, partitions: ReadonlySet<string>, call?: CallOptions): Promise<void> {
  if (partitions.size === 0) return;
  const { room } = place;
  const view = place.view as LogView;
  const { n } = view.state;
  const files = await place.partitions.read(view, partitions, call);
  await inParallel([...partitions], async (partition) => {
    const live = files.get(partition) ?? [];
    const { rows, bytes } = sumOf(live);
    const list = live.map(({ path, ...facts }) => ({ path, rows: facts.rows, bytes: facts.bytes }));
    const manifest = { v: VERSION, delivery: room.delivery, partition, entry: n, rows, bytes, files: list };
    const content = new TextEncoder().encode(`${JSON.stringify(manifest)}\n`);
    await again(room, () => room.store.create(room.paths.manifest(partition, n), content, call), call);
  });
  await room.step('marked');
}
