/**
 * The live files of some partitions, in short. Files of the checkpoint are in lists that never change, so what was read of one serves until
 * a later checkpoint has others; a few are remembered, with what is needed of them alone.
 */
import type { LakePath } from '../model/lake-path.ts';
import type { CallOptions } from '../ports/call-options.ts';
import { type PartReference, readPart } from './file-list.ts';
import type { LogView } from './follow.ts';
import type { LandingRoom } from './room.ts';

export interface PartitionFile {
  readonly path: LakePath;
  readonly rows: number;
  readonly bytes: number;
}

/** By partition; of those asked for, those that have files. In path order. */
export type PartitionFiles = ReadonlyMap<string, readonly PartitionFile[]>;

export interface PartitionReader {
  read(view: LogView, partitions: ReadonlySet<string>, call?: CallOptions): Promise<PartitionFiles>;
}

type ShortFile = PartitionFile & { readonly partition: string };

const PARTS_KEPT = 4;

export function partitionReader(room: LandingRoom): PartitionReader {
  const kept = new Map<string, readonly ShortFile[]>();

  async function shortPart(part: PartReference, call?: CallOptions): Promise<readonly ShortFile[]> {
    const known = kept.get(part.path);
    if (known !== undefined) return known;
    const lines = await readPart(room, part, call);
    const short = lines.flatMap((live) => (live.kind === 'data' ? [shortOf(live.file)] : []));
    const [oldest] = kept.keys();
    if (kept.size >= PARTS_KEPT && oldest !== undefined) kept.delete(oldest);
    kept.set(part.path, short);
    return short;
  }

  return {
    async read({ state, checkpoint }, partitions, call) {
      const found: ShortFile[] = [];
      for (const part of checkpoint?.parts ?? []) {
        if (![...partitions].some((partition) => mayHold(part, folderOf(room, partition)))) continue;
        for (const file of await shortPart(part, call)) {
          if (partitions.has(file.partition) && !state.removed.has(file.path)) found.push(file);
        }
      }
      for (const live of state.added.values()) {
        if (live.kind === 'data' && partitions.has(live.file.partition)) found.push(shortOf(live.file));
      }
      return Map.groupBy(found.sort(byPath), ({ partition }) => partition);
    },
  };
}

/** The partition of a folder of files; undefined when it holds no data files. */
export function partitionIn({ prefix }: Pick<LandingRoom, 'prefix'>, folder: string): string | undefined {
  if (folder === prefix) return '';
  return folder.startsWith(`${prefix}/`) ? folder.slice(prefix.length + 1) : undefined;
}

export function folderOf({ prefix }: Pick<LandingRoom, 'prefix'>, partition: string): string {
  return partition === '' ? `${prefix}/` : `${prefix}/${partition}/`;
}

/** Rows and bytes added up. */
export function sumOf(files: readonly PartitionFile[]): { rows: number; files: number; bytes: number } {
  const sum = { rows: 0, files: files.length, bytes: 0 };
  for (const { rows, bytes } of files) {
    sum.rows += rows;
    sum.bytes += bytes;
  }
  return sum;
}

function mayHold({ firstPath, lastPath }: PartReference, folder: string): boolean {
  return lastPath >= folder && firstPath <= `${folder}\u{ffff}`;
}

function shortOf({ path, rows, bytes, partition }: ShortFile): ShortFile {
  return { path, rows, bytes, partition };
}

function byPath(a: PartitionFile, b: PartitionFile): number {
  return a.path < b.path ? -1 : a.path > b.path ? 1 : 0;
}
