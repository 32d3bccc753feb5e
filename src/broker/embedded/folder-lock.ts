/**
 * One process owns a data folder. Owners follow each other in files `lock-1`, `lock-2`, …: the highest names the owner, and who
 * finds that one released or its process gone makes the next, which only one can. A file appears with its content in one step (a
 * link of a finished file) and numbers never go back, so two that take over at once cannot both win. A process is told by pid, and
 * where the system says it (Linux) by boot and start time too: a pid given to another process is not taken for the owner.
 */
import { link, mkdir, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { LakewardError } from '../../model/errors.ts';
import { errnoOf, isFull } from './file-system.ts';

export interface FolderLock {
  /** Gives the folder free. Idempotent. */
  release(): Promise<void>;
}

interface Owner {
  readonly pid: number;
  /** What tells this process from others that had or will have its pid; absent where the system does not say. */
  readonly identity?: string;
}

const NAME = /^lock-(\d{1,15})$/;
/** Others may take the folder over at the same time; each round one of them wins. */
const ROUNDS_MAX = 100;
let drafts = 0;

/** Locks a folder, making it when needed. Throws `data-folder-locked`, `disk-full`. */
export async function lockFolder(folder: string): Promise<FolderLock> {
  const draft = `${folder}/lock.draft-${process.pid}-${++drafts}`;
  try {
    await mkdir(folder, { recursive: true });
    await writeFile(draft, `${JSON.stringify(await describe(process.pid))}\n`, { flush: true });
    for (let round = 0; round < ROUNDS_MAX; round++) {
      const number = await takeNext(folder, draft);
      if (number !== undefined) return { release: oneTime(() => release(folder, number)) };
    }
  } catch (error) {
    if (!isFull(error)) throw error;
    throw new LakewardError('disk-full', `no space left for the lock of ${folder}; free some space`, { cause: error });
  } finally {
    await rm(draft, { force: true });
  }
  throw new LakewardError('data-folder-locked', `others take the lock of ${folder} again and again`);
}

/** The number taken, or undefined when somebody else was faster. */
async function takeNext(folder: string, draft: string): Promise<number | undefined> {
  const highest = (await numbers(folder)).at(-1) ?? 0;
  const content = highest === 0 ? undefined : await contentOf(`${folder}/lock-${highest}`);
  const owner = content === undefined ? undefined : parse(content);
  if (owner !== undefined && (await isAlive(owner))) throw locked(folder, owner);
  const mine = highest + 1;
  if (!(await linked(draft, `${folder}/lock-${mine}`))) return undefined;
  const now = await numbers(folder);
  // A slow one may take a number that a faster owner passed and cleared.
  if (now.at(-1) !== mine) {
    await rm(`${folder}/lock-${mine}`, { force: true });
    return undefined;
  }
  for (const old of now.slice(0, -1)) await rm(`${folder}/lock-${old}`, { force: true });
  return mine;
}

async function numbers(folder: string): Promise<number[]> {
  const names = await readdir(folder);
  return names
    .flatMap((name) => NAME.exec(name)?.[1] ?? [])
    .map(Number)
    .toSorted((a, b) => a - b);
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

/** The number stays, without an owner: numbers never go back. Needs no space, for a disk that is full. */
async function release(folder: string, number: number): Promise<void> {
  try {
    await truncate(`${folder}/lock-${number}`);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
}

function oneTime(work: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | undefined;
  return () => (done ??= work());
}
