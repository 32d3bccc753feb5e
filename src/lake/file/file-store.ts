/**
 * A lake in a folder of a local file system. `create` decides by `link()`, `publish` by `rename()`: both are atomic, both are
 * followed by a sync of the folder, and so is every answer that rests on a name somebody else made: whoever is told `exists` or
 * `published` may build on it through a power cut. Files are written under `_lakeward/.tmp/`, which no listing shows.
 */
import { crc32 } from 'node:zlib';
import { LakewardError } from '../../model/errors.ts';
import { LAKE_ID_PATH } from '../../model/lake-path.ts';
import type { Clock } from '../../ports/clock.ts';
import type { LakeStore, StageHandle } from '../../ports/lake-store.ts';
import { lakeFailure, linksMissing } from './failures.ts';
import { diskFileSystem, failureCode, type LakeFileSystem } from './file-system.ts';
import { absolute, durableFolders, folderOf } from './folders.ts';
import { sharedFolderSyncs } from './folder-syncs.ts';
import { absentAsUndefined, listPage } from './listing.ts';
import { rootGuard } from './root-guard.ts';

const LIST_MAX = 1000;
const TEMPORARY = '_lakeward/.tmp/';
const STRAY_AFTER_MS = 24 * 3600 * 1000;
const CHUNK_BYTES = 4 * 1024 * 1024;
/** A folder may be pruned between making and using it; more than a few times in a row it is something else. */
const PLACE_TRIES = 5;

export interface FileStoreOptions {
  /** Absolute path; made when there is none. */
  readonly folder: string;
  readonly clock: Clock;
  readonly fileSystem?: LakeFileSystem;
}

/** Opens the folder as a lake, making it (and what leads there) when it is absent, and drops temporary files a day old. */
export async function openFileStore(options: FileStoreOptions): Promise<LakeStore> {
  const fileSystem = options.fileSystem ?? diskFileSystem;
  const root = options.folder.replace(/(?<=.)\/+$/, '');
  try {
    await makeRoot(fileSystem, root);
    const { folder, identity } = await fileSystem.facts(root);
    if (!folder) throw new LakewardError('lake-unavailable', `${root} is not a folder; name a folder for the lake`);
    await dropStrays({ fileSystem, root, clock: options.clock });
    return fileStore({ fileSystem, root, identity, clock: options.clock });
  } catch (error) {
    throw lakeFailure(error, `open the lake folder ${root}`);
  }
}

interface Room {
  readonly fileSystem: LakeFileSystem;
  readonly root: string;
  readonly clock: Clock;
}

function fileStore(room: Room & { readonly identity: string }): LakeStore {
  const { root, clock } = room;
  const fileSystem = { ...room.fileSystem, syncFolder: sharedFolderSyncs(room.fileSystem) };
  const folders = durableFolders(fileSystem, root);
  const syncFolderOf = (path: string): Promise<void> => fileSystem.syncFolder(absolute(root, folderOf(path)));

  const guard = rootGuard({ fileSystem, root, identity: room.identity, adopted: () => folders.forget() });

  /** Does `place` in an existing, durable folder; a folder pruned in between is made again. */
  async function inFolder<T>(path: string, place: () => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries++) {
      await guard.check();
      try {
        await folders.ensureFor(path);
        return await place();
      } catch (error) {
        if (failureCode(error) !== 'ENOENT' || tries >= PLACE_TRIES) throw error;
        folders.forgetFor(path);
      }
    }
  }

  async function withTemporary<T>(
    fill: (temporary: string) => Promise<void>,
    use: (temporary: string) => Promise<T>,
  ): Promise<T> {
    const name = `${TEMPORARY}${clock.uuid()}`;
    const temporary = `${root}/${name}`;
    try {
      await inFolder(name, () => fill(temporary));
      await fileSystem.syncFile(temporary);
      return await use(temporary);
    } finally {
      await fileSystem.unlink(temporary).catch(() => undefined);
    }
  }

  async function linkNew(from: string, path: string): Promise<'created' | 'exists'> {
    return inFolder(path, async () => {
      let outcome: 'created' | 'exists' = 'created';
      try {
        await fileSystem.link(from, `${root}/${path}`);
      } catch (error) {
        const code = failureCode(error);
        if (code === 'ENOTSUP' || code === 'EOPNOTSUPP' || code === 'ENOSYS') throw linksMissing(root, error);
        if (code !== 'EEXIST') throw error;
        outcome = 'exists';
      }
      await syncFolderOf(path);
      return outcome;
    });
  }

  async function dropStageFolder(staged: string): Promise<void> {
    const folder = folderOf(staged);
    if (folder === '') return;
    await fileSystem.removeFolder(`${root}/${folder}`).then(
      () => folders.forgetFor(staged),
      () => undefined,
    );
  }

  async function removeDurably(path: string): Promise<void> {
    const since = guard.adoptions();
    guard.removed(path);
    await absentAsUndefined(fileSystem.unlink(`${root}/${path}`));
    await guard.check(since);
    await absentAsUndefined(syncFolderOf(path));
  }

  async function takeIn(local: string, staged: string): Promise<void> {
    await fileSystem.syncFile(local);
    try {
      await linkNew(local, staged);
    } catch (error) {
      // Another file system, or one that links nothing it does not own: copy.
      if (!['EXDEV', 'EPERM', 'EMLINK'].includes(failureCode(error) ?? '')) throw error;
      await withTemporary(
        (temporary) => fileSystem.copyNew(local, temporary),
        (temporary) => linkNew(temporary, staged),
      );
    }
    await absentAsUndefined(fileSystem.unlink(local));
  }

  const store: Required<LakeStore> = {
    async create(path, bytes) {
      const outcome = await withTemporary(
        (temporary) => fileSystem.writeNew(temporary, bytes),
        (temporary) => linkNew(temporary, path),
      );
      guard.made(path);
      return outcome;
    },

    overwrite: (path, bytes) =>
      withTemporary(
        (temporary) => fileSystem.writeNew(temporary, bytes),
        (temporary) =>
          inFolder(path, async () => {
            await fileSystem.rename(temporary, `${root}/${path}`);
            await syncFolderOf(path);
          }),
      ),

    async read(path, options) {
      const since = guard.adoptions();
      const found = await absentAsUndefined(fileSystem.read(`${root}/${path}`, options?.offset ?? 0, options?.length));
      if (found === undefined) await guard.check(since);
      else if (path === LAKE_ID_PATH) await guard.sawId(found, since);
      return found;
    },

    async list(prefix, options) {
      const limit = Math.min(options?.limit ?? LIST_MAX, LIST_MAX);
      const since = guard.adoptions();
      const query = { root, prefix, after: options?.after, limit, hidden: TEMPORARY, signal: options?.signal };
      const page = await listPage(fileSystem, query);
      await guard.check(since);
      return page;
    },

    remove: removeDurably,

    async stage({ local, staged, final, object }): Promise<StageHandle> {
      const { bytes, checksum } = await measure(fileSystem, local);
      await takeIn(local, staged);
      return { staged, final, bytes, checksum, ...(object === undefined ? {} : { object }) };
    },

    // Why it cannot be is told by whoever reads the file then.
    link: (path, local) =>
      fileSystem.link(`${root}/${path}`, local).then(
        () => true,
        () => false,
      ),

    async publish({ staged, final }) {
      const since = guard.adoptions();
      const moved = await inFolder(final, () => move(`${root}/${staged}`, final));
      if (moved) {
        await absentAsUndefined(syncFolderOf(staged));
        await dropStageFolder(staged);
        return 'published';
      }
      if ((await absentAsUndefined(fileSystem.facts(`${root}/${final}`))) === undefined) {
        await guard.check(since);
        return 'stage-lost';
      }
      await syncFolderOf(final);
      return 'published';
    },

    async discard({ staged }) {
      await removeDurably(staged);
      await dropStageFolder(staged);
    },
  };

  /** False when there is no stage (any more). */
  async function move(stage: string, final: string): Promise<boolean> {
    try {
      await fileSystem.rename(stage, `${root}/${final}`);
    } catch (error) {
      if ((await absentAsUndefined(fileSystem.facts(stage))) === undefined) return false;
      throw error;
    }
    await syncFolderOf(final);
    return true;
  }

  return guarded(store);
}

