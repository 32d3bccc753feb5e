/**
 * Which event ids a delivery remembers, as far as its log says: the files of ids that appends named, oldest first, as long as they
 * lie in the window. Pure: two processes that read the same entries remember the same, so a landing that is made anew finds the same
 * duplicates. A file leaves in front: when all its rows arrived more than a window before the newest landing began, when there is no
 * more room, or when rows are told apart by another key. It stays on the lake until a checkpoint forgets it.
 */
import type { DedupeRule } from '../model/delivery.ts';
import { LIMITS } from '../model/limits.ts';

/** A file of event ids, at `keys/<name>` of the log's folder; see `convert/engine/key-file.ts` for its bytes. */
export interface KeyFile {
  /** `<nonce>-<number>`, with `.lwenc` behind it when it is encrypted. Bytes and checksum are those of what it holds. */
  readonly name: string;
  readonly keys: number;
  readonly bytes: number;
  /** CRC-32 of the file, 8 hex digits. */
  readonly checksum: string;
  /** No row of the file arrived later, epoch ms. */
  readonly lastArrivalMs: number;
}

/** What an append says about duplicates. */
export interface AppendKeys extends DedupeRule {
  /** Nonce of the append it was compared with last: on top of another one it is not valid. Absent when nothing was known. */
  readonly after?: string;
  /** Arrival of the landing's first record, epoch ms; absent when it has none. */
  readonly firstArrivalMs?: number;
  readonly duplicateRows: number;
  /** Rows that landed without an id. */
  readonly unkeyedRows: number;
  /** Ids of the rows that landed. */
  readonly files: readonly KeyFile[];
}

/** `n`: the entry that named it. */
export type KnownFile = KeyFile & { readonly n: number };
/** `at`: the entry that let it go; -1 when nothing can need it any more. */
export type RetiredFile = KnownFile & { readonly at: number };

export interface KnownKeys {
  readonly rule: DedupeRule | undefined;
  /** Nonce of the append that was remembered last. */
  readonly last?: string;
  readonly files: readonly KnownFile[];
  readonly keys: number;
  readonly retired: readonly RetiredFile[];
  /** Arrivals before it are outside the window, epoch ms. */
  readonly horizonMs: number;
  /** The newest arrival forgotten for want of room, epoch ms. */
  readonly cutMs: number;
}

export const NO_KEYS: KnownKeys = { rule: undefined, files: [], keys: 0, retired: [], horizonMs: 0, cutMs: 0 };

const BOUNDS: { readonly keysMax: number; readonly filesMax: number } = {
  keysMax: LIMITS.dedupeKeysMax,
  filesMax: LIMITS.dedupeFilesMax,
};

/** What is remembered after an append; one that says nothing of keys forgets them. */
export function remember(
  known: KnownKeys,
  { n, nonce }: { readonly n: number; readonly nonce: string },
  appended: AppendKeys | undefined,
  { keysMax, filesMax }: typeof BOUNDS = BOUNDS,
): KnownKeys {
  const before = known.rule?.key === appended?.key ? known : forgetAll(known);
  if (appended === undefined) return before;
  const { key, windowMs, firstArrivalMs } = appended;
  const horizonMs = firstArrivalMs === undefined ? before.horizonMs : firstArrivalMs - windowMs;
  const files = [...before.files, ...appended.files.map((file) => ({ ...file, n }))];
  let keys = before.keys + appended.files.reduce((sum, file) => sum + file.keys, 0);
  let { cutMs } = before;
  let gone = 0;
  for (const [i, file] of files.entries()) {
    const outside = file.lastArrivalMs < horizonMs;
    if (!outside && keys <= keysMax && files.length - i <= filesMax) break;
    if (!outside) cutMs = Math.max(cutMs, file.lastArrivalMs);
    keys -= file.keys;
    gone = i + 1;
  }
  const retired = [...before.retired, ...files.slice(0, gone).map((file) => ({ ...file, at: n }))];
  return { rule: { key, windowMs }, last: nonce, files: files.slice(gone), keys, retired, horizonMs, cutMs };
}

/** What is remembered when entry `undone` is taken back; what was compared with its ids is not valid on it. */
export function forgetLast(
  known: KnownKeys,
  { nonce, undone }: { readonly nonce: string; readonly undone: string },
): KnownKeys {
  if (known.last !== undone) return known;
  const isOf = ({ name }: KeyFile): boolean => name.startsWith(`${undone}-`);
  const files = known.files.filter((file) => !isOf(file));
  const keys = files.reduce((sum, file) => sum + file.keys, 0);
  const gone = known.files.filter(isOf).map((file) => ({ ...file, at: -1 }));
  return { ...known, last: nonce, files, keys, retired: [...known.retired, ...gone] };
}

/** The files that entry `n` was made with: what was remembered before it. */
export function filesBefore({ files, retired }: KnownKeys, n: number): readonly KeyFile[] {
  return [...retired.filter((file) => file.at === n && file.n < n), ...files.filter((file) => file.n < n)];
}

/** The files that rows of this rule are compared with. */
export function filesFor({ rule, files }: KnownKeys, { key }: DedupeRule): readonly KeyFile[] {
  return rule?.key === key ? files : [];
}

/** Whether ids were forgotten although the window still holds them. */
export function isCut({ rule, cutMs, horizonMs }: KnownKeys): boolean {
  return rule !== undefined && cutMs > 0 && cutMs >= horizonMs;
}

function forgetAll({ files, retired }: KnownKeys): KnownKeys {
  return { ...NO_KEYS, retired: [...retired, ...files].map((file) => ({ ...file, at: -1 })) };
}
