/**
 * The protocol of one open log: recover, publish the newest entry, commit the next. Entry n+1 is created only after entry n is
 * published, by whoever comes first; so only the newest entry can be unpublished, and recovery is to publish it.
 */
import { LakewardError } from '../model/errors.ts';
import type { StreamId, Positions } from '../model/stream.ts';
import type { CallOptions } from '../ports/call-options.ts';
import type { StageHandle } from '../ports/lake-store.ts';
import { confirmEntry, createEntry } from './create-entry.ts';
import { encodeEntry, type Entry, type EntryBody, ENTRY_VERSION, removedPaths } from './entry.ts';
import { checkpointFiles, extend, followLog, loadLog, type LogView } from './follow.ts';
import { writeManifests } from './manifests.ts';
import { writeMarkers } from './markers.ts';
import { inParallel } from './bounded-parallel.ts';
import { filesBefore } from './known-keys.ts';
import type { PartitionReader } from './partition-files.ts';
import { publishEntry } from './publish.ts';
import { repairOf, type Rebuild } from './repair.ts';
import { waitMs } from './retry.ts';
import { again, type LandingRoom } from './room.ts';

/** What a log knows at the moment; changed by one call at a time. */
export interface Session {
  readonly room: LandingRoom;
  readonly lakeId: string;
  readonly stream: { readonly name: string; readonly id: StreamId };
  readonly start: () => Promise<Positions>;
  readonly rebuild: Rebuild | undefined;
  view: LogView | undefined;
  /** The newest entry of the view is known to be published. */
  published: boolean;
  /** A call failed: the log is read again before anything is decided. */
  distrusted: boolean;
  /** Markers and manifests of entries up to here are written. */
  markedThrough: number;
  readonly partitions: PartitionReader;
  /** Entries up to here were emptied by this process. */
  emptiedThrough: number;
  /** When stray stages were last looked for. */
  sweptMs: number | undefined;
  /** A loss that maintenance met; the next commit says so, because only its caller can stop the delivery. */
  untoldLoss?: LakewardError | undefined;
}

export interface Proposal {
  readonly nonce: string;
  readonly body: EntryBody;
  /** Discarded when the proposal is superseded. */
  readonly handles: readonly Pick<StageHandle, 'staged' | 'versionId'>[];
}

const COLLISIONS_MAX = 64;
/** Doublings of the wait after lost numbers. */
const BACKOFF_MAX = 3;

/** Reads the log, makes entry 0 when there is none, publishes the newest entry. */
export async function recover(session: Session, call?: CallOptions): Promise<void> {
  const { room } = session;
  await again(room, () => room.checkLake(call), call);
  let view = await loadLog(room, call);
  if (view.state.n < 0) {
    const positions = Object.fromEntries(await session.start());
    const stream = { name: session.stream.name, id: session.stream.id };
    const entry = entryOf(room, 0, {
      nonce: room.clock.uuid(),
      body: { kind: 'open', lakeId: session.lakeId, stream, positions },
    });
    await createEntry(room, entry, encodeEntry(entry), call);
    view = await loadLog(room, call);
  }
  checkOrigin(session, view);
  session.view = continued(session.view, view);
  session.markedThrough = Math.max(session.markedThrough, view.markedThrough);
  session.published = false;
  session.distrusted = false;
  await publishNewest(session, call);
}

/** The view, with its newest entry published. */
export async function settled(session: Session, call?: CallOptions): Promise<LogView> {
  if (session.distrusted || session.view === undefined) await recover(session, call);
  if (!session.published) await publishNewest(session, call);
  return session.view as LogView;
}

/** The view, read on to what others have made since. */
export async function refreshed(session: Session, call?: CallOptions): Promise<LogView> {
  const before = await settled(session, call);
  const now = await followLog(session.room, before, call);
  if (now.state.n === before.state.n) return before;
  session.view = now;
  session.published = false;
  return settled(session, call);
}

/** Makes a proposal the next entry and publishes it. */
export async function commitBody(
  session: Session,
  proposal: Proposal,
  call?: CallOptions,
): Promise<'committed' | 'superseded'> {
  const { room, untoldLoss } = session;
  session.untoldLoss = undefined;
  if (untoldLoss !== undefined) throw untoldLoss;
  let view = await settled(session, call);
  const { repairs } = view;
  for (let collisions = 0; ; collisions++) {
    if (view.nonces.includes(proposal.nonce)) return count(room, proposal, outcomeOf(view, proposal));
    if (view.repairs !== repairs || !(await isValid(room, view, proposal, call))) {
      await supersede(room, proposal, call);
      return count(room, proposal, 'superseded');
    }
    if (collisions > COLLISIONS_MAX) {
      throw new LakewardError('lake-unavailable', `entry ${view.state.n + 1} of ${room.delivery} was taken too often`);
    }
    if ((await createNext(session, view, proposal, call)) === 'own') {
      await publishNewest(session, call, { confirmed: true });
      return count(room, proposal, outcomeOf(session.view as LogView, proposal));
    }
    // Whoever was first publishes meanwhile; those who wait for long leave room for others.
    await room.clock.sleep(waitMs(room.clock, Math.min(collisions, BACKOFF_MAX)), call?.signal);
    view = await settled(session, call);
  }
}