/** Checks the signal before each call that may throw and gives every failure its place in the catalogue. */
function guarded(store: Required<LakeStore>): LakeStore {
  const named =
    <A, O extends { readonly signal?: AbortSignal | undefined }, R>(
      call: (target: A, options?: O) => Promise<R>,
      what: (target: A) => string,
    ): ((target: A, options?: O) => Promise<R>) =>
    async (target, options) => {
      options?.signal?.throwIfAborted();
      try {
        return await call(target, options);
      } catch (error) {
        throw lakeFailure(error, what(target));
      }
    };
  const create = store.create.bind(store);
  const overwrite = store.overwrite.bind(store);
  return {
    create: (path, bytes, options) =>
      named(
        () => create(path, bytes),
        () => `create ${path}`,
      )(path, options),
    overwrite: (path, bytes, options) =>
      named(
        () => overwrite(path, bytes),
        () => `write ${path}`,
      )(path, options),
    read: named(store.read.bind(store), (path) => `read ${path}`),
    link: store.link,
    list: named(store.list.bind(store), (prefix) => `list '${prefix}'`),
    remove: named(store.remove.bind(store), (path) => `remove ${path}`),
    stage: named(store.stage.bind(store), (file) => `stage ${file.staged}`),
    publish: named(store.publish.bind(store), (handle) => `publish ${handle.final}`),
    discard: named(store.discard.bind(store), (handle) => `discard ${handle.staged}`),
  };
}

async function measure(fileSystem: LakeFileSystem, local: string): Promise<{ bytes: number; checksum: string }> {
  const { bytes } = await fileSystem.facts(local);
  let sum = 0;
  for (let at = 0; at < bytes; at += CHUNK_BYTES) {
    sum = crc32(await fileSystem.read(local, at, Math.min(CHUNK_BYTES, bytes - at)), sum);
  }
  return { bytes, checksum: sum.toString(16).padStart(8, '0') };
}

async function makeRoot(fileSystem: LakeFileSystem, root: string): Promise<void> {
  if ((await absentAsUndefined(fileSystem.facts(root))) !== undefined) return;
  const parent = folderOf(root) === '' ? '/' : folderOf(root);
  if (parent !== root) await makeRoot(fileSystem, parent);
  try {
    await fileSystem.makeFolder(root);
  } catch (error) {
    if (failureCode(error) !== 'EEXIST') throw error;
  }
  await fileSystem.syncFolder(parent);
}

/** Temporary files of processes that died; the young ones may be somebody's, and a folder is nothing of ours. */
async function dropStrays({ fileSystem, root, clock }: Room): Promise<void> {
  const temporary = `${root}/${TEMPORARY.slice(0, -1)}`;
  if ((await absentAsUndefined(fileSystem.facts(temporary))) === undefined) return;
  for await (const portion of fileSystem.readFolder(temporary)) {
    for (const { name } of portion.filter(({ folder }) => !folder)) {
      const facts = await absentAsUndefined(fileSystem.facts(`${temporary}/${name}`));
      if (facts === undefined || clock.nowMs() - facts.modifiedMs < STRAY_AFTER_MS) continue;
      await absentAsUndefined(fileSystem.unlink(`${temporary}/${name}`));
    }
  }
}
