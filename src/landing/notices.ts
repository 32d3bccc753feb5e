/**
 * Notices: what is to be told of partitions that became complete or were reopened, one file for each entry that did it,
 * `_lakeward/<folder>/notices/<20-digit entry>.json`. An entry has a follower only when its notice is there, after its markers, so a crash leaves
 * none out. Whoever has told one empties it; the highest emptied one stays and says how far everything is told, so that one made anew by a process
 * that slept is known for what it is. `failing.json` beside them holds why the oldest is not told yet.
 */
import type { LakePath } from '../model/lake-path.ts';
import { lakePath } from '../model/lake-path.ts';
import type { DeliveryTrouble } from '../model/delivery.ts';
import type { CallOptions } from '../ports/call-options.ts';
import type { LakeStore, ListedFile } from '../ports/lake-store.ts';
import type { Notice } from '../ports/notifier.ts';
import { EMPTIED_BYTES } from './entry.ts';
import { landingPaths, numberOf } from './paths.ts';
import { again, type LandingRoom } from './room.ts';

const VERSION = 1;

/** What a log knows of a notice. */
export type NoticeEvent = Omit<Notice, 'id' | 'delivery' | 'stream'>;

/** One entry after the other: the notice of an entry is there before that of a later one. */
export async function writeNotices(
  room: LandingRoom,
  events: readonly NoticeEvent[],
  call?: CallOptions,
): Promise<void> {
  const byEntry = Map.groupBy(events, ({ entry }) => entry);
  for (const n of [...byEntry.keys()].sort((a, b) => a - b)) {
    const bytes = new TextEncoder().encode(`${JSON.stringify({ v: VERSION, events: byEntry.get(n) })}\n`);
    await again(room, () => room.store.create(room.paths.notice(n), bytes, call), call);
  }
}

/** A notice that is not told yet. */
export interface PendingNotice {
  readonly n: number;
  readonly madeMs: number;
}

export interface NoticeBox {
  /** Oldest first. `trouble`: why they are not told. Drops what is behind those told when asked to `tidy`. */
  pending(
    options?: CallOptions & { readonly tidy?: boolean },
  ): Promise<{ readonly notices: readonly PendingNotice[]; readonly trouble?: DeliveryTrouble }>;
  /** What a notice says; empty when another process has told it meanwhile. */
  read(n: number, options?: CallOptions): Promise<readonly NoticeEvent[]>;
  /** Everything up to this notice is told. */
  told(n: number, options?: CallOptions): Promise<void>;
  /** Notes, for every process, why the oldest is not told; undefined takes that back. */
  note(trouble: DeliveryTrouble | undefined, options?: CallOptions): Promise<void>;
}

/** Of a log's folder; the log need not be open. Throws `lake-unavailable`. */
export function noticeBox(store: LakeStore, folder: string): NoticeBox {
  const paths = landingPaths(folder);
  const failing = lakePath(`${paths.notices}failing.json`);

  async function listed(call?: CallOptions): Promise<readonly ListedFile[]> {
    const files: ListedFile[] = [];
    for (let after: LakePath | undefined; ; ) {
      const page = await store.list(paths.notices, { signal: call?.signal, ...(after === undefined ? {} : { after }) });
      files.push(...page.files);
      if (page.next === undefined) return files;
      after = page.next;
    }
  }

  return {
    async pending({ tidy = false, ...call } = {}) {
      const files = await listed(call);
      const numbered = files.flatMap((file) => {
        const n = numberOf(file.path);
        return n === undefined ? [] : [{ ...file, n }];
      });
      const toldThrough = numbered.findLast(({ bytes }) => bytes <= EMPTIED_BYTES.length)?.n ?? -1;
      if (tidy) for (const { n, path } of numbered) if (n < toldThrough) await store.remove(path, call);
      const notices = numbered
        .filter(({ n }) => n > toldThrough)
        .map(({ n, modifiedMs }) => ({ n, madeMs: modifiedMs }));
      const isFailing = notices.length > 0 && files.some(({ path }) => path === failing);
      const trouble = isFailing ? await troubleIn(store, failing, call) : undefined;
      return { notices, ...(trouble === undefined ? {} : { trouble }) };
    },
    async read(n, call) {
      const bytes = await store.read(paths.notice(n), call);
      if (bytes === undefined) return [];
      return (JSON.parse(new TextDecoder().decode(bytes)) as { events?: readonly NoticeEvent[] }).events ?? [];
    },
    told: (n, call) => store.overwrite(paths.notice(n), EMPTIED_BYTES, call),
    async note(trouble, call) {
      if (trouble === undefined) return store.remove(failing, call);
      return store.overwrite(failing, new TextEncoder().encode(`${JSON.stringify(trouble)}\n`), call);
    },
  };
}

/** Removes all notices of a delivery that has nobody to tell any more. */
export async function dropNotices({ store, paths }: LandingRoom, call?: CallOptions): Promise<void> {
  for (;;) {
    const { files } = await store.list(paths.notices, { signal: call?.signal });
    if (files.length === 0) return;
    for (const { path } of files) await store.remove(path, call);
  }
}

async function troubleIn(store: LakeStore, path: LakePath, call?: CallOptions): Promise<DeliveryTrouble | undefined> {
  const bytes = await store.read(path, call);
  return bytes === undefined ? undefined : (JSON.parse(new TextDecoder().decode(bytes)) as DeliveryTrouble);
}
