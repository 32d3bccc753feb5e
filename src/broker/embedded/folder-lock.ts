/**
 * One process owns a data folder: a file `lock` names it. The file appears with its content in one step (a link of a finished file),
 * so it is never seen half written. A lock whose process is gone is taken over: by pid, and where the system tells (Linux) by
 * boot and start time too, so that a pid given to another process is not taken for the owner.
 */
import { link, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { LakewardError } from '../../model/errors.ts';
import { errnoOf } from './file-system.ts';

export interface FolderLock {
  /** Gives the folder free. Idempotent. */
  release(): Promise<void>;
}

interface Owner {
  readonly pid: number;
  /** What tells this process from others that had or will have its pid; absent where the system does not say. */
  readonly identity?: string;
}

const NAME = 'lock';
/** Others may take a stale lock at the same time; each round one of them wins. */
const ROUNDS_MAX = 10;

/** Locks a folder, making it when needed. Throws `data-folder-locked`. */
export async function lockFolder(folder: string): Promise<FolderLock> {
  await mkdir(folder, { recursive: true });
  const path = `${folder}/${NAME}`;
  const me = await describe(process.pid);
  const mine = `${JSON.stringify(me)}\n`;
  const draft = `${path}.${process.pid}`;
  await writeFile(draft, mine, { flush: true });
  try {
    for (let round = 0; round < ROUNDS_MAX; round++) {
      if (await linked(draft, path)) return { release: () => release(path, mine) };
      await clearStale(path, folder);
    }
  } finally {
    await rm(draft, { force: true });
  }
  throw new LakewardError('data-folder-locked', `others take the lock of ${folder} again and again`);
}

async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return false;
    throw error;
  }
}

/** Takes a lock away whose owner is gone; throws when the owner lives. */
async function clearStale(path: string, folder: string): Promise<void> {
  const content = await contentOf(path);
  if (content === undefined) return;
  const owner = parse(content);
  if (owner !== undefined && (await isAlive(owner))) throw locked(folder, owner);
  const away = `${path}.stale-${process.pid}`;
  try {
    await rename(path, away);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return;
    throw error;
  }
  // Between the look and the rename somebody else may have taken over: then it was theirs, and goes back.
  const taken = await contentOf(away);
  if (taken !== undefined && taken !== content) await linked(away, path);
  await rm(away, { force: true });
}

function locked(folder: string, owner: Owner): LakewardError {
  return new LakewardError('data-folder-locked', `process ${owner.pid} owns ${folder}; stop it or use another folder`, {
    details: { pid: owner.pid },
  });
}

async function contentOf(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

function parse(content: string): Owner | undefined {
  try {
    const owner = JSON.parse(content) as Partial<Owner> | null;
    return Number.isSafeInteger(owner?.pid) ? (owner as Owner) : undefined;
  } catch {
    // Not ours, or emptied by a power cut: nobody can be named as owner.
    return undefined;
  }
}

async function isAlive(owner: Owner): Promise<boolean> {
  try {
    process.kill(owner.pid, 0);
  } catch (error) {
    if (errnoOf(error) !== 'EPERM') return false;
  }
  const { identity } = await describe(owner.pid);
  return owner.identity === undefined || identity === undefined || owner.identity === identity;
}

async function describe(pid: number): Promise<Owner> {
  try {
    const boot = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    // The name in parentheses may hold anything; the start time is the 20th field after it.
    const start = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
    return start === undefined ? { pid } : { pid, identity: `${boot}:${start}` };
  } catch {
    return { pid };
  }
}

async function release(path: string, mine: string): Promise<void> {
  if ((await contentOf(path)) === mine) await rm(path, { force: true });
}
