/**
 * The landing log of one delivery: what has landed, from which offsets, in which files. The one place that decides; everything else
 * (broker positions, listings) is advice. Calls of one log run one after the other; any number of logs, in any processes, may be
 * open on the same delivery: the numbered entries are the fence.
 *
 *   commit: [newest published] → create entry n+1 → publish its files → [newest published]
 *             │ number taken: read on to the newest; still valid → publish the newest, next number; not → superseded
 *
 * After any failure what is known is distrusted and read again before anything is decided.
 */
import type { DataFile, RejectedFile } from '../model/data-file.ts';
import type { LakePath } from '../model/lake-path.ts';
import type { Positions, StreamId } from '../model/stream.ts';
import type { OffsetGap } from '../ports/broker.ts';
import type { CallOptions } from '../ports/call-options.ts';
import type { Clock } from '../ports/clock.ts';
import type { Page, SweepReport } from '../ports/deliveries.ts';
import type { LakeStore, StageHandle } from '../ports/lake-store.ts';
import type { Telemetry } from '../ports/telemetry.ts';
import {
  type AppendDraft,
  appendOf,
  type DropDraft,
  dropOf,
  type MergeDraft,
  mergeOf,
  type ReplayDraft,
  replayOf,
} from './draft.ts';
import type { EntryBody } from './entry.ts';
import { type FileQuery, pageOfFiles } from './file-list.ts';
import type { LandingState, Totals } from './fold.ts';
import type { HeldFile, Leaving, LiveFile } from './live-files.ts';
import { type KeysToWrite, readKeyFile, writeKeyFile } from './key-files.ts';
import type { KeyFile, KnownKeys } from './known-keys.ts';
import { checkLake } from './lake-identity.ts';
import { dropMarkers } from './markers.ts';
import { type FilesCall, type LandedFile, type LogReader, logReader, showFiles } from './log-reader.ts';
import { maintainLog } from './maintain.ts';
import { partitionReader } from './partition-files.ts';
import { settleManifests } from './manifests.ts';
import { landingPaths } from './paths.ts';
import { type LandingRoom, type LandingRules, type LandingTuning, PROTOCOL, TUNING } from './room.ts';
import { rebuildLost } from './rebuild-lost.ts';
import type { Rebuild } from './repair.ts';
import type { RejectCounts } from './reject-counts.ts';
import { commitBody, recover, refreshed, type Session, settled } from './session.ts';
import { type FileToStage, stageFile } from './stage.ts';
import type { ShardHighs } from './shard-highs.ts';
import type { StepHook } from './steps.ts';
import { strayStages, sweep } from './sweep.ts';

export type { AppendDraft, DropDraft, MergeDraft } from './draft.ts';
export type { LandedFile, LogReader, SetAsideFile } from './log-reader.ts';

export interface LandingLogOptions {
  readonly store: LakeStore;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly delivery: string;
  /** Folder of the log below `_lakeward/`, by default the delivery's name. */
  readonly folder?: string;
  /** Lake folder of the data files. */
  readonly prefix: string;
  readonly writer: string;
  readonly lakeId: string;
  readonly stream: { readonly name: string; readonly id: StreamId };
  /** Keeps a list of its files for every partition. */
  readonly manifests?: boolean;
  /** Keeps what is to be told of partitions that are complete or were reopened. */
  readonly notices?: boolean;
  /** Asked only when entry 0 is made. */
  readonly start: () => Promise<Positions>;
  /** Makes lost files anew from the stream; without it a loss is reported as `stage-lost` and the delivery cannot go on. */
  readonly rebuild?: Rebuild;
  readonly step?: StepHook;
  readonly tuning?: Partial<LandingTuning>;
  /** For tests of the tests: leaves a rule of the protocol out. */
  readonly rules?: Partial<LandingRules>;
}

export interface LandingView {
  /** Number of the newest entry. */
  readonly entry: number;
  /** For each shard the next offset to land; a shard that is not named begins at 0. */
  readonly positions: Positions;
  readonly planVersion: number;
  readonly totals: Totals;
  readonly rejects: RejectCounts;
  /** Data files that readers see. */
  readonly liveFiles: number;
  /** Late rows that no reader sees yet, oldest first. */
  readonly held: readonly HeldFile[];
  readonly watermarkMs?: number;
  readonly highs: ShardHighs;
  /** The watermark cut down to a full hour: every hour before it is closed. */
  readonly closedThroughMs?: number;
  readonly lastLandedMs?: number;
  /** Event ids remembered to drop duplicates. */
  readonly known: KnownKeys;
}

