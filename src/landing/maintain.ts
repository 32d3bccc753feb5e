/**
 * What keeps a landing log short and its folder clean: checkpoints, emptying of entries they cover, sweeping of stray stages. All of
 * it is thrift: leaving it out for a year costs time at opening and disk, never a row.
 */
import { isLakewardError } from '../model/errors.ts';
import type { CallOptions } from '../ports/call-options.ts';
import { listCheckpoints, parseCheckpoint, writeCheckpoint } from './checkpoint.ts';
import { EMPTIED_BYTES } from './entry.ts';
import { writeParts } from './file-list.ts';
import type { LogView } from './follow.ts';
import { tidyManifests } from './manifests.ts';
import { dropNotices } from './notices.ts';
import { dropRetiredKeys } from './key-files.ts';
import { numberOfPart } from './paths.ts';
import { inParallel } from './bounded-parallel.ts';
import { listOld } from './list-old.ts';
import { again, type LandingRoom } from './room.ts';
import { forgetLeft, removeLeft } from './leaving.ts';
import { refreshed, type Session, settled } from './session.ts';
import { sweep } from './sweep.ts';

export async function maintainLog(session: Session, call?: CallOptions): Promise<void> {
  try {
    await maintain(session, call);
  } catch (error) {
    if (isLakewardError(error, 'stage-lost')) session.untoldLoss = error;
    throw error;
  }
}

async function maintain(session: Session, call?: CallOptions): Promise<void> {
  await checkpoint(session, await settled(session, call), call);
  await emptyEntries(session, await settled(session, call), call);
  const nowMs = session.room.clock.nowMs();
  if (session.sweptMs !== undefined && nowMs - session.sweptMs < session.room.tuning.sweepEveryMs) return;
  if ((await settled(session, call)).state.leaving.size > 0) {
    // What left may have been taken back since.
    await removeLeft(session.room, (await refreshed(session, call)).state.leaving, call);
  }
  await tidyManifests(session, call);
  if (!session.room.notices) await dropNotices(session.room, call);
  if (!(await sweep(session, await settled(session, call), call)).more) session.sweptMs = nowMs;
}

/** Only of a published entry: `settled` has seen to it. */
async function checkpoint(session: Session, view: LogView, call?: CallOptions): Promise<void> {
  const { room } = session;
  const entries = view.state.n - (view.checkpoint?.n ?? -1);
  const due =
    entries >= room.tuning.checkpointEntries ||
    view.state.added.size >= room.tuning.checkpointFiles ||
    // Says when the files of the newest entry were published.
    room.clock.nowMs() - view.state.headMs >= room.tuning.copyMaxMs;
  if (!due || entries === 0) return;
  // Lists that only older checkpoints name may be gone: nothing is built on an older one while there is a newer.
  const newest = (await listCheckpoints(room, call)).at(-1)?.n ?? -1;
  if (newest > (view.checkpoint?.n ?? -1)) {
    session.distrusted = true;
    return;
  }
  const kept = await dropRetiredKeys(room, view.state, view.checkpoint?.n ?? 0, call);
  const state = { ...kept, leaving: await forgetLeft(room, kept.leaving, call) };
  const parts = await writeParts(room, { state, parts: view.checkpoint?.parts ?? [] }, call);
  const emptiedThrough = Math.max(view.checkpoint?.emptiedThrough ?? -1, session.emptiedThrough);
  const made = await writeCheckpoint(
    room,
    state,
    { n: state.n, timeMs: room.clock.nowMs(), emptiedThrough, parts },
    call,
  );
  await room.step('checkpointed');
  // Somebody else's of the same number came first: what is in the lake counts.
  if (made === undefined) session.distrusted = true;
  else session.view = { ...view, ...made, newest: undefined };
}

/** Empties entries that a checkpoint covers since long ago, and drops what only older checkpoints needed. */
async function emptyEntries(session: Session, view: LogView, call?: CallOptions): Promise<void> {
  const { room } = session;
  const { clock, tuning, paths, store } = room;
  const listed = await listCheckpoints(room, call);
  const old = listed.findLast(({ modifiedMs }) => clock.nowMs() - modifiedMs >= tuning.emptyAfterMs);
  if (old === undefined) return;
  const from = Math.max(view.checkpoint?.emptiedThrough ?? -1, session.emptiedThrough) + 1;
  if (from <= old.n) {
    await again(room, () => room.checkLake(call), call);
    // Whoever made it may have died before it was durable; to create it once more says that it is.
    const bytes = await again(room, () => store.read(old.path, call), call);
    if (bytes === undefined) return;
    await again(room, () => store.create(old.path, bytes, call), call);
    const numbers = Array.from({ length: old.n - from + 1 }, (_, i) => from + i);
    await inParallel(numbers, (n) => again(room, () => store.overwrite(paths.entry(n), EMPTIED_BYTES, call), call));
    session.emptiedThrough = old.n;
    await room.step('emptied');
  }
  const superseded = listed.filter(({ n }) => n < old.n);
  if (superseded.length === 0) return;
  await inParallel(superseded, ({ path }) => again(room, () => store.remove(path, call), call));
  await dropParts(room, call);
}

/**
 * Lists of files that no checkpoint names and that no opener can still be reading. One with a number behind the newest checkpoint stays: who
 * wrote it may sleep, and make the checkpoint that names it when he wakes.
 */
async function dropParts(room: LandingRoom, call?: CallOptions): Promise<void> {
  const named = new Set<string>();
  const listed = await listCheckpoints(room, call);
  const newest = listed.at(-1)?.n ?? -1;
  for (const { path } of listed) {
    const bytes = await again(room, () => room.store.read(path, call), call);
    if (bytes === undefined) return;
    for (const part of parseCheckpoint(bytes, path).checkpoint.parts) named.add(part.path);
  }
  const cutMs = room.clock.nowMs() - room.tuning.emptyAfterMs;
  const parts = await listOld(room, { prefix: room.paths.parts, cutMs, max: Number.POSITIVE_INFINITY }, call);
  const unused = parts.filter(({ path }) => !named.has(path) && (numberOfPart(path) ?? Infinity) <= newest);
  await inParallel(unused, ({ path }) => again(room, () => room.store.remove(path, call), call));
}
