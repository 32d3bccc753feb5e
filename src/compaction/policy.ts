/**
 * Which files of a delivery are merged with which. Pure: files, a rule and the time give groups, each to become one file. A partition is
 * touched when it is closed and nothing has landed in it for a while; then its small files are dealt into as few groups of about the
 * target as they fill, in order of event time. A file much larger than all it would be merged with is left alone, so that a few late
 * rows do not cause an hour to be written again: a byte is rewritten only into a file that is larger by a quarter at least.
 */
import type { LakePath } from '../model/lake-path.ts';

export interface CandidateFile {
  readonly path: LakePath;
  readonly partition: string;
  readonly rows: number;
  readonly bytes: number;
  readonly eventMinMs: number;
  readonly eventMaxMs: number;
  readonly planVersion: number;
  /** CRC-32 of the file, 8 hex digits. */
  readonly checksum: string;
  /** By then it was published; infinite while that is not known. */
  readonly publishedMs: number;
  /** May be replaced: no copy of it is under way. */
  readonly settled: boolean;
  /** Its partition may still get rows in time. */
  readonly open: boolean;
}

export interface MergeGroup {
  readonly partition: string;
  readonly files: readonly CandidateFile[];
  readonly bytes: number;
}

export interface PolicyRule {
  readonly targetBytes: number;
  readonly afterMs: number;
  readonly nowMs: number;
}

/** A file below this share of the target is small. */
const SMALL_SHARE = 0.75;
/** A file larger than so many times what it would be merged with is left alone. */
const LARGEST_TIMES = 4;
/** Files of one group: as many as an engine opens at once. */
export const GROUP_FILES_MAX = 1000;

/** Groups of at least two files, oldest partition first. */
export function chooseGroups(files: Iterable<CandidateFile>, rule: PolicyRule): MergeGroup[] {
  const groups: MergeGroup[] = [];
  for (const [partition, all] of Map.groupBy(files, (file) => file.partition)) {
    if (!isQuiet(all, rule)) continue;
    const small = worthwhile(all.filter(({ bytes }) => bytes < rule.targetBytes * SMALL_SHARE));
    for (const group of dealt(small.toSorted(byTime), rule.targetBytes)) {
      if (group.length >= 2) groups.push({ partition, files: group, bytes: bytesOf(group) });
    }
  }
  return groups.toSorted((a, b) => oldest(a) - oldest(b) || (a.partition < b.partition ? -1 : 1));
}

function isQuiet(files: readonly CandidateFile[], { afterMs, nowMs }: PolicyRule): boolean {
  return files.every(({ open, settled, publishedMs }) => !open && settled && nowMs - publishedMs >= afterMs);
}

/** Without files that are much larger than all smaller ones together. */
function worthwhile(files: readonly CandidateFile[]): CandidateFile[] {
  const bySize = files.toSorted((a, b) => a.bytes - b.bytes);
  let bytes = bytesOf(bySize);
  for (let last = bySize.at(-1); last !== undefined; last = bySize.at(-1)) {
    bytes -= last.bytes;
    if (last.bytes <= LARGEST_TIMES * bytes) return bySize;
    bySize.pop();
  }
  return [];
}

/** Cut into as many groups as the bytes fill, of about equal bytes. */
function dealt(files: readonly CandidateFile[], targetBytes: number): CandidateFile[][] {
  const total = bytesOf(files);
  const count = Math.max(1, Math.round(total / targetBytes), Math.ceil(files.length / GROUP_FILES_MAX));
  const groups: CandidateFile[][] = [[]];
  let bytes = 0;
  for (const file of files) {
    const last = groups.at(-1) ?? [];
    const full = groups.length < count && bytes + file.bytes / 2 > (total * groups.length) / count;
    if (last.length > 0 && (full || last.length >= GROUP_FILES_MAX)) groups.push([file]);
    else last.push(file);
    bytes += file.bytes;
  }
  return groups;
}

export function bytesOf(files: readonly { readonly bytes: number }[]): number {
  return files.reduce((sum, file) => sum + file.bytes, 0);
}

function oldest({ files }: MergeGroup): number {
  return files.reduce((least, file) => Math.min(least, file.eventMinMs), Number.POSITIVE_INFINITY);
}

function byTime(a: CandidateFile, b: CandidateFile): number {
  return a.eventMinMs - b.eventMinMs || (a.path < b.path ? -1 : 1);
}
