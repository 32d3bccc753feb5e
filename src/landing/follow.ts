/**
 * Reads a landing log: from its newest checkpoint, or on from a state, entry by entry to the newest. Whoever meets an emptied entry
 * was asleep and begins again at the newest checkpoint. A number missing in between, or an entry that is not valid on those before
 * it, is damage: no writer of ours makes one.
 */
import { LakewardError } from '../model/errors.ts';
import type { CallOptions } from '../ports/call-options.ts';
import { type Checkpoint, readNewestCheckpoint } from './checkpoint.ts';
import { type Entry, parseEntry } from './entry.ts';
import { namedIn } from './file-list.ts';
import { EMPTY_STATE, fold, type InCheckpoint, type LandingState } from './fold.ts';
import { inParallel } from './bounded-parallel.ts';
import { again, type LandingRoom } from './room.ts';

const RELOADS_MAX = 8;
const NONCES_MAX = 256;
/** Behind the newest entry, where a later one would show damage: writers take numbers one by one, so a hole is small. */
const PROBED_DISTANCES: readonly number[] = [2, 3, 4, 5, 6, 7, 8, 16, 32, 64, 128];

export interface LogView {
  readonly state: LandingState;
  /** What `state` rests on; undefined when every entry was read. */
  readonly checkpoint: Checkpoint | undefined;
  /** The entry `state.n` with its bytes; undefined when it is the checkpoint's, which is published. */
  readonly newest: { readonly entry: Entry; readonly bytes: Uint8Array } | undefined;
  /** Nonces of the latest entries read, oldest first. */
  readonly nonces: readonly string[];
  /** Entries up to here have their markers and manifests: one that is no repair follows them. */
  readonly markedThrough: number;
  /** Repairs met since the log was opened. */
  readonly repairs: number;
  /** Nonces of replays that were taken back, oldest first. */
  readonly undone: readonly string[];
}

/** Reads from the newest checkpoint. An absent log gives `state.n` = -1. */
export async function loadLog(room: LandingRoom, call?: CallOptions): Promise<LogView> {
  for (let reloads = 0; reloads < RELOADS_MAX; reloads++) {
    const found = await readNewestCheckpoint(room, call);
    const start: LogView = {
      state: found?.state ?? EMPTY_STATE,
      checkpoint: found?.checkpoint,
      newest: undefined,
      nonces: [],
      markedThrough: found?.checkpoint.n ?? -1,
      repairs: 0,
      undone: [],
    };
    const view = await readOn(room, start, call);
    if (view === 'emptied' || !(await isWhole(room, view, call))) continue;
    return view;
  }
  throw new LakewardError(
    'landing-log-damaged',
    `entries of ${room.paths.entries} are missing or emptied although no checkpoint covers them; restore them from a backup`,
  );
}

/** Reads on from a view to the newest entry. */
export async function followLog(room: LandingRoom, from: LogView, call?: CallOptions): Promise<LogView> {
  const view = await readOn(room, from, call);
  if (view !== 'emptied') return view;
  const loaded = await loadLog(room, call);
  const nonces = [...from.nonces, ...loaded.nonces].slice(-NONCES_MAX);
  const undone = [...from.undone, ...loaded.undone].slice(-NONCES_MAX);
  return { ...loaded, nonces, undone, repairs: from.repairs + loaded.repairs };
}

/** The view with an entry on top. */
export function extend(view: LogView, entry: Entry, bytes: Uint8Array): LogView {
  return {
    ...view,
    state: fold(view.state, entry),
    newest: { entry, bytes },
    markedThrough: isRepair(entry) ? view.markedThrough : entry.n - 1,
    nonces: [...view.nonces, entry.nonce].slice(-NONCES_MAX),
    repairs: view.repairs + (isRepair(entry) ? 1 : 0),
    undone: entry.kind === 'undo' ? [...view.undone, entry.undone].slice(-NONCES_MAX) : view.undone,
  };
}

/** What `valid` needs to know of the files of the checkpoint: nothing, unless older files are removed. */
export async function checkpointFiles(
  room: LandingRoom,
  view: LogView,
  removed: readonly string[],
  call?: CallOptions,
): Promise<InCheckpoint> {
  const { added, held } = view.state;
  if (removed.every((path) => added.has(path) || held.has(path))) return () => false;
  const named = await namedIn(room, view.checkpoint?.parts ?? [], removed, call);
  return (path) => named.has(path);
}

async function readOn(room: LandingRoom, from: LogView, call?: CallOptions): Promise<LogView | 'emptied'> {
  let view = from;
  for (;;) {
    const n = view.state.n + 1;
    const path = room.paths.entry(n);
    const bytes = await again(room, () => room.store.read(path, call), call);
    if (bytes === undefined) return view;
    const entry = parseEntry(bytes, n, path);
    if (entry === 'emptied') return 'emptied';
    // Whoever made it has looked up the files of the checkpoint; to read their lists again would make opening depend on them.
    if (!room.rules.valid(view.state, entry, () => true)) {
      throw new LakewardError('landing-log-damaged', `${path} does not follow from the entries before it`);
    }
    view = extend(view, entry, bytes);
  }
}

/**
 * Whether nothing lies behind the newest entry read; something that does came in the meantime, or a number is missing. A log without
 * a checkpoint is short, so it is listed: one that lost its beginning must not be taken for a new one. Of any other, which may hold
 * entries by the hundred thousand, numbers behind the newest are probed, at growing distances.
 */
async function isWhole(room: LandingRoom, { state: { n }, checkpoint }: LogView, call?: CallOptions): Promise<boolean> {
  if (checkpoint === undefined) {
    const behind = n < 0 ? {} : { after: room.paths.entry(n) };
    const page = await again(room, () => room.store.list(room.paths.entries, { ...call, ...behind, limit: 1 }), call);
    return page.files.length === 0;
  }
  let whole = true;
  await inParallel(PROBED_DISTANCES, async (distance) => {
    const path = room.paths.entry(n + distance);
    if ((await again(room, () => room.store.read(path, call), call)) !== undefined) whole = false;
  });
  return whole;
}

function isRepair(entry: Entry): boolean {
  if (entry.kind === 'undo') return true;
  return (entry.kind === 'replace' && entry.repair) || (entry.kind === 'gap' && entry.removed.length > 0);
}
