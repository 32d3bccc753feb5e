/**
 * A lake in a bucket. `create` decides by `If-None-Match: *`; a stage is one PUT under a key that is never used again; `publish` is a
 * server-side copy to the final key, then the stage is deleted and confirmed gone. Nothing is repeated here but what the store is
 * known to have refused because of a race: an unclear answer is thrown, and the landing log reads back.
 */
import { rm } from 'node:fs/promises';
import {
  CopyObjectCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import { crc32 } from 'node:zlib';
import { LakewardError } from '../../model/errors.ts';
import type { LakePath } from '../../model/lake-path.ts';
import type { ObjectSettings } from '../../model/object-settings.ts';
import type { CallOptions } from '../../ports/call-options.ts';
import type { Clock } from '../../ports/clock.ts';
import type { LakeStore, StageHandle } from '../../ports/lake-store.ts';
import { s3CodeOf, s3Failure, statusOf } from './failures.ts';
import { listPage } from './listing.ts';
import { type CustomerKey, keyParameters } from './object-parameters.ts';
import { crcHex, localBody } from './local-body.ts';
import { copyInput, deleteInput, getInput, headInput, hexOfBase64, putInput, type S3Place } from './requests.ts';
import type { S3Connection } from './s3-client.ts';
import { settingsTrial } from './settings-trial.ts';

const GONE = new Set(['NoSuchKey', 'NoSuchVersion']);
/** A store answers a racing creation with "conflict" while the race is on. */
const RACE_TRIES = 6;
const RACE_WAIT_MS = 50;
/** A server-side copy moves at least this much in a ms, and its answer may take its time. */
const COPY_SLACK_BYTES = 16 * 1024 * 1024;
const NOTHING = new Uint8Array(0);

export interface S3StoreOptions {
  /** Shared by any number of stores. */
  readonly connection: S3Connection;
  readonly bucket: string;
  /** Folder of the lake in the bucket; '' or absent for the whole bucket. */
  readonly prefix?: string | undefined;
  readonly clock: Clock;
  /** Keys that objects may be encrypted with by the store; none by default. */
  readonly customerKeys?: CustomerKeys | undefined;
}

export interface CustomerKeys {
  /** Tried in this order on objects of which nobody knows whose they are. */
  readonly ids: readonly string[];
  readonly key: CustomerKey;
}

interface PutSettings {
  readonly IfNoneMatch?: '*';
  readonly object?: ObjectSettings | undefined;
}

type Stage = Pick<StageHandle, 'staged' | 'versionId'>;

/** Makes no request. */
export function createS3Store(options: S3StoreOptions): LakeStore {
  const { connection, bucket, prefix = '', clock, customerKeys = NO_KEYS } = options;
  const folder = prefix.replace(/^\/+|\/+$/g, '');
  const place: S3Place = { bucket, prefix: folder === '' ? '' : `${folder}/`, customerKey: customerKeys.key };
  const { client, requestMs } = connection;
  /** How every request is sent: with its end in time, and the caller's. */
  const bounds = (options: CallOptions | undefined, bytes = 0) => ({
    requestTimeout: requestMs(bytes),
    ...(options?.signal !== undefined && { abortSignal: options.signal }),
  });

  const trial = settingsTrial({ client, place, bounds: () => bounds(undefined) });

  async function put(path: LakePath, bytes: Uint8Array, { IfNoneMatch, object }: PutSettings, options?: CallOptions) {
    const input = putInput(place, path, { body: bytes, bytes: bytes.length, checksum: crcHex(crc32(bytes)), object });
    const command = new PutObjectCommand({ ...input, ...(IfNoneMatch !== undefined && { IfNoneMatch }) });
    await client.send(command, bounds(options, bytes.length));
  }

  /** False when there is no stage (any more). */
  async function copy(handle: StageHandle, options?: CallOptions): Promise<boolean> {
    try {
      const command = new CopyObjectCommand(copyInput(place, handle));
      const { CopyObjectResult } = await client.send(command, bounds(options, handle.bytes + COPY_SLACK_BYTES));
      const sum = CopyObjectResult?.ChecksumCRC32;
      if (sum !== undefined && hexOfBase64(sum) !== handle.checksum) throw altered(handle, hexOfBase64(sum));
      return true;
    } catch (error) {
      if (GONE.has(s3CodeOf(error))) return false;
      // Some stores break off, rather than say so, when another publisher took the stage away meanwhile.
      if ((statusOf(error) ?? 0) >= 500 && (await stageIsGone(handle, options))) return false;
      throw error;
    }
  }

  async function stageIsGone({ staged, versionId }: Stage, options?: CallOptions): Promise<boolean> {
    try {
      await client.send(new HeadObjectCommand(headInput(place, staged, versionId)), bounds(options));
      return false;
    } catch (error) {
      if (statusOf(error) === 404) return true;
      // Encrypted with a key that was not sent along, so it is there.
      if (statusOf(error) === 400) return false;
      throw error;
    }
  }

  /** An object that asks for a key does not say which: all are tried. */
  async function get(path: LakePath, range: string | undefined, options?: CallOptions) {
    const input = getInput(place, path, range);
    try {
      return await client.send(new GetObjectCommand(input), bounds(options));
    } catch (error) {
      if (!wantsKey(error)) throw error;
    }
    for (const id of customerKeys.ids) {
      try {
        const key = keyParameters(customerKeys.key(id));
        return await client.send(new GetObjectCommand({ ...input, ...key }), bounds(options));
      } catch (error) {
        const status = statusOf(error);
        if (status !== 400 && status !== 403) throw error;
      }
    }
    throw new LakewardError('key-missing', `${path} was stored with a key that is not among lake.keys; add it`);
  }

  async function dropStage(stage: Stage, options?: CallOptions): Promise<void> {
    await client.send(new DeleteObjectCommand(deleteInput(place, stage.staged, stage.versionId)), bounds(options));
    if (await stageIsGone(stage, options)) return;
    throw new LakewardError('lake-unavailable', `${stage.staged} was deleted and is still there`);
  }

  const store: LakeStore = {
    async create(path, bytes, options) {
      for (let attempt = 1; ; attempt++) {
        try {
          await put(path, bytes, { IfNoneMatch: '*', object: options?.object }, options);
          return 'created';
        } catch (error) {
          if (statusOf(error) === 412) return 'exists';
          if (statusOf(error) !== 409 || attempt >= RACE_TRIES) throw error;
          await clock.sleep(clock.random() * RACE_WAIT_MS * 2 ** attempt, options?.signal);
        }
      }
    },

    overwrite: (path, bytes, options) => put(path, bytes, {}, options),

    async read(path, options) {
      const { offset = 0, length } = options ?? {};
      const whole = offset === 0 && length === undefined;
      // A range cannot be empty: of nothing wanted, one byte is asked for and dropped.
      const last = length === undefined ? '' : offset + Math.max(length, 1) - 1;
      try {
        const range = whole ? undefined : `bytes=${offset}-${last}`;
        const answer = await get(path, range, options);
        const body = (await answer.Body?.transformToByteArray()) ?? NOTHING;
        if (answer.ContentLength !== undefined && body.length !== answer.ContentLength) throw cut(path, body.length);
        return length === 0 ? NOTHING : body;
      } catch (error) {
        if (GONE.has(s3CodeOf(error))) return undefined;
        if (statusOf(error) === 416) return NOTHING;
        throw error;
      }
    },

    list: (prefix, options) =>
      listPage((command) => client.send(command, bounds(options)), place, { prefix, ...options }),

    async remove(path, options) {
      await client.send(new DeleteObjectCommand(deleteInput(place, path)), bounds(options));
    },

    async stage({ local, staged, final, object }, options): Promise<StageHandle> {
      // A staged file is committed next, and must be publishable then.
      await trial(staged, object);
      const file = await localBody(local);
      const { bytes, checksum } = file;
      const given = new AbortController();
      const signal = AbortSignal.any([given.signal, ...(options?.signal === undefined ? [] : [options.signal])]);
      try {
        const command = new PutObjectCommand(putInput(place, staged, { ...file, object }));
        const { VersionId } = await Promise.race([client.send(command, bounds({ signal }, bytes)), file.failed]);
        await rm(local, { force: true });
        const versionId = VersionId === undefined || VersionId === 'null' ? {} : { versionId: VersionId };
        return { staged, final, bytes, checksum, ...versionId, ...(object === undefined ? {} : { object }) };
      } finally {
        // An upload that was refused half-way would hold its connection.
        given.abort();
        file.close();
      }
    },

    async publish(handle, options) {
      if (await copy(handle, options)) {
        await dropStage(handle, options);
        return 'published';
      }
      // Listed, not asked for: a listing needs no key of an encrypted object and tells a missing bucket from a missing object.
      const { files } = await store.list(handle.final, { ...options, limit: 1 });
      return files[0]?.path === handle.final ? 'published' : 'stage-lost';
    },

    discard: dropStage,
  };
  return guarded(store);
}

/** S3 says so in words alone. */
function wantsKey(error: unknown): boolean {
  return statusOf(error) === 400 && /encrypt/i.test((error as Error).message);
}

const NO_KEYS: CustomerKeys = {
  ids: [],
  key(id) {
    throw new LakewardError('key-missing', `the key '${id}' is not configured here; add it to lake.keys`);
  },
};

function cut(path: LakePath, bytes: number): LakewardError {
  return new LakewardError('lake-unavailable', `the answer for ${path} broke off after ${bytes} bytes`);
}

function altered({ final, checksum }: StageHandle, found: string): LakewardError {
  const message = `the store's copy of ${final} has the checksum ${found}, not ${checksum}; its stage is kept`;
  return new LakewardError('lake-unavailable', message);
}

/** Gives every failure its place in the catalogue; an abort stays an abort. */
function guarded(store: LakeStore): LakeStore {
  async function told<T>(what: string, call: () => Promise<T>, options?: CallOptions): Promise<T> {
    options?.signal?.throwIfAborted();
    try {
      return await call();
    } catch (error) {
      options?.signal?.throwIfAborted();
      throw s3Failure(error, what);
    }
  }
  return {
    create: (path, bytes, options) => told(`create ${path}`, () => store.create(path, bytes, options), options),
    overwrite: (path, bytes, options) => told(`write ${path}`, () => store.overwrite(path, bytes, options), options),
    read: (path, options) => told(`read ${path}`, () => store.read(path, options), options),
    list: (prefix, options) => told(`list '${prefix}'`, () => store.list(prefix, options), options),
    remove: (path, options) => told(`remove ${path}`, () => store.remove(path, options), options),
    stage: (file, options) => told(`stage ${file.staged}`, () => store.stage(file, options), options),
    publish: (handle, options) => told(`publish ${handle.final}`, () => store.publish(handle, options), options),
    discard: (handle, options) => told(`discard ${handle.staged}`, () => store.discard(handle, options), options),
  };
}
