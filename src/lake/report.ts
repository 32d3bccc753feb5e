/**
 * What lies in a lake, added up by folder and storage class from its listing. Holds one row a folder, never one a file. Suggestions are
 * rules of thumb that cost nothing to ignore: pure, and about classes that read at once.
 */
import type { LakePath } from '../model/lake-path.ts';
import { REJECTED_FOLDER, SYSTEM_FOLDER } from '../model/lake-path.ts';
import type { CallOptions } from '../ports/call-options.ts';
import type { ReportRow } from '../ports/lake-desk.ts';
import type { LakeStore, ListedFile } from '../ports/lake-store.ts';

const DAY_MS = 86_400_000;
/** What a folder on a disk has. */
const NO_CLASS = 'DISK';
/** Smaller objects are billed as of this size in the classes for rare access. */
const BILLED_BYTES_MIN = 128 * 1024;

export interface ReportQuery extends CallOptions {
  readonly deliveries: readonly { readonly name: string; readonly prefix: string }[];
  /** Levels of folders below a delivery's that get rows of their own. */
  readonly depth: number;
  readonly nowMs: number;
}

type Sum = { -readonly [K in keyof Omit<ReportRow, 'suggestion'>]: ReportRow[K] };

export async function reportOf(store: Pick<LakeStore, 'list'>, query: ReportQuery): Promise<readonly ReportRow[]> {
  const sums = new Map<string, Sum>();
  for (let after: LakePath | undefined; ; ) {
    const call = query.signal === undefined ? {} : { signal: query.signal };
    const page = await store.list('', after === undefined ? call : { ...call, after });
    for (const file of page.files) add(sums, file, query);
    if (page.next === undefined) break;
    after = page.next;
  }
  return [...sums.values()].map((sum) => ({ ...sum, suggestion: suggestionOf(sum, query.nowMs) }));
}

function add(sums: Map<string, Sum>, file: ListedFile, query: ReportQuery): void {
  const { path, bytes, modifiedMs, accessedMs, storageClass = NO_CLASS } = file;
  const place = placeOf(path, query);
  const key = `${place.prefix}\n${storageClass}`;
  const sum = sums.get(key) ?? {
    ...place,
    storageClass,
    files: 0,
    bytes: 0,
    oldestMs: modifiedMs,
    newestMs: modifiedMs,
  };
  sum.files += 1;
  sum.bytes += bytes;
  sum.oldestMs = Math.min(sum.oldestMs, modifiedMs);
  sum.newestMs = Math.max(sum.newestMs, modifiedMs);
  if (accessedMs !== undefined) sum.lastAccessMs = Math.max(sum.lastAccessMs ?? 0, accessedMs);
  sums.set(key, sum);
}

function placeOf(path: string, { deliveries, depth }: ReportQuery): Pick<Sum, 'prefix' | 'delivery' | 'kind'> {
  const [first = '', second = ''] = path.split('/');
  if (first === SYSTEM_FOLDER || first === REJECTED_FOLDER) {
    const kind = first === SYSTEM_FOLDER ? 'system' : 'rejected';
    const named = path.split('/').length > 2;
    return { kind, prefix: named ? `${first}/${second}/` : `${first}/`, delivery: named ? second : '' };
  }
  const delivery = deliveries.find(({ prefix }) => path.startsWith(`${prefix}/`));
  if (delivery === undefined) return { kind: 'other', prefix: path.includes('/') ? `${first}/` : '', delivery: '' };
  const below = path
    .slice(delivery.prefix.length + 1)
    .split('/')
    .slice(0, -1)
    .slice(0, depth);
  return { kind: 'data', prefix: [delivery.prefix, ...below, ''].join('/'), delivery: delivery.name };
}

export function suggestionOf(sum: Omit<ReportRow, 'suggestion'>, nowMs: number): string {
  const { kind, storageClass, files, bytes, newestMs, lastAccessMs } = sum;
  if (storageClass === NO_CLASS || (kind !== 'data' && kind !== 'other')) return '';
  const days = Math.floor((nowMs - Math.max(newestMs, lastAccessMs ?? 0)) / DAY_MS);
  const small = bytes / files < BILLED_BYTES_MIN;
  const [to, since] = days >= 90 ? ['GLACIER_IR', 90] : ['STANDARD_IA', 30];
  const warm = storageClass === 'STANDARD' || (storageClass === 'STANDARD_IA' && to === 'GLACIER_IR');
  if (!warm || days < since) return '';
  if (small) return `larger files first: below ${BILLED_BYTES_MIN / 1024} KiB another class saves nothing`;
  return `${to}: nothing new for ${days} days`;
}
