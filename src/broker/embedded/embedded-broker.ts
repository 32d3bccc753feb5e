/**
 * The broker inside the process: one log per stream in a folder of its own. This file opens and closes logs and checks arguments;
 * the work is in the files beside it (FORMAT.md tells the bytes). It does not lock the folder: the process owns its data folder
 * as a whole (`folder-lock.ts`).
 */
import { isLakewardError, LakewardError } from '../../model/errors.ts';
import { MIB } from '../../model/limits.ts';
import { asShard, isName, type ShardIndex, type StreamId } from '../../model/stream.ts';
import type { Broker, OpenReport, StreamStorage } from '../../ports/broker.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Telemetry } from '../../ports/telemetry.ts';
import * as amounts from './amounts.ts';
import { createDiskReserve } from './disk-reserve.ts';
import { type FileSystem, isFull } from './file-system.ts';
import { type Committer, createCommitter, type WaitingBytes } from './group-commit.ts';
import { logMetrics } from './log-metrics.ts';
import { nodeFileSystem } from './node-file-system.ts';
import { read } from './read.ts';
import { retain } from './retention.ts';
import { closeLog, openLog, widenLog } from './open-log.ts';
import { gapsBetween, type StreamLog } from './stream-log.ts';

export interface EmbeddedBrokerOptions {
  /** A segment is sealed before it exceeds this (64–128 MiB in production). */
  readonly segmentBytes: number;
  /** Appends gather up to this many bytes a write. */
  readonly groupBytes: number;
  /** Appends that wait for the disk, over all streams; beyond it `broker-overloaded`. */
  readonly waitingBytes: number;
  /** Free bytes of the disk below which appends get `disk-full`. */
  readonly reserveBytes: number;
}

export const EMBEDDED_BROKER_DEFAULTS: EmbeddedBrokerOptions = {
  segmentBytes: 64 * MIB,
  groupBytes: 4 * MIB,
  waitingBytes: 64 * MIB,
  reserveBytes: 512 * MIB,
};

export interface EmbeddedBrokerSetup {
  readonly folder: string;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly fileSystem?: FileSystem;
  readonly options?: Partial<EmbeddedBrokerOptions>;
  /** False once another process has the folder: then nothing is appended any more. */
  readonly owned?: () => boolean;
}

interface OpenStream {
  readonly log: StreamLog;
  readonly committer: Committer;
}

const REMOVED = '~removed-';

