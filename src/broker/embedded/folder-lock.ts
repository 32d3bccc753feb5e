/**
 * One process owns a data folder. Owners follow each other in files `lock-1`, `lock-2`, …: the highest names the owner, and who
 * finds that one released or its process gone makes the next, which only one can. A file appears with its content in one step (a
 * link of a finished file) and numbers never go back, so two that take over at once cannot both win. A process is told by pid, boot
 * and start time where its pid means something: on its machine, in its PID namespace. From elsewhere nothing follows from a pid: there
 * an owner counts as gone only when its heartbeat, the time of its file, has stood still for long.
 */
import { link, mkdir, readdir, readFile, readlink, rm, stat, truncate, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { LakewardError } from '../../model/errors.ts';
import type { Clock } from '../../ports/clock.ts';
import { errnoOf, isFull } from './file-system.ts';

export interface FolderLock {
  /** False once another process was seen to have taken the folder over, as happens to one that was halted for long. */
  owned(): boolean;
  /** Gives the folder free. Idempotent. */
  release(): Promise<void>;
}

interface Owner {
  readonly pid: number;
  /** What tells this process from others that had or will have its pid; absent where the system does not say. */
  readonly identity?: string;
  /** Where its pid means something; only of an owner with a heartbeat. */
  readonly place?: string;
}

export const HEARTBEAT_MS = 2000;
/** An owner elsewhere is gone when its heartbeat stood still for this long. */
export const SILENCE_MS = 10_000;
const LOOK_MS = 500;
const NAME = /^lock-(\d{1,15})$/;
/** Others may take the folder over at the same time; each round one of them wins. */
const ROUNDS_MAX = 100;
let drafts = 0;

/**
 * Locks a folder, making it when needed. With a clock the lock has a heartbeat, and an owner elsewhere is watched for `SILENCE_MS`
 * at most; without one, an owner elsewhere is never taken for gone. Throws `data-folder-locked`, `disk-full`.
 */
export async function lockFolder(folder: string, clock?: Clock): Promise<FolderLock> {
  const draft = `${folder}/lock.draft-${process.pid}-${++drafts}`;
  const place = await whereWeAre();
  try {
    await mkdir(folder, { recursive: true });
    const self: Owner = { ...(await describe(process.pid)), ...(clock !== undefined && { place }) };
    await writeFile(draft, `${JSON.stringify(self)}\n`, { flush: true });
    for (let round = 0; round < ROUNDS_MAX; round++) {
      const number = await takeNext({ folder, draft, place, clock });
      if (number !== undefined) return hold(folder, number, clock);
    }
  } catch (error) {
    if (!isFull(error)) throw error;
    throw new LakewardError('disk-full', `no space left for the lock of ${folder}; free some space`, { cause: error });
  } finally {
    await rm(draft, { force: true });
  }
  throw new LakewardError('data-folder-locked', `others take the lock of ${folder} again and again`);
}

interface Taker {
  readonly folder: string;
  readonly draft: string;
  readonly place: string;
  readonly clock: Clock | undefined;
}

/** The number taken, or undefined when somebody else was faster. */
async function takeNext({ folder, draft, place, clock }: Taker): Promise<number | undefined> {
  const highest = (await numbers(folder)).at(-1) ?? 0;
  const path = `${folder}/lock-${highest}`;
  const content = highest === 0 ? undefined : await contentOf(path);
  const owner = content === undefined ? undefined : parse(content);
  if (owner !== undefined) {
    const here = owner.place === undefined || owner.place === place;
    if (here ? await isAlive(owner) : await beats(path, clock)) throw locked(folder, owner, here);
  }
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

/** Watches the file of an owner elsewhere. A file that was emptied or is gone has no owner any more. */
async function beats(path: string, clock: Clock | undefined): Promise<boolean> {
  if (clock === undefined) return true;
  const first = await timeOf(path);
  if (first === undefined) return false;
  const endMs = clock.monotonicMs() + SILENCE_MS;
  while (clock.monotonicMs() < endMs) {
    await clock.sleep(LOOK_MS);
    const now = await timeOf(path);
    if (now !== first) return now !== undefined;
  }
  return false;
}

async function timeOf(path: string): Promise<number | undefined> {
  try {
    const { mtimeMs, size } = await stat(path);
    return size === 0 ? undefined : mtimeMs;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

function hold(folder: string, number: number, clock: Clock | undefined): FolderLock {
  const stopping = new AbortController();
  let owned = true;

  async function beat(at: Clock): Promise<void> {
    while (owned) {
      await at.sleep(HEARTBEAT_MS, stopping.signal);
      try {
        const seconds = at.nowMs() / 1000;
        await utimes(`${folder}/lock-${number}`, seconds, seconds);
        owned = ((await numbers(folder)).at(-1) ?? number) === number;
      } catch (error) {
        // A file that is gone was cleared by a later owner; any other fault may pass before the silence is too long.
        if (errnoOf(error) === 'ENOENT') owned = false;
      }
    }
  }

  // The stop ends the sleep by a throw.
  const beating = clock === undefined ? Promise.resolve() : beat(clock).catch(() => undefined);
  return {
    owned: () => owned,
    release: oneTime(async () => {
      stopping.abort();
      await beating;
      await release(folder, number);
    }),
  };
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

function locked(folder: string, { pid, place }: Owner, here: boolean): LakewardError {
  const who = here ? `process ${pid}` : `process ${pid} of another machine or container (${place})`;
  return new LakewardError('data-folder-locked', `${who} owns ${folder}; stop it or use another folder`, {
    details: { pid },
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

/** Machine, boot and PID namespace, as far as the system tells them. */
async function whereWeAre(): Promise<string> {
  const boot = await bootId().catch(() => '');
  const namespace = await readlink('/proc/self/ns/pid').catch(() => '');
  return [hostname(), boot, namespace].join(' ').trim();
}

async function bootId(): Promise<string> {
  return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
}

async function describe(pid: number): Promise<Owner> {
  try {
    const boot = await bootId();
    const status = await readFile(`/proc/${pid}/stat`, 'utf8');
    // The name in parentheses may hold anything; the start time is the 20th field after it.
    const start = status.slice(status.lastIndexOf(')') + 2).split(' ')[19];
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
