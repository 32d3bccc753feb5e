/**
 * Streams as both protocols see them: the catalog says which exist, the broker keeps their records, and this joins the two.
 * A stream is in the catalog only while its storage exists: storage is made before the entry, and removed after it,
 * by the note of a deletion that the entry leaves behind.
 */
import { LakewardError, isLakewardError } from '../model/errors.ts';
import { splitEvenly } from '../model/hash-range.ts';
import { LIMITS } from '../model/limits.ts';
import type { ShardIndex, StreamDocument, StreamId } from '../model/stream.ts';
import { asShard, asStreamId, isName } from '../model/stream.ts';
import type { Broker, OpenReport } from '../ports/broker.ts';
import type { Catalog } from '../ports/catalog.ts';
import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/telemetry.ts';
import { adopted, openAdopted, refuseAdopted } from './adopted-topic.ts';
import type { LiveStream } from './live-stream.ts';
import { liveStream, storageOf } from './live-stream.ts';
import type { Resharding } from './resharding.ts';
import { resharding } from './resharding.ts';
import type { ShardWriter } from './shard-writer.ts';
import { shardWriter } from './shard-writer.ts';
import { deletionOf, finishDeletion, isRefused } from './stream-deletion.ts';
import { changeStream, nextChange, streamNotFound } from './stream-change.ts';
import type { SharedStreams } from './write-lease.ts';
import { WRITE_LEASE_MS, writeLease } from './write-lease.ts';

export interface StreamDraft {
  readonly name: string;
  readonly shards: number;
  readonly retentionMs: number;
  /** A topic of the Kafka cluster that is there, to be this stream; shards and retention are then the topic's. */
  readonly topic?: string;
}

export interface Streams {
  /**
   * Opens the storage of every stream of the catalog; gives what recovery found damaged. A stream whose topic is gone keeps the others
   * from nothing: what is asked of it says so, and it can be deleted.
   */
  open(): Promise<readonly OpenReport[]>;
  /** Takes over what others changed about topics that became streams: partitions, retention. */
  readonly followTopics: (signal: AbortSignal) => Promise<void>;
  /** Throws `stream-not-found`. */
  get(name: string): LiveStream;
  find(name: string): LiveStream | undefined;
  /** By name. */
  list(): readonly StreamDocument[];
  /** Ready for records when it resolves. Throws `argument-invalid`, `stream-exists`. */
  create(draft: StreamDraft): Promise<StreamDocument>;
  /** Creates what is not there and leaves the rest alone: for streams that the configuration declares. */
  ensure(draft: StreamDraft): Promise<StreamDocument>;
  /**
   * Throws `stream-not-found`; `owned-by-file` when the configuration file declares it or a delivery that reads it: the next start would
   * make it anew, or not be one; and `stream-in-use` when another delivery reads it, unless forced.
   */
  remove(name: string, options: { force: boolean }): Promise<void>;
  /** Throws `stream-not-found`, `argument-invalid`. Records past a shorter retention go with the next turn of retention. */
  retain(name: string, retentionMs: number): Promise<StreamDocument>;
  /** Changes of its shards. */
  readonly shards: Pick<Resharding, 'begin' | 'done'>;
  /** Stores records; those for shards that are being closed wait for the shards after them. */
  append: ShardWriter['append'];
  /** Finishes the changes of shards that the catalog tells of, until `close`. */
  start(): void;
  close(): Promise<void>;
}

export interface StreamsOptions {
  readonly broker: Broker;
  readonly catalog: Catalog;
  readonly clock: Clock;
  /** Streams of the configuration file, by name. */
  readonly declared?: readonly string[];
  readonly log?: Log | undefined;
  /** Given where other processes append to the same streams. */
  readonly shared?: SharedStreams | undefined;
}

