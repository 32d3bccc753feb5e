/**
 * What follows when a store broke its word: a committed file is gone before it was published. The other files of the entry are
 * published by then; the lost rows are rebuilt from the stream, staged under new paths, and the next entry replaces the lost files
 * by them. When retention has taken the records, the next entry says so, and the delivery stops. A replay of rejected rows, a merge
 * and an erasure are taken back instead: what they were made of is still there.
 */
import type { DataFile, RejectedFile } from '../model/data-file.ts';
import type { DedupeRule } from '../model/delivery.ts';
import { LakewardError } from '../model/errors.ts';
import type { LakePath } from '../model/lake-path.ts';
import { asOffset, asShard } from '../model/stream.ts';
import type { CallOptions } from '../ports/call-options.ts';
import type { StageHandle } from '../ports/lake-store.ts';
import { type AppendDraft, named, type OffsetRanges } from './draft.ts';
import { addedFiles, type Entry, type EntryBody, type EntryFile, type EntryRejected, removedPaths } from './entry.ts';
import { readKeyFile } from './key-files.ts';
import type { KeyFile } from './known-keys.ts';
import { again, type LandingRoom } from './room.ts';
import { type FileToStage, stageFile } from './stage.ts';

export interface LostFiles {
  /** Nonce of what is rebuilt; its files need names of their own. */
  readonly nonce: string;
  /** Stages a rebuilt file. The log may not be open yet: recovery meets losses too. */
  stage(file: FileToStage): Promise<StageHandle>;
  /** The ranges the lost files were made from, together with files that are not lost. */
  readonly ranges: OffsetRanges;
  readonly planVersion: number;
  readonly files: readonly DataFile[];
  readonly rejected: readonly RejectedFile[];
  /** How duplicates were told, and the files of event ids they were compared with; absent when nothing was dropped. */
  readonly dedupe?: { readonly rule: DedupeRule; readonly files: readonly KeyFile[] };
  /** The content of such a file. */
  keys(file: KeyFile): Promise<Uint8Array>;
}

/** Stages files that hold exactly the rows of the lost ones; `gone` when the stream no longer has them. */
export type Rebuild = (
  lost: LostFiles,
  call?: CallOptions,
) => Promise<Pick<AppendDraft, 'files' | 'rejected'> | 'gone'>;

/** The entry that follows a loss. Throws `stage-lost` when nobody can rebuild. */
export async function repairOf(
  room: LandingRoom,
  loss: {
    readonly entry: Entry;
    readonly lost: readonly (EntryFile | EntryRejected)[];
    /** Event ids remembered before the entry. */
    readonly known: readonly KeyFile[];
  },
  rebuild: Rebuild | undefined,
  call?: CallOptions,
): Promise<{ readonly nonce: string; readonly body: EntryBody }> {
  const { entry, lost, known } = loss;
  const removed = lost.map((file) => file.path);
  const lostRows = lost.reduce((rows, file) => rows + file.rows, 0);
  tellLoss(room, removed, lostRows);
  const undo = undoOf(entry);
  if (undo !== undefined) {
    const whole = await areThere(room, removedPaths(entry), call);
    if (whole) room.telemetry.log.warn('an entry is taken back, it can be made again', { nonce: entry.nonce });
    return { nonce: room.clock.uuid(), body: whole ? undo : { kind: 'gap', gaps: [], removed, lostRows } };
  }
  if (rebuild === undefined || entry.kind !== 'append') {
    throw new LakewardError('stage-lost', `${lostRows} committed rows vanished from the lake: ${removed.join(', ')}`);
  }
  const nonce = room.clock.uuid();
  const isLost = ({ path }: { readonly path: string }): boolean => removed.some((other) => other === path);
  const files = entry.files.filter(isLost);
  const rejected = entry.rejected.filter(isLost);
  const { planVersion, dedupe } = entry;
  const rebuilt = await rebuild(
    {
      nonce,
      stage: (file) => stageFile(room, nonce, file, call),
      ranges: rangesOf(entry),
      planVersion,
      files,
      rejected,
      ...(dedupe === undefined ? {} : { dedupe: { rule: dedupe, files: known } }),
      keys: (file) => readKeyFile(room, file, call),
    },
    call,
  );
  if (rebuilt === 'gone') return { nonce, body: { kind: 'gap', gaps: [], removed, lostRows } };
  const rows = [...rebuilt.files, ...rebuilt.rejected].reduce((sum, file) => sum + file.rows, 0);
  if (rows !== lostRows) {
    throw new LakewardError(
      'stage-lost',
      `${lostRows} rows vanished from the lake, ${rows} were rebuilt; nothing was changed`,
    );
  }
  const body: EntryBody = {
    kind: 'replace',
    repair: true,
    removed,
    files: rebuilt.files.map(named),
    rejected: rebuilt.rejected.map(named),
  };
  return { nonce, body };
}

/**
 * What a replay, a merge or an erasure was made of is removed only after all of it is published, so it is still there: the entry is taken back whole and
 * can be made again. Should somebody have deleted that too, the lost rows are gone and the next entry says so.
 */
async function areThere(room: LandingRoom, paths: readonly LakePath[], call?: CallOptions): Promise<boolean> {
  for (const path of paths) {
    const found = await again(room, () => room.store.read(path, { ...call, offset: 0, length: 1 }), call);
    if (found === undefined) return false;
  }
  return true;
}

/** Undefined for an entry whose rows come from the stream. */
function undoOf(entry: Entry): EntryBody | undefined {
  if (entry.kind === 'replace' && !entry.repair) {
    const removed = addedFiles(entry).map(({ path }) => path);
    const nothing = { restored: [], replayed: [], landed: [], extraRows: 0, lateRows: 0 };
    const dropped = entry.dropped === undefined ? {} : { dropped: entry.dropped };
    return { kind: 'undo', undone: entry.nonce, removed, reinstated: entry.removed, ...nothing, ...dropped };
  }
  if (entry.kind !== 'replay') return undefined;
  const { replayed, extraRows, lateRows } = entry;
  return {
    kind: 'undo',
    undone: entry.nonce,
    removed: [...entry.files, ...entry.rejected].map(({ path }) => path),
    restored: entry.removed,
    replayed,
    landed: entry.files.map(({ partition, rows, bytes, closesAtMs }) => ({
      partition,
      rows,
      bytes,
      ...(closesAtMs === undefined ? {} : { closesAtMs }),
    })),
    extraRows,
    lateRows,
    duplicateRows: entry.dedupe?.duplicateRows ?? 0,
    unkeyedRows: entry.dedupe?.unkeyedRows ?? 0,
  };
}

function tellLoss({ telemetry, delivery }: LandingRoom, files: readonly LakePath[], rows: number): void {
  telemetry.log.error('committed files were lost', { files, rows });
  telemetry
    .counter({
      name: 'lakeward_landing_lost_files_total',
      help: 'Committed files that the lake store lost.',
      labels: ['delivery'],
    })
    .add(files.length, { delivery });
}

function rangesOf({ ranges }: Entry & { kind: 'append' }): OffsetRanges {
  return new Map(
    Object.entries(ranges).map(([shard, [from, to]]) => [
      asShard(Number(shard)),
      { from: asOffset(from), to: asOffset(to) },
    ]),
  );
}
