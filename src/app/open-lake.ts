/**
 * Opens the lake and asks whether exactly-once can rest on it. The data folder remembers which lake was in which place, so that a lake that
 * was emptied or swapped while no server ran is noticed: its deliveries suspend and say so, and nothing lands twice. A store that breaks
 * a condition is refused, or, where the operator said so, used and labelled at-least-once.
 */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openLake } from '../landing/lake-identity.ts';
import { probeLake } from '../landing/probe.ts';
import { isLakewardError, LakewardError } from '../model/errors.ts';
import type { Clock } from '../ports/clock.ts';
import type { LakeStore } from '../ports/lake-store.ts';
import type { Log } from '../ports/telemetry.ts';
import { readMemory, writeMemory } from './folder-memory.ts';
import type { LakePlace } from './lake-place.ts';

export interface OpenedLake {
  readonly lake: LakeStore;
  readonly lakeId: string;
}

export interface OpenLakeOptions {
  readonly place: LakePlace;
  /** `lakes.json`, the file that remembers: place of a lake to lake id. An operator removes a line to accept another lake. */
  readonly memory: string;
  /** For the probe's file. */
  readonly scratchFolder: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** Throws `lake-unavailable`, `lake-unsuitable`. */
export async function openKnownLake(options: OpenLakeOptions): Promise<OpenedLake> {
  const { place, memory, clock } = options;
  const lake = (await place.open()).store();
  const known = await readMemory(memory);
  const remembered = known[place.location];
  if (remembered === undefined || place.probesAlways) await checkConditions(lake, options);
  // Whether the lake still is the one remembered is asked by every delivery before it lands.
  if (remembered !== undefined) return { lake, lakeId: remembered };
  const lakeId = await openLake(lake, { clock });
  await writeMemory(memory, { ...known, [place.location]: lakeId });
  return { lake, lakeId };
}

async function checkConditions(lake: LakeStore, { place, scratchFolder, clock, log }: OpenLakeOptions): Promise<void> {
  try {
    await probe(lake, scratchFolder, clock);
  } catch (error) {
    if (!isLakewardError(error, 'lake-unsuitable')) throw error;
    if (place.guarantee === 'exactly-once') throw place.probesAlways ? withWayOut(error) : error;
    log.warn('rows may land twice in this lake', { lake: place.location, reason: error.message });
  }
}

/** A folder has no such way: nothing but its file system can break a condition. */
function withWayOut(error: LakewardError): LakewardError {
  const way = 'use another store, or take it as it is with lake.s3.guarantee: at-least-once';
  return new LakewardError('lake-unsuitable', `${error.message}; ${way}`, { cause: error });
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