export function createStreams({ broker, catalog, clock, declared = [], log, shared }: StreamsOptions): Streams {
  const live = new WeakMap<StreamDocument, LiveStream>();
  const room = { broker, catalog, clock };

  function find(name: string): LiveStream | undefined {
    const document = catalog.read().stream.get(name);
    if (document === undefined) return undefined;
    let stream = live.get(document);
    if (stream === undefined) live.set(document, (stream = liveStream(document)));
    return stream;
  }

  function get(name: string): LiveStream {
    const stream = find(name);
    if (stream === undefined) throw streamNotFound(name);
    return stream;
  }

  const changed = (signal: AbortSignal): Promise<void> => nextChange(catalog, signal);
  const obstacle = shared === undefined ? () => undefined : writeLease({ catalog, clock, shared });
  const writer = shardWriter({ broker, clock, find, obstacle, changed });
  const shards = resharding({
    broker,
    catalog,
    clock,
    log,
    settled: (document) => writer.settled(document),
    changed,
    leaseMs: shared === undefined ? 0 : WRITE_LEASE_MS,
  });

  async function create(draft: StreamDraft): Promise<StreamDocument> {
    checkDraft(draft);
    const refuse = (): never => {
      throw new LakewardError('stream-exists', `there is a stream '${draft.name}' already`);
    };
    if (catalog.read().stream.has(draft.name)) refuse();
    const made = documentOf(draft, asStreamId(clock.uuid()), clock.nowMs());
    const adopt = draft.topic;
    const { topic } = await broker.open({ ...storageOf(made), ...(adopt !== undefined && { adopt }) });
    let document = topic === undefined ? made : { ...made, topic: topic.identity };
    try {
      if (adopt !== undefined) document = await adopted(room, made, topic);
    } catch (error) {
      await broker.remove(document.id);
      throw error;
    }
    try {
      await catalog.edit((state) => {
        if (state.stream.has(draft.name)) refuse();
        return [{ kind: 'stream', key: draft.name, document }];
      });
    } catch (error) {
      // It may have been made all the same, and others may have stored records in it since.
      if (find(draft.name)?.document.id === document.id) return document;
      if (isRefused(error)) await broker.remove(document.id);
      throw error;
    }
    return document;
  }

  return {
    find,
    get,
    create,
    shards,
    append: (asked, records, signal) => writer.append(asked, records, signal),
    start: () => shards.start(),
    close: () => shards.close(),
    retain: async (name, retentionMs) => {
      checkRetention(retentionMs);
      await catalog.refresh();
      const document = await changeStream(catalog, name, (before) => {
        refuseAdopted(before);
        return before.retentionMs === retentionMs ? before : { ...before, retentionMs };
      });
      await broker.open(storageOf(document));
      return document;
    },
    open: async () => {
      const reports: OpenReport[] = [];
      for (const document of catalog.read().stream.values()) {
        const { name } = document;
        try {
          reports.push((await openAdopted(room, name)) ?? (await broker.open(storageOf(document))));
        } catch (error) {
          if (!isLakewardError(error, 'broker-changed')) throw error;
          log?.error('a stream is gone, the others are served', { stream: name, error });
        }
      }
      return reports;
    },
    followTopics: async (signal) => {
      for (const name of catalog.read().stream.keys()) {
        signal.throwIfAborted();
        await openAdopted(room, name);
      }
    },
    list: () => [...catalog.read().stream.values()].sort((a, b) => (a.name < b.name ? -1 : 1)),
    ensure: async (draft) => {
      const existing = find(draft.name)?.document;
      if (existing !== undefined) return existing;
      try {
        return await create(draft);
      } catch (error) {
        // Somebody else was first, which is as good.
        if (isLakewardError(error, 'stream-exists')) return get(draft.name).document;
        throw error;
      }
    },
    remove: async (name, { force }) => {
      let id: StreamId | undefined;
      await catalog.edit((state) => {
        const document = state.stream.get(name);
        if (document === undefined) throw streamNotFound(name);
        const readers = [...state.delivery.values()].filter(({ spec }) => spec.stream === name);
        const declaredReaders = readers.filter(({ owner }) => owner === 'file').map(({ spec }) => spec.name);
        if (declared.includes(name) || declaredReaders.length > 0) throw ownedByFile(name, declaredReaders);
        if (readers.length > 0 && !force) {
          const names = readers.map(({ spec }) => spec.name).join(', ');
          throw new LakewardError('stream-in-use', `deliveries read the stream '${name}': ${names}`);
        }
        id = document.id;
        return deletionOf(document, clock.nowMs());
      });
      if (id !== undefined) await finishDeletion(room, id);
    },
  };
}

function ownedByFile(stream: string, readers: readonly string[]): LakewardError {
  const entries =
    readers.length === 0 ? `stream '${stream}'` : `a reader of stream '${stream}' (${readers.join(', ')})`;
  const todo = 'take it out of the file, restart the server, then delete the stream';
  return new LakewardError('owned-by-file', `the configuration file declares ${entries}; ${todo}`, {
    details: { stream, deliveries: readers, todo },
  });
}

function checkDraft({ name, shards, retentionMs }: StreamDraft): void {
  if (!isName(name)) {
    const rule = `a stream name has 1 to ${LIMITS.nameCharsMax} characters of A-Z a-z 0-9 _ . -`;
    throw new LakewardError('argument-invalid', `${rule} ('${name.slice(0, LIMITS.nameCharsMax)}')`);
  }
  if (!Number.isInteger(shards) || shards < 1 || shards > LIMITS.shardsMax) {
    throw new LakewardError('argument-invalid', `a stream has 1 to ${LIMITS.shardsMax} shards (${shards})`);
  }
  checkRetention(retentionMs);
}

function checkRetention(retentionMs: number): void {
  const { retentionMsMin, retentionMsMax } = LIMITS;
  if (!Number.isInteger(retentionMs) || retentionMs < retentionMsMin || retentionMs > retentionMsMax) {
    const hours = `${retentionMsMin / 3_600_000} to ${retentionMsMax / 3_600_000} hours`;
    throw new LakewardError('argument-invalid', `retention is ${hours} (${retentionMs / 3_600_000})`);
  }
}

function documentOf({ name, shards, retentionMs }: StreamDraft, id: StreamId, nowMs: number): StreamDocument {
  const ranges = splitEvenly(shards);
  return {
    name,
    id,
    createdMs: nowMs,
    retentionMs,
    shards: ranges.map(({ start, end }, index) => ({
      index,
      startingHashKey: String(start),
      endingHashKey: String(end),
      createdMs: nowMs,
      parents: [],
    })),
  };
}

/** The shards of a stream as positions are keyed. */
export function shardsOf(document: StreamDocument): ShardIndex[] {
  return document.shards.map(({ index }) => asShard(index));
}
