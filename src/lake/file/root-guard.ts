/**
 * Notices that the folder of a lake vanished or is another one. A folder that was mounted anew has another identity and yet is the
 * same lake, when it holds the same `lake.json` and the last file this process made: then it is adopted. Anything else is refused
 * until a restart. What a call found before the folder was adopted counts for nothing: it may have looked below the mount point.
 */
import { LakewardError } from '../../model/errors.ts';
import { LAKE_ID_PATH } from '../../model/lake-path.ts';
import { lakeGone } from './failures.ts';
import type { LakeFileSystem } from './file-system.ts';
import { absentAsUndefined } from './listing.ts';

export interface RootGuard {
  /** How often the folder was adopted; taken before a look whose result `check` is to confirm. */
  adoptions(): number;
  /** Throws `lake-unavailable` unless the folder is this lake and, when told so, was not adopted since then. */
  check(since?: number): Promise<void>;
  /** `lake.json` as somebody read it from this folder; the first counts. */
  sawId(bytes: Uint8Array, since: number): Promise<void>;
  /** A file that is durable now, and has to be there in a folder that is to be adopted. */
  made(path: string): void;
  removed(path: string): void;
}

export interface RootGuardOptions {
  readonly fileSystem: LakeFileSystem;
  readonly root: string;
  readonly identity: string;
  /** Called when the folder is adopted. */
  readonly adopted: () => void;
}

export function rootGuard({ fileSystem, root, identity, adopted }: RootGuardOptions): RootGuard {
  let known = identity;
  let adoptions = 0;
  let lakeId: Uint8Array | undefined;
  let witness: string | undefined;

  const identityNow = async (): Promise<string | undefined> =>
    (await absentAsUndefined(fileSystem.facts(root)))?.identity;

  async function isSameLake(): Promise<boolean> {
    if (lakeId === undefined) return false;
    const found = await absentAsUndefined(fileSystem.read(`${root}/${LAKE_ID_PATH}`, 0, undefined));
    if (found === undefined || Buffer.compare(found, lakeId) !== 0) return false;
    return witness === undefined || (await absentAsUndefined(fileSystem.facts(`${root}/${witness}`))) !== undefined;
  }

  async function check(since?: number): Promise<void> {
    const found = await identityNow();
    if (found !== known) {
      const same = found !== undefined && (await isSameLake()) && found === (await identityNow());
      if (!same) throw lakeGone(root);
      known = found;
      adoptions += 1;
      adopted();
    }
    if (since === undefined || since === adoptions) return;
    throw new LakewardError(
      'lake-unavailable',
      `the lake folder ${root} was mounted anew; what is asked is asked again`,
    );
  }

  return {
    adoptions: () => adoptions,
    check,
    async sawId(bytes, since) {
      if (lakeId !== undefined) return;
      await check(since);
      lakeId = bytes.slice();
    },
    made(path) {
      witness = path;
    },
    removed(path) {
      if (witness === path) witness = undefined;
    },
  };
}