export interface LandingLog {
  view(): LandingView;
  /** A new nonce: names one landing, its stages and its entry. */
  nonce(): string;
  /**
   * Takes a local file (gone afterwards) to a stage of the nonce, to be published as `directory/name`. The name must be unique for
   * ever. Every attempt uses a fresh stage. Throws `lake-unavailable`.
   */
  stage(nonce: string, file: FileToStage, call?: CallOptions): Promise<StageHandle>;
  /** Keeps a file of event ids that a draft of its nonce names later; again with the same content is fine. Throws `lake-unavailable`. */
  writeKeys(file: KeysToWrite, call?: CallOptions): Promise<void>;
  /** The content of a file of event ids. Throws `lake-unavailable` when it is gone or damaged. */
  readKeys(file: KeyFile, call?: CallOptions): Promise<Uint8Array>;
  /**
   * Makes the entry and publishes its files. committed: visible, but for those that are held. superseded: another writer was first (or a sweep condemned the
   * nonce); the stages are discarded and the view is new. Throws `lake-unavailable` with the outcome open: the same draft may be
   * committed again, or the log opened anew. Throws `incarnation-mismatch`, `stage-lost`, `landing-log-damaged`.
   */
  commit(draft: AppendDraft, call?: CallOptions): Promise<'committed' | 'superseded'>;
  /** Makes an entry that skips offsets; each gap begins at its shard's position. */
  commitGap(gaps: readonly OffsetGap[], call?: CallOptions): Promise<'committed' | 'superseded'>;
  /**
   * Lands rejected rows after all. superseded: one of the files of rejected rows is not live any more (another replay took it), or the
   * store lost a file of this one and it was taken back; nothing of it shows. Throws as `commit`.
   */
  commitReplay(draft: ReplayDraft, call?: CallOptions): Promise<'committed' | 'superseded'>;
  /**
   * Puts files in the place of others with the same rows. superseded: one of the others is not live any more (another merge took it), or
   * the store lost a file of this one and it was taken back; nothing of it shows. Only files that `eachFile` calls settled may be
   * replaced. Throws as `commit`.
   */
  commitMerge(draft: MergeDraft, call?: CallOptions): Promise<'committed' | 'superseded'>;
  /**
   * Removes rows on purpose. superseded: a file is not live any more (another process took it), or the store lost a file of this one and it
   * was taken back. Only settled files may be removed. Throws as `commit`.
   */
  commitDrop(draft: DropDraft, call?: CallOptions): Promise<'committed' | 'superseded'>;
  /** Shows every live data file, and every live file of rejected rows, in no order. Reads on first. Throws as `commit`. */
  eachFile(visit: (landed: LandedFile) => void, call?: FilesCall): Promise<void>;
  /**
   * Removes completeness markers of partitions that are over; gives how many (a dry run: how many there are). One that another process writes
   * anew meanwhile is met by the next call.
   */
  dropMarkers(
    isOver: (partition: string) => boolean,
    call?: CallOptions & { readonly dryRun?: boolean },
  ): Promise<number>;
  /** Makes published files that the lake lost anew from the stream, where that can be done; gives their paths. Throws as `commit`. */
  rebuildLost(lost: ReadonlySet<string>, call?: CallOptions): Promise<readonly LakePath[]>;
  /** Files that left and may still be there, with the time they are to go, epoch ms. */
  leaving(): Leaving;
  /** Where files of late rows are held: a data file staged to a folder below it, named as in the lake, is not seen until it is merged. */
  readonly heldFolder: string;
  /** Reads on to what other processes have landed since. Throws as `commit`. */
  refresh(call?: CallOptions): Promise<void>;
  /** Live data files in path order. */
  files(
    options: CallOptions & {
      readonly prefix?: string | undefined;
      readonly after?: string | undefined;
      readonly limit: number;
    },
  ): Promise<Page<DataFile>>;
  /** Files of rejected rows in path order, which is the order of their days. */
  rejectedFiles(
    options: CallOptions & { readonly after?: string | undefined; readonly limit: number },
  ): Promise<Page<RejectedFile>>;
  /** Writes a checkpoint when one is due, empties old entries, sweeps stray stages. To be called now and then. */
  maintain(call?: CallOptions): Promise<void>;
  /** Removes stray stages now; a dry run only says which. */
  sweep(options: CallOptions & { readonly dryRun: boolean }): Promise<SweepReport>;
}

const HOUR_MS = 3_600_000;

/**
 * Opens the log, making it when there is none: reads it, publishes its newest entry. Throws `incarnation-mismatch` when it was
 * written for another lake or stream, `landing-log-damaged`, `lake-unavailable`, `stage-lost`.
 */
export async function openLandingLog(options: LandingLogOptions, call?: CallOptions): Promise<LandingLog> {
  const room = roomOf(options);
  const session: Session = {
    room,
    lakeId: options.lakeId,
    stream: options.stream,
    start: options.start,
    rebuild: options.rebuild,
    view: undefined,
    published: false,
    distrusted: true,
    markedThrough: -1,
    partitions: partitionReader(room),
    emptiedThrough: -1,
    sweptMs: undefined,
  };
  await recover(session, call);
  await settleManifests(session, call);
  return landingLog(session);
}

/** Reads a log that is there, whoever works on it. Throws `landing-log-damaged`, `lake-unavailable`. */
export function readLandingLog(options: LandingLogOptions, call?: CallOptions): Promise<LogReader> {
  return logReader(roomOf(options), call);
}

