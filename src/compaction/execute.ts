/**
 * Merges one group: its files to the local disk, one file of them, staged, and one entry of the landing log that puts it in their place. The
 * rows are compared by count and checksum before the entry is made; a group that another process has merged meanwhile is left to it.
 */
import { inParallel } from '../landing/bounded-parallel.ts';
import type { LandingLog } from '../landing/landing-log.ts';
import { type CompactionRule, type DeliverySpec, isMergeable } from '../model/delivery.ts';
import { isLakewardError, LakewardError } from '../model/errors.ts';
import type { MergeResult } from '../ports/converter.ts';
import { fetchFile } from './fetch-file.ts';
import { bytesOf, type CandidateFile, type MergeGroup } from './policy.ts';
import type { CompactionRoom } from './room.ts';

export interface MergeOrder {
  readonly room: Omit<CompactionRoom, 'openLog'>;
  readonly spec: DeliverySpec;
  readonly rule: Pick<CompactionRule, 'sort' | 'readers' | 'keepMs'>;
  /** The files are held late rows of a partition that ends then: readers see them from now on, also a single one. */
  readonly released?: { readonly closesAtMs: number } | undefined;
  readonly log: LandingLog;
  readonly signal: AbortSignal;
}

/** What became of a group. */
export interface GroupOutcome {
  readonly filesBefore: number;
  readonly bytesBefore: number;
  readonly filesAfter: number;
  readonly bytesAfter: number;
  readonly rows: number;
}
const NOTHING: GroupOutcome = { filesBefore: 0, bytesBefore: 0, filesAfter: 0, bytesAfter: 0, rows: 0 };

/** Nothing is merged when fewer than two of the files are there. Throws as the log, the converter and the lake. */
export async function mergeGroup(order: MergeOrder, group: MergeGroup): Promise<GroupOutcome> {
  try {
    return await mergeFiles(order, group.files);
  } catch (error) {
    const differ = isLakewardError(error, 'convert-failed') && error.details?.['lack'] === 'columns';
    const versions = Map.groupBy(group.files, ({ planVersion }) => planVersion);
    if (!differ || versions.size < 2) throw error;
    // Columns that cannot become one another's: each version by itself.
    let sum = NOTHING;
    for (const files of versions.values()) sum = added(sum, await mergeFiles(order, files));
    return sum;
  }
}

async function mergeFiles(order: MergeOrder, wanted: readonly CandidateFile[]): Promise<GroupOutcome> {
  const { room, log, signal, released } = order;
  const least = released === undefined ? 2 : 1;
  if (wanted.length < least) return NOTHING;
  const folders = [await room.scratch.make(), await room.scratch.make()] as const;
  try {
    const files = await fetched(order, wanted, folders[0]);
    if (files.length < least) return NOTHING;
    const merged = await merge(order, files, folders[1]);
    const nonce = log.nonce();
    const file = await stage(order, { nonce, files, merged });
    const outcome = await log.commitMerge(
      {
        nonce,
        removed: files,
        files: [file],
        before: merged.digest,
        after: merged.digest,
        ...(released === undefined ? keepOf(order) : { released: true }),
      },
      { signal },
    );
    if (outcome === 'superseded') return NOTHING;
    const { rows } = merged.digest;
    return {
      filesBefore: files.length,
      bytesBefore: bytesOf(files),
      filesAfter: 1,
      bytesAfter: file.handle.bytes,
      rows,
    };
  } finally {
    for (const folder of folders) await room.scratch.remove(folder);
  }
}

function keepOf({ room, rule }: MergeOrder): { readonly keepMs?: number } {
  return rule.readers === 'manifest' ? { keepMs: room.clock.nowMs() + (rule.keepMs ?? 0) } : {};
}

type Fetched = CandidateFile & { readonly local: string };

/** Memory follows neither number nor size of files. */
const READS_AT_ONCE = 8;

/** The files on the local disk; those that are gone are left out: another process, or time, took them. */
async function fetched(order: MergeOrder, files: readonly CandidateFile[], directory: string): Promise<Fetched[]> {
  const found: (Fetched | undefined)[] = files.map(() => undefined);
  const waiting = [...files.entries()];
  await inParallel(Array.from({ length: READS_AT_ONCE }), async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const [i, file] = next;
      const local = `${directory}/in-${i}`;
      if (await fetchFile(order.room, { ...file, local }, order.signal)) found[i] = { ...file, local };
    }
  });
  // In their order: rows that are not sorted keep theirs.
  return found.filter((file) => file !== undefined);
}

async function merge(
  { room, spec, rule, signal }: MergeOrder,
  inputs: readonly Fetched[],
  directory: string,
): Promise<MergeResult> {
  const { format, compression, parquet, eventTime } = spec;
  if (!isMergeable(format)) throw new LakewardError('internal', `files of format ${format} are not merged`);
  const byTime = eventTime.from === 'field' ? [eventTime.field] : [];
  const sort = rule.sort === 'time' ? byTime : rule.sort === 'none' ? [] : rule.sort;
  const style = { format, compression, ...(parquet === undefined ? {} : { parquet }) };
  return room.converter.merge({ ...style, inputs, bytes: bytesOf(inputs), sort, directory }, { signal });
}

async function stage(
  { room, spec, log, released, signal }: MergeOrder,
  made: { readonly nonce: string; readonly files: readonly CandidateFile[]; readonly merged: MergeResult },
) {
  const { nonce, files, merged } = made;
  const partition = files[0]?.partition ?? '';
  const planVersion = Math.max(...files.map((file) => file.planVersion));
  const { rows } = merged.digest;
  const { object, ...kept } = room.style.kept(spec, { partition, planVersion, rows, columns: merged.columns });
  const file = {
    local: merged.local,
    name: room.style.name(spec, { nonce, behind: files.map(({ path }) => path) }),
    directory: partition === '' ? spec.prefix : `${spec.prefix}/${partition}`,
    object,
  };
  const handle = await log.stage(nonce, file, { signal });
  return {
    ...kept,
    ...released,
    bytes: handle.bytes,
    eventMinMs: Math.min(...files.map((one) => one.eventMinMs)),
    eventMaxMs: Math.max(...files.map((one) => one.eventMaxMs)),
    closedBecause: 'merge' as const,
    handle,
  };
}

export function added(a: GroupOutcome, b: GroupOutcome): GroupOutcome {
  return {
    filesBefore: a.filesBefore + b.filesBefore,
    bytesBefore: a.bytesBefore + b.bytesBefore,
    filesAfter: a.filesAfter + b.filesAfter,
    bytesAfter: a.bytesAfter + b.bytesAfter,
    rows: a.rows + b.rows,
  };
}
