/**
 * What keeps a landing log short and its folder clean: checkpoints, emptying of entries they cover, sweeping of stray stages. All of
 * it is thrift: leaving it out for a year costs time at opening and disk, never a row.
 */
import { isLakewardError } from '../model/errors.ts';
import type { LakePath } from '../model/lake-path.ts';
import type { CallOptions } from '../ports/call-options.ts';
import type { ListedFile } from '../ports/lake-store.ts';
import { listCheckpoints, parseCheckpoint, writeCheckpoint } from './checkpoint.ts';
import { EMPTIED_BYTES } from './entry.ts';
import { writeParts } from './file-list.ts';
import type { LogView } from './follow.ts';
import { dropRetiredKeys, namedKeys, nonceOfKeys } from './key-files.ts';
import { nonceOfStage } from './paths.ts';
import { inParallel } from './bounded-parallel.ts';
import { again, type LandingRoom } from './room.ts';
import { createNext, publishNewest, type Session, settled } from './session.ts';

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
  if ((await sweep(session, await settled(session, call), call)) === 'all') session.sweptMs = nowMs;
}

/** Only of a published entry: `settled` has seen to it. */
async function checkpoint(session: Session, view: LogView, call?: CallOptions): Promise<void> {
  const { room } = session;
  const entries = view.state.n - (view.checkpoint?.n ?? -1);
  const due = entries >= room.tuning.checkpointEntries || view.state.added.size >= room.tuning.checkpointFiles;
  if (!due || entries === 0) return;
  const state = await dropRetiredKeys(room, view.state, view.checkpoint?.n ?? 0, call);
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

/** Lists of files that no checkpoint names and that no opener can still be reading. */
async function dropParts(room: LandingRoom, call?: CallOptions): Promise<void> {
  const named = new Set<string>();
  for (const { path } of await listCheckpoints(room, call)) {
    const bytes = await again(room, () => room.store.read(path, call), call);
    if (bytes === undefined) return;
    for (const part of parseCheckpoint(bytes, path).checkpoint.parts) named.add(part.path);
  }
  const cutMs = room.clock.nowMs() - room.tuning.emptyAfterMs;
  const parts = await listOld(room, { prefix: room.paths.parts, cutMs, max: Number.POSITIVE_INFINITY }, call);
  const unused = parts.filter(({ path }) => !named.has(path));
  await inParallel(unused, ({ path }) => again(room, () => room.store.remove(path, call), call));
}

/**
 * First an entry condemns the nonces, then their stages go: a slow worker of such a nonce starts over. What is listed under a
 * condemned nonce can be deleted at any time. A number taken by somebody else ends this try: what was listed may be named by now.
 */
async function sweep(session: Session, view: LogView, call?: CallOptions): Promise<'all' | 'more'> {
  const { room } = session;
  const cutMs = room.clock.nowMs() - room.tuning.sweepAfterMs;
  const { stages, keyFiles } = room.paths;
  const oldStages = await listOld(room, { prefix: stages, cutMs, max: SWEPT_MAX }, call);
  const isNamed = namedKeys(view.state, room);
  const oldKeys = await listOld(room, { prefix: keyFiles, cutMs, max: Number.POSITIVE_INFINITY }, call);
  const old = [
    ...oldStages.map(({ path }) => ({ path, nonce: nonceOfStage(stages, path) })),
    ...oldKeys.filter(({ path }) => !isNamed(path)).map(({ path }) => ({ path, nonce: nonceOfKeys(keyFiles, path) })),
  ];
  if (old.length === 0) return 'all';
  const nonces = new Set(old.map(({ nonce }) => nonce));
  const fresh = [...nonces].filter((nonce) => !view.state.condemned.includes(nonce)).slice(0, NONCES_AT_ONCE);
  if (fresh.length > 0) {
    const proposal = { nonce: room.clock.uuid(), body: { kind: 'sweep' as const, nonces: fresh } };
    if ((await createNext(session, view, proposal, call)) === 'other') return 'all';
    await publishNewest(session, call, { confirmed: true });
  }
  const condemned = new Set([...view.state.condemned, ...fresh]);
  const swept = old.filter(({ nonce }) => condemned.has(nonce));
  await inParallel(swept, ({ path }) => again(room, () => room.store.discard({ staged: path }, call), call));
  room.telemetry.log.info('stray stages swept', { delivery: room.delivery, files: swept.length });
  await room.step('swept');
  return oldStages.length < SWEPT_MAX ? 'all' : 'more';
}

/** Files one sweep takes; more are left to the next. */
const SWEPT_MAX = 10_000;
const NONCES_AT_ONCE = 500;

/** Files last changed before `cutMs`, about `max` of them at most. */
async function listOld(
  room: LandingRoom,
  { prefix, cutMs, max }: { readonly prefix: string; readonly cutMs: number; readonly max: number },
  call?: CallOptions,
): Promise<ListedFile[]> {
  const found: ListedFile[] = [];
  for (let after: LakePath | undefined; ; ) {
    const cursor = after === undefined ? {} : { after };
    const page = await again(room, () => room.store.list(prefix, { ...call, ...cursor }), call);
    found.push(...page.files.filter(({ modifiedMs }) => modifiedMs < cutMs));
    if (page.next === undefined || found.length >= max) return found;
    after = page.next;
  }
}