export async function openEmbeddedBroker(setup: EmbeddedBrokerSetup): Promise<Broker> {
  const { folder, clock, telemetry } = setup;
  const files = setup.fileSystem ?? nodeFileSystem();
  const options = { ...EMBEDDED_BROKER_DEFAULTS, ...setup.options };
  const metrics = logMetrics(telemetry);
  const streams = new Map<StreamId, Promise<OpenStream>>();
  const ready = new Map<StreamId, OpenStream>();
  const waiting: WaitingBytes = { max: options.waitingBytes, now: 0 };
  let closing: Promise<void> | undefined;

  await files.makeFolder(folder);
  for (const name of await files.list(folder)) {
    if (name.startsWith(REMOVED)) await files.removeFolder(`${folder}/${name}`);
  }
  const reserve = createDiskReserve({ files, folder, clock, reserveBytes: options.reserveBytes });
  await reserve.check();

  function streamOf(id: StreamId): OpenStream {
    if (closing !== undefined) throw closed();
    const stream = ready.get(id);
    if (stream === undefined) throw notFound(id);
    return stream;
  }

  function logOf(id: StreamId, shards: Iterable<ShardIndex>): StreamLog {
    const { log } = streamOf(id);
    for (const shard of shards) if (!(shard >= 0 && shard < log.shardCount)) throw noShard(id, shard);
    return log;
  }

  async function start(storage: StreamStorage): Promise<OpenStream> {
    const log = await openLog({ storage, folder, files, clock, metrics, options, log: telemetry.log });
    const committer = createCommitter(log, { groupBytes: options.groupBytes, waiting, onFull: () => reserve.found() });
    return { log, committer };
  }

  async function open(storage: StreamStorage): Promise<OpenReport> {
    if (closing !== undefined) throw closed();
    if (!isName(storage.id)) throw new LakewardError('argument-invalid', `'${storage.id}' is no stream id`);
    let opening = streams.get(storage.id);
    const fresh = opening === undefined;
    if (opening === undefined) {
      opening = start(storage);
      streams.set(storage.id, opening);
    }
    try {
      const stream = await opening;
      if (!fresh) await widenLog(stream.log, storage);
      ready.set(storage.id, stream);
      const { log } = stream;
      const gaps = log.damaged.flatMap(({ shard, from, to }) => gapsBetween(log, asShard(shard), from, to));
      return { stream: storage.id, gaps: gaps.filter(({ cause }) => cause === 'damaged'), tornBytes: log.tornBytes };
    } catch (error) {
      if (fresh) streams.delete(storage.id);
      throw asLakewardError(error);
    }
  }

  async function release(id: StreamId): Promise<void> {
    const stream = await streams.get(id);
    streams.delete(id);
    ready.delete(id);
    if (stream !== undefined) await closeLog(stream.log, stream.committer, notFound(id));
  }

  async function remove(id: StreamId): Promise<void> {
    await release(id);
    if (!isName(id)) return;
    const removed = `${folder}/${REMOVED}${id}`;
    try {
      await files.removeFolder(removed);
      await files.rename(`${folder}/${id}`, removed);
      await files.syncFolder(folder);
      await files.removeFolder(removed);
    } catch (error) {
      if (!(error instanceof Error && (error as NodeJS.ErrnoException).code === 'ENOENT')) throw asLakewardError(error);
    }
  }

  async function closeAll(): Promise<void> {
    const opened = await Promise.allSettled(streams.values());
    const logs = opened.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    await Promise.all(logs.map(({ log, committer }) => closeLog(log, committer, closed())));
    ready.clear();
  }

  return {
    open: (storage) => open(storage),
    remove: (id) => remove(id),
    release: (id) => release(id),
    append: async (id, batch, call) => {
      call?.signal?.throwIfAborted();
      if (setup.owned?.() === false) throw takenOver();
      const { log, committer } = streamOf(id);
      for (let i = 0; i < batch.count; i++) {
        const shard = batch.shards[i] as number;
        if (shard >= log.shardCount) throw noShard(id, shard);
      }
      if (batch.count === 0) return { offsets: new Float64Array(0), failures: [] };
      const admitted = reserve.admit();
      if (admitted !== undefined) {
        await admitted;
        streamOf(id);
      }
      return committer.append(batch);
    },
    read: async (id, positions, call) => wrapped(read(logOf(id, positions.keys()), positions, call)),
    locate: async (id, shard, at) => wrapped(amounts.locate(logOf(id, [shard]), shard, at)),
    pending: async (id, positions, call) => wrapped(amounts.pending(logOf(id, positions.keys()), positions, call)),
    retain: async (id, nowMs) => wrapped(retain(logOf(id, []), nowMs)),
    close: () => (closing ??= closeAll()),
  };
}

const closed = (): LakewardError => new LakewardError('broker-closed', 'the broker is closed');
const takenOver = (): LakewardError =>
  new LakewardError('broker-closed', 'another process has taken the data folder over; stop this one');
const notFound = (id: StreamId): LakewardError =>
  new LakewardError('stream-not-found', `no storage of stream ${id} is open`);
const noShard = (id: StreamId, shard: number): LakewardError =>
  new LakewardError('shard-not-found', `stream ${id} has no shard ${shard}`);

async function wrapped<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw asLakewardError(error);
  }
}

/** Errors of the file system get a code of the catalogue; those of the catalogue and reasons of aborts pass. */
function asLakewardError(error: unknown): unknown {
  if (isLakewardError(error) || !(error instanceof Error) || !('errno' in error)) return error;
  if (isFull(error)) return new LakewardError('disk-full', 'no space left on the disk of the log', { cause: error });
  return new LakewardError('internal', 'the log could not be read or written', { cause: error });
}
