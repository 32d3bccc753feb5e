/**
 * Opens the lake and asks whether exactly-once can rest on it. The data folder remembers which lake was in which folder, so that a lake that
 * was emptied or swapped while no server ran is noticed: its deliveries suspend and say so, and nothing lands twice.
 */
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openLake } from '../landing/lake-identity.ts';
import { probeLake } from '../landing/probe.ts';
import { openFileStore } from '../lake/file/file-store.ts';
import type { Clock } from '../ports/clock.ts';
import type { LakeStore } from '../ports/lake-store.ts';

export interface OpenedLake {
  readonly lake: LakeStore;
  readonly lakeId: string;
}

export interface OpenLakeOptions {
  readonly folder: string;
  /** The file that remembers. */
  readonly memory: string;
  /** For the probe's file. */
  readonly scratchFolder: string;
  readonly clock: Clock;
}

/** Throws `lake-unavailable`, `lake-unsuitable`. */
export async function openKnownLake({ folder, memory, scratchFolder, clock }: OpenLakeOptions): Promise<OpenedLake> {
  const lake = await openFileStore({ folder, clock });
  const known = await readMemory(memory);
  const remembered = known[folder];
  // Whether the lake still is the one remembered is asked by every delivery before it lands.
  if (remembered !== undefined) return { lake, lakeId: remembered };
  await probe(lake, scratchFolder, clock);
  const lakeId = await openLake(lake, { clock });
  await writeMemory(memory, { ...known, [folder]: lakeId });
  return { lake, lakeId };
}

async function probe(lake: LakeStore, scratchFolder: string, clock: Clock): Promise<void> {
  const nonce = clock.uuid();
  const local = join(scratchFolder, `probe-${nonce}`);
  await mkdir(scratchFolder, { recursive: true });
  await writeFile(local, 'probe\n');
  try {
    await probeLake(lake, { nonce, local });
  } finally {
    // There still when the lake did not take it.
    await rm(local, { force: true });
  }
}

/** `lakes.json`: an object of lake folder to lake id. Written by the server alone; an operator removes a line to accept another lake. */
async function readMemory(path: string): Promise<Readonly<Record<string, string>>> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as Record<string, string>;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw error;
  }
}

async function writeMemory(path: string, known: Readonly<Record<string, string>>): Promise<void> {
  await writeFile(`${path}.new`, `${JSON.stringify(known, null, 2)}\n`, { flush: true });
  await rename(`${path}.new`, path);
}
