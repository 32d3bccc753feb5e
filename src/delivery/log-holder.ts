/**
 * The landing log of one delivery, opened when first needed and again after a fault: opening is the log's recovery, so whatever a
 * failed call left half done is finished there. Keeps the last view for whoever asks while the log cannot be opened.
 * A log belongs to one incarnation of its stream: a delivery that is deleted and made anew goes on where it was, and begins anew
 * when the stream is another one by then.
 */
import type { DeliveryDocument, DeliverySpec } from '../model/delivery.ts';
import { LakewardError, isLakewardError } from '../model/errors.ts';
import type { Offset, Positions, ShardIndex, StreamDocument } from '../model/stream.ts';
import { asOffset, asShard } from '../model/stream.ts';
import type { LandingLog, LandingView } from '../landing/landing-log.ts';
import { openLandingLog } from '../landing/landing-log.ts';
import { landingPaths } from '../landing/paths.ts';
import type { CallOptions } from '../ports/call-options.ts';
import type { LakeStore } from '../ports/lake-store.ts';
import type { IdMemory } from './id-memory.ts';
import { rebuildLost } from './rebuild.ts';
import type { DeliveryRoom } from './room.ts';

export interface OpenLog {
  readonly log: LandingLog;
  readonly stream: StreamDocument;
}

export interface LogHolder {
  /** Opens, or gives what is open. Throws `stream-not-found`, `incarnation-mismatch`, `lake-unavailable`, `landing-log-damaged`. */
  open(signal?: AbortSignal): Promise<OpenLog>;
  /**
   * The log as it lies in the lake, also when the stream is gone or is another one by now: nothing lands in it, and what the lake lost is not
   * made anew. Undefined when nothing has landed. Throws as `open`, but for the stream.
   */
  openWithoutStream(signal?: AbortSignal): Promise<LandingLog | undefined>;
  /** Forgets what is open, so that the next `open` recovers. */
  reset(): void;
  /** The newest view known; undefined before the first opening. */
  view(): LandingView | undefined;
}

export function logHolder(
  room: DeliveryRoom,
  document: Pick<DeliveryDocument, 'spec' | 'streamId'>,
  ids: IdMemory,
): LogHolder {
  const { spec } = document;
  let opening: Promise<OpenLog> | undefined;
  let open: OpenLog | undefined;
  let alone: LandingLog | undefined;
  let lastView: LandingView | undefined;

  const newestView = (): LandingView | undefined => (open?.log ?? alone)?.view() ?? lastView;

  async function about(stream: Pick<StreamDocument, 'name' | 'id'>) {
    return {
      store: room.lake,
      clock: room.clock,
      telemetry: room.telemetry,
      delivery: spec.name,
      folder: folderOf(spec, stream),
      prefix: spec.prefix,
      manifests: spec.compaction?.readers === 'manifest',
      notices: spec.notify !== undefined,
      writer: room.writer,
      lakeId: await room.lakeId(),
      stream: { name: stream.name, id: stream.id },
      ...(room.step === undefined ? {} : { step: room.step }),
      ...(room.upkeep === undefined ? {} : { tuning: room.upkeep.tuning }),
    };
  }

  async function make(signal: AbortSignal | undefined): Promise<OpenLog> {
    const stream = room.catalog.read().stream.get(spec.stream);
    if (stream === undefined) {
      throw new LakewardError(
        'stream-not-found',
        `delivery '${spec.name}' reads stream '${spec.stream}', which is gone`,
      );
    }
    if (stream.id !== document.streamId) throw otherStream(document, stream);
    const log = await openLandingLog(
      {
        ...(await about(stream)),
        start: () => startPositions(room, spec, stream),
        rebuild: (lost, call) => rebuildLost({ room, spec, stream, ids }, lost, call),
      },
      { signal },
    );
    return { log, stream };
  }

  return {
    open(signal) {
      if (opening !== undefined) return opening;
      const mine = make(signal).then(
        (made) => {
          if (opening === mine) open = made;
          return made;
        },
        (error: unknown) => {
          if (opening === mine) opening = undefined;
          throw error;
        },
      );
      opening = mine;
      return mine;
    },
    async openWithoutStream(signal) {
      const stream = { name: spec.stream, id: document.streamId };
      if (alone !== undefined) return alone;
      if (!(await hasLandingLogAt(room.lake, folderOf(spec, stream), { signal }))) return undefined;
      const start = () => Promise.reject(new LakewardError('internal', 'a landing log begins with a landing'));
      alone = await openLandingLog({ ...(await about(stream)), start }, { signal });
      return alone;
    },
    reset() {
      lastView = newestView();
      open = undefined;
      alone = undefined;
      opening = undefined;
    },
    view: newestView,
  };
}

/** Whether a delivery of this name has landed from the stream before. False also when the lake cannot tell now. */
export async function hasLandingLog(room: DeliveryRoom, spec: DeliverySpec, call?: CallOptions): Promise<boolean> {
  const stream = room.catalog.read().stream.get(spec.stream);
  if (stream === undefined) return false;
  try {
    return await hasLandingLogAt(room.lake, folderOf(spec, stream), call);
  } catch (error) {
    if (isLakewardError(error)) return false;
    throw error;
  }
}

/** False while there is none. Throws `lake-unavailable`. */
export async function hasLandingLogAt(lake: LakeStore, folder: string, call?: CallOptions): Promise<boolean> {
  return (await lake.read(landingPaths(folder).entry(0), call)) !== undefined;
}

/** Folder of a delivery's landing log. */
export function folderOf({ name }: Pick<DeliverySpec, 'name'>, { id }: Pick<StreamDocument, 'id'>): string {
  return `${name}/${id}`;
}

function otherStream(
  { spec, streamId }: Pick<DeliveryDocument, 'spec' | 'streamId'>,
  stream: StreamDocument,
): LakewardError {
  const what = `stream '${spec.stream}' was deleted and made anew since delivery '${spec.name}' was created`;
  const how =
    'to land the new one, delete the delivery and create it again (a declared one: without it in the file, restart, then with it)';
  return new LakewardError('incarnation-mismatch', `${what}; ${how}: what has landed stays`, {
    details: { delivery: spec.name, known: streamId, found: stream.id },
  });
}

/** The stream as the catalog knows it now: it may have got shards since its log was opened. */
export function newestOf({ catalog }: Pick<DeliveryRoom, 'catalog'>, stream: StreamDocument): StreamDocument {
  const newest = catalog.read().stream.get(stream.name);
  return newest?.id === stream.id ? newest : stream;
}

/** Where every shard of the stream stands: shards that came after the log's first entry start at their beginning. */
export function landedPositions(view: LandingView, stream: StreamDocument): Positions {
  const positions = new Map<ShardIndex, Offset>();
  for (const { index } of stream.shards) {
    const shard = asShard(index);
    positions.set(shard, view.positions.get(shard) ?? asOffset(0));
  }
  return positions;
}

async function startPositions(
  room: DeliveryRoom,
  spec: Pick<DeliverySpec, 'start'>,
  stream: StreamDocument,
): Promise<Positions> {
  const positions = new Map<ShardIndex, Offset>();
  for (const { index } of stream.shards) {
    positions.set(asShard(index), await room.broker.locate(stream.id, asShard(index), spec.start));
  }
  return positions;
}
