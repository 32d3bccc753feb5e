/**
 * Checkpoints: the state of a log at a published entry, so that opening reads a few entries whatever the log's age. One JSON
 * object, `_lakeward/<folder>/checkpoint/<20 digits>.json`, made once; live files lie in parts beside it (`file-list.ts`). A
 * checkpoint is derived: losing all of them before entries are emptied loses nothing.
 */
import { LakewardError } from '../model/errors.ts';
import { asOffset, asShard } from '../model/stream.ts';
import type { CallOptions } from '../ports/call-options.ts';
import type { LakePath } from '../model/lake-path.ts';
import type { PartReference } from './file-list.ts';
import { EMPTY_STATE, type LandingState, type OpenPartition } from './fold.ts';
import type { KnownKeys } from './known-keys.ts';
import type { HeldFile } from './live-files.ts';
import { numberOf } from './paths.ts';
import { type HighTable, highTable, moveHighs } from './shard-highs.ts';
import { again, type LandingRoom } from './room.ts';

const CHECKPOINT_VERSION = 1;

export interface Checkpoint {
  readonly n: number;
  readonly timeMs: number;
  /** Entries up to here hold nothing any more. */
  readonly emptiedThrough: number;
  readonly parts: readonly PartReference[];
}

type Stored = Checkpoint & {
  readonly v: number;
  readonly origin: LandingState['origin'];
  readonly positions: Readonly<Record<string, number>>;
  readonly planVersion: number;
  readonly totals: LandingState['totals'];
  /** Absent in checkpoints of earlier versions, as are some of the totals. */
  readonly rejects?: LandingState['rejects'];
  readonly liveFiles: number;
  readonly watermarkMs?: number;
  /** Absent in checkpoints of earlier versions. */
  readonly highs?: HighTable;
  readonly lastLandedMs?: number;
  readonly condemned: readonly string[];
  readonly known?: KnownKeys;
  readonly open: Readonly<Record<string, OpenPartition>>;
  /** Absent when there are none. */
  readonly held?: readonly HeldFile[];
  /** Absent in checkpoints of earlier versions, and when nothing leaves. */
  readonly leaving?: Readonly<Record<string, number>>;
};

/** What the checkpoint says when it is read; undefined when one of that number was there already and counts. */
export async function writeCheckpoint(
  room: LandingRoom,
  state: LandingState,
  checkpoint: Checkpoint,
  call?: CallOptions,
): Promise<{ readonly checkpoint: Checkpoint; readonly state: LandingState } | undefined> {
  const { watermarkMs, lastLandedMs } = state;
  const stored: Stored = {
    v: CHECKPOINT_VERSION,
    ...checkpoint,
    origin: state.origin,
    positions: Object.fromEntries(state.positions),
    planVersion: state.planVersion,
    totals: state.totals,
    rejects: state.rejects,
    liveFiles: state.liveFiles,
    ...(watermarkMs === undefined ? {} : { watermarkMs }),
    ...(state.highs.size === 0 ? {} : { highs: highTable(state.highs) }),
    ...(lastLandedMs === undefined ? {} : { lastLandedMs }),
    condemned: state.condemned,
    ...(hasKeys(state) ? { known: state.known } : {}),
    open: Object.fromEntries(state.open),
    // A checkpoint is of published files.
    ...(state.held.size === 0
      ? {}
      : { held: [...state.held.values()].map((file) => ({ publishedMs: checkpoint.timeMs, ...file })) }),
    ...(state.leaving.size === 0 ? {} : { leaving: Object.fromEntries(state.leaving) }),
  };
  const bytes = new TextEncoder().encode(JSON.stringify(stored));
  const path = room.paths.checkpoint(state.n);
  // Two writers at one number write the same state; whichever came first serves.
  const outcome = await again(room, () => room.store.create(path, bytes, call), call);
  return outcome === 'created' ? parseCheckpoint(bytes, path) : undefined;
}

/** The newest checkpoint and the state it holds; undefined when there is none. */
export async function readNewestCheckpoint(
  room: LandingRoom,
  call?: CallOptions,
): Promise<{ readonly checkpoint: Checkpoint; readonly state: LandingState } | undefined> {
  const newest = (await listCheckpoints(room, call)).at(-1);
  if (newest === undefined) return undefined;
  const bytes = await again(room, () => room.store.read(newest.path, call), call);
  if (bytes === undefined) throw new LakewardError('lake-unavailable', `${newest.path} was dropped while it was read`);
  return parseCheckpoint(bytes, newest.path);
}

export interface ListedCheckpoint {
  readonly path: LakePath;
  readonly n: number;
  readonly modifiedMs: number;
}

/** Ascending. */
export async function listCheckpoints(room: LandingRoom, call?: CallOptions): Promise<readonly ListedCheckpoint[]> {
  const found: ListedCheckpoint[] = [];
  for (let after: LakePath | undefined; ; ) {
    const cursor = after === undefined ? {} : { after };
    const page = await again(room, () => room.store.list(room.paths.checkpoints, { ...call, ...cursor }), call);
    for (const { path, modifiedMs } of page.files) {
      const n = numberOf(path);
      if (n !== undefined) found.push({ path, n, modifiedMs });
    }
    if (page.next === undefined) return found;
    after = page.next;
  }
}

export function parseCheckpoint(bytes: Uint8Array, path: string): { checkpoint: Checkpoint; state: LandingState } {
  let stored: Stored;
  try {
    stored = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as Stored;
  } catch (cause) {
    throw damaged(path, 'is no JSON', cause);
  }
  if (stored.v !== CHECKPOINT_VERSION) throw damaged(path, `has version ${stored.v}, not ${CHECKPOINT_VERSION}`);
  const whole =
    stored.n === numberOf(path) &&
    stored.origin !== undefined &&
    Array.isArray(stored.parts) &&
    Array.isArray(stored.condemned) &&
    [stored.positions, stored.totals, stored.open].every((part) => typeof part === 'object' && part !== null);
  if (!whole) throw damaged(path, 'is not whole');
  const { n, timeMs, emptiedThrough, parts } = stored;
  const positions = Object.entries(stored.positions).map(([s, at]) => [asShard(Number(s)), asOffset(at)] as const);
  const state: LandingState = {
    ...EMPTY_STATE,
    n,
    origin: stored.origin,
    positions: new Map(positions),
    planVersion: stored.planVersion,
    totals: { ...EMPTY_STATE.totals, ...stored.totals },
    rejects: stored.rejects ?? EMPTY_STATE.rejects,
    liveFiles: stored.liveFiles,
    watermarkMs: stored.watermarkMs,
    highs: moveHighs(EMPTY_STATE.highs, stored.highs),
    lastLandedMs: stored.lastLandedMs,
    condemned: stored.condemned,
    known: stored.known ?? EMPTY_STATE.known,
    open: new Map(Object.entries(stored.open)),
    held: new Map((stored.held ?? []).map((file) => [file.file.path, file])),
    leaving: new Map(Object.entries(stored.leaving ?? {})),
    headMs: timeMs,
  };
  return { checkpoint: { n, timeMs, emptiedThrough, parts }, state };
}

function hasKeys({ known }: LandingState): boolean {
  return known.rule !== undefined || known.retired.length > 0;
}

function damaged(path: string, why: string, cause?: unknown): LakewardError {
  return new LakewardError('landing-log-damaged', `the checkpoint ${path} ${why}`, { cause });
}