function landingLog(session: Session): LandingLog {
  const { room } = session;
  let last: Promise<unknown> = Promise.resolve();

  /** One call after the other; a failure makes the next one read the log again. */
  function exclusively<T>(task: () => Promise<T>): Promise<T> {
    const run = last.then(async () => {
      try {
        return await task();
      } catch (error) {
        session.distrusted = true;
        throw error;
      }
    });
    last = run.catch(() => undefined);
    return run;
  }

  async function page<T>(query: FileQuery, call: CallOptions, pick: (live: LiveFile) => T): Promise<Page<T>> {
    const { state, checkpoint } = seen(session);
    const { files, more } = await pageOfFiles(room, { state, parts: checkpoint?.parts ?? [] }, query, call);
    const next = files.at(-1)?.file.path;
    return more && next !== undefined ? { items: files.map(pick), next } : { items: files.map(pick) };
  }

  return {
    view: () => viewOf(seen(session).state),
    nonce: () => room.clock.uuid(),
    stage: (nonce, file, call) => stageFile(room, nonce, file, call),
    writeKeys: (file, call) => writeKeyFile(room, file, call),
    readKeys: (file, call) => readKeyFile(room, file, call),
    commit: (draft, call) =>
      exclusively(() => {
        const handles = [...draft.files, ...draft.rejected].map(({ handle }) => handle);
        return commitBody(session, { nonce: draft.nonce, body: appendOf(draft), handles }, call);
      }),
    commitReplay: (draft, call) =>
      exclusively(() => {
        const handles = [...draft.files, ...draft.rejected].map(({ handle }) => handle);
        return commitBody(session, { nonce: draft.nonce, body: replayOf(draft), handles }, call);
      }),
    commitMerge: (draft, call) =>
      exclusively(() => {
        const handles = draft.files.map(({ handle }) => handle);
        return commitBody(session, { nonce: draft.nonce, body: mergeOf(draft), handles }, call);
      }),
    commitDrop: (draft, call) =>
      exclusively(() => {
        const handles = [...draft.files, ...draft.rejected].map(({ handle }) => handle);
        return commitBody(session, { nonce: draft.nonce, body: dropOf(draft), handles }, call);
      }),
    dropMarkers: (isOver, call) => dropMarkers(room, isOver, call),
    rebuildLost: (lost, call) => exclusively(() => rebuildLost(session, lost, call)),
    leaving: () => seen(session).state.leaving,
    heldFolder: room.paths.held,
    eachFile: (visit, call) =>
      exclusively(async () => {
        await showFiles(room, await refreshed(session, call), visit, call);
      }),
    refresh: (call) =>
      exclusively(async () => {
        await refreshed(session, call);
      }),
    commitGap: (gaps, call) =>
      exclusively(() => {
        const body: EntryBody = { kind: 'gap', gaps, removed: [], lostRows: 0 };
        return commitBody(session, { nonce: room.clock.uuid(), body, handles: [] }, call);
      }),
    files: ({ prefix = '', after, limit, signal }) =>
      page({ kind: 'data', prefix, after, limit }, { signal }, ({ file }) => file as DataFile),
    rejectedFiles: ({ after, limit, signal }) =>
      page({ kind: 'rejected', prefix: '', after, limit }, { signal }, ({ file }) => file as RejectedFile),
    maintain: (call) => exclusively(() => maintainLog(session, call)),
    sweep: ({ dryRun, ...call }) =>
      exclusively(async () => {
        const strays = await (dryRun ? strayStages : sweep)(session, await settled(session, call), call);
        return { ...strays, olderThanMs: room.tuning.sweepAfterMs };
      }),
  };
}

function seen(session: Session): NonNullable<Session['view']> {
  if (session.view === undefined) throw new Error('the landing log is not open');
  return session.view;
}

function roomOf(options: LandingLogOptions): LandingRoom {
  const {
    store,
    clock,
    telemetry,
    delivery,
    folder = delivery,
    writer,
    prefix,
    manifests = false,
    notices = false,
  } = options;
  return {
    store,
    clock,
    telemetry,
    delivery,
    writer,
    prefix,
    manifests,
    notices,
    paths: landingPaths(folder),
    tuning: { ...TUNING, ...options.tuning },
    rules: { ...PROTOCOL, ...options.rules },
    step: options.step ?? (() => undefined),
    checkLake: (call) => checkLake(store, options.lakeId, call),
  };
}

function viewOf(state: LandingState): LandingView {
  const { n, positions, planVersion, totals, rejects, liveFiles, watermarkMs, highs, lastLandedMs, known, held } =
    state;
  return {
    entry: n,
    positions,
    planVersion,
    totals,
    rejects,
    liveFiles,
    held: [...held.values()],
    highs,
    known,
    ...(watermarkMs === undefined ? {} : { watermarkMs, closedThroughMs: Math.floor(watermarkMs / HOUR_MS) * HOUR_MS }),
    ...(lastLandedMs === undefined ? {} : { lastLandedMs }),
  };
}