/** One try at the next number; the view has the entry on top then, unpublished. other: the view has moved on to whatever took it. */
export async function createNext(
  session: Session,
  view: LogView,
  proposal: Omit<Proposal, 'handles'>,
  call?: CallOptions,
): Promise<'own' | 'other'> {
  const { room } = session;
  await again(room, () => room.checkLake(call), call);
  const entry = entryOf(room, view.state.n + 1, proposal);
  const bytes = encodeEntry(entry);
  const outcome = await createEntry(room, entry, bytes, call);
  session.view = outcome === 'own' ? extend(view, entry, bytes) : await followLog(room, view, call);
  session.published = false;
  if (outcome === 'own') await room.step('entry-created');
  return outcome;
}

/**
 * Publishes the newest entry; files that the store lost are rebuilt by a repair entry, which is then the newest. Whoever finds a
 * file lost looks first whether a later entry or a checkpoint shows that it was published long ago.
 */
export async function publishNewest(
  session: Session,
  call?: CallOptions,
  made?: { readonly confirmed: boolean },
): Promise<void> {
  const { room } = session;
  let confirmed = made?.confirmed ?? !room.rules.confirmsNewest;
  let lostRows = 0;
  for (;;) {
    const view = session.view as LogView;
    const { newest } = view;
    if (newest === undefined || !room.rules.helpsNewest) break;
    if (!confirmed) await confirmEntry(room, view.state.n, newest.bytes, call);
    const visible = (): Promise<void> => writeManifests(session, call);
    const lost = await publishEntry(room, newest.entry, { ...call, visible });
    if (lost.length === 0) break;
    const now = await loadLog(room, call);
    if (now.state.n > view.state.n || now.newest === undefined) {
      session.view = continued(view, now);
      confirmed = false;
      continue;
    }
    const repair = await repairOf(
      room,
      { entry: newest.entry, lost, known: filesBefore(view.state.known, view.state.n) },
      session.rebuild,
      call,
    );
    confirmed = (await createNext(session, view, repair, call)) === 'own';
    if (confirmed && repair.body.kind === 'gap') lostRows += repair.body.lostRows;
  }
  const { state } = session.view as LogView;
  const at = { view: session.view as LogView, after: session.markedThrough, reader: session.partitions };
  await writeMarkers(room, at, call);
  session.markedThrough = state.n;
  session.published = true;
  if (lostRows === 0) return;
  throw new LakewardError(
    'stage-lost',
    `${lostRows} committed rows of '${room.delivery}' vanished from the lake, and the stream no longer holds them; entry ${state.n} says so, resume to go on without them`,
  );
}

/** A replay or a merge may have been taken back at once, because the store lost a file of it: then nothing of it shows. */
function outcomeOf(view: LogView, { nonce }: Proposal): 'committed' | 'superseded' {
  return view.undone.includes(nonce) ? 'superseded' : 'committed';
}

async function isValid(room: LandingRoom, view: LogView, proposal: Proposal, call?: CallOptions): Promise<boolean> {
  const { nonce, body } = proposal;
  const inCheckpoint = await checkpointFiles(room, view, removedPaths(body), call);
  return room.rules.valid(view.state, { ...body, nonce }, inCheckpoint);
}

/** The number of the proposal is seen to hold another entry, so its stages can go; one that stays is swept later. */
async function supersede(room: LandingRoom, { handles, body, nonce }: Proposal, call?: CallOptions): Promise<void> {
  room.telemetry.log.info('landing superseded', { delivery: room.delivery, kind: body.kind, nonce });
  await inParallel(handles, async (handle) => {
    await again(room, () => room.store.discard(handle, call), call);
  });
}

export function entryOf(room: LandingRoom, n: number, { nonce, body }: Omit<Proposal, 'handles'>): Entry {
  return { v: ENTRY_VERSION, n, nonce, writer: room.writer, timeMs: room.clock.nowMs(), ...body };
}

function checkOrigin(session: Session, view: LogView): void {
  const { origin } = view.state;
  const { delivery } = session.room;
  if (origin?.lakeId === session.lakeId && origin.streamId === session.stream.id) return;
  const which =
    origin?.lakeId === session.lakeId
      ? `stream '${origin.stream}' with the id ${origin.streamId}, and the stream of that name is now ${session.stream.id}`
      : `the lake ${origin?.lakeId ?? 'unknown'}, and this lake is ${session.lakeId}`;
  throw new LakewardError('incarnation-mismatch', `the landing log of '${delivery}' was written for ${which}`, {
    details: { origin },
  });
}

function count<T extends 'committed' | 'superseded'>(room: LandingRoom, { body }: Proposal, outcome: T): T {
  room.telemetry
    .counter({
      name: 'lakeward_landing_entries_total',
      help: 'Entries proposed to landing logs, by kind and outcome.',
      labels: ['delivery', 'kind', 'outcome'],
    })
    .add(1, { delivery: room.delivery, kind: body.kind, outcome });
  return outcome;
}

/** What a log read anew adds to what an open one remembers. */
function continued(before: LogView | undefined, now: LogView): LogView {
  if (before === undefined) return now;
  return {
    ...now,
    nonces: [...before.nonces, ...now.nonces],
    repairs: before.repairs + now.repairs,
    undone: [...before.undone, ...now.undone],
  };
}
