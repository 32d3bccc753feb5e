/**
 * The object store a lake lies in. All a landing log needs; deliberately not a file system.
 * Not found is a value, not an error. Every method throws `lake-unavailable` when the outcome is unknown or the store cannot be
 * reached: the caller may repeat the call, every method bears that. An aborted call may or may not have taken effect.
 */
import type { LakePath } from '../model/lake-path.ts';
import type { ObjectSettings } from '../model/object-settings.ts';
import type { CallOptions } from './call-options.ts';

/** Names a staged file and its final place. Plain JSON: it travels in log entries. */
export interface StageHandle {
  readonly staged: LakePath;
  readonly final: LakePath;
  readonly bytes: number;
  /** CRC-32, 8 hex digits. */
  readonly checksum: string;
  readonly versionId?: string;
  /** How the file is kept once published; a store that has no such thing leaves it out of account. */
  readonly object?: ObjectSettings;
}

export interface FileToTake {
  readonly local: string;
  readonly staged: LakePath;
  readonly final: LakePath;
  readonly object?: ObjectSettings | undefined;
}

export interface ListedFile {
  readonly path: LakePath;
  readonly bytes: number;
  readonly modifiedMs: number;
  /** Absent where there are no classes. */
  readonly storageClass?: string;
  /** Absent where the store does not know. */
  readonly accessedMs?: number;
}

export interface ListPage {
  /** Ascending by UTF-8 bytes of the path. */
  readonly files: readonly ListedFile[];
  /** Pass as `after` for the next page; absent on the last. */
  readonly next?: LakePath;
}

export interface LakeStore {
  /**
   * Creates a file that does not exist, whole and durable, or says `exists` and changes nothing. Of any number of callers at once one is
   * told `created`. Also of `exists` the file is durable then: whoever reads it may build on it. An unknown outcome throws; the caller reads back.
   * `object`: its encryption and owner, where the store has such; the name of a file encrypted by this product says so.
   */
  create(
    path: LakePath,
    bytes: Uint8Array,
    options?: CallOptions & { readonly object?: ObjectSettings | undefined },
  ): Promise<'created' | 'exists'>;

  /** Writes a file whole and durable in place of what was there. Only for files whose content no decision hangs on. Idempotent. */
  overwrite(path: LakePath, bytes: Uint8Array, options?: CallOptions): Promise<void>;

  /** The file's bytes, or `length` of them from `offset`; undefined when there is no such file. */
  read(
    path: LakePath,
    options?: CallOptions & { readonly offset?: number; readonly length?: number },
  ): Promise<Uint8Array | undefined>;

  /**
   * One page of the files whose path starts with `prefix` (a text, need not end at a slash; '' for all) and sorts behind `after`.
   * Sees every file whose creation was answered before the call. At most `limit` files (default and maximum 1,000).
   */
  list(
    prefix: string,
    options?: CallOptions & { readonly after?: LakePath; readonly limit?: number },
  ): Promise<ListPage>;

  /** Removes a file; fine when there is none. Durable when it resolves. */
  remove(path: LakePath, options?: CallOptions): Promise<void>;

  /**
   * Takes a local file (which is gone afterwards: the store owns it) to `staged`, whole and durable, where readers do not look.
   * `staged` is fresh at every attempt and never used again. `object` travels in the handle, so whoever publishes follows it.
   */
  stage(file: FileToTake, options?: CallOptions): Promise<StageHandle>;

  /**
   * Makes a staged file visible at its final path and confirms that the stage is gone. Idempotent: with the stage gone and the final
   * file there it says `published`; with both gone `stage-lost`. With both there the stage wins: it is put in place again.
   */
  publish(handle: StageHandle, options?: CallOptions): Promise<'published' | 'stage-lost'>;

  /**
   * Gives the file a second name, an absolute path on the local disk, to be read and removed and never written. False when that cannot be, or
   * there is no such file. Absent where no file lies on a local disk.
   */
  link?(path: LakePath, local: string, options?: CallOptions): Promise<boolean>;

  /** Drops a stage; fine when there is none. Never touches the final path. */
  discard(handle: Pick<StageHandle, 'staged' | 'versionId'>, options?: CallOptions): Promise<void>;
}
