/**
 * Verifying the log of a data folder while no server runs. Holds the folder's lock meanwhile, so that a running server is not mistaken for
 * damage; a folder that cannot be written, such as a backup on a read-only disk, is verified without it.
 */
import { stat } from 'node:fs/promises';
import type { FolderLock } from '../broker/embedded/folder-lock.ts';
import { lockFolder } from '../broker/embedded/folder-lock.ts';
import { systemClock } from '../clock/system-clock.ts';
import type { LogReport, SegmentReport } from '../broker/embedded/verify.ts';
import { verifyLog } from '../broker/embedded/verify.ts';
import { LakewardError } from '../model/errors.ts';
import { dataFolder } from './data-folder.ts';

export type { LogReport, SegmentReport } from '../broker/embedded/verify.ts';

/** A report for each stream. Throws `data-folder-locked` while a server owns the folder, `argument-invalid` when it is no data folder. */
export async function verifyDataFolder(
  folder: string,
  progress: (report: SegmentReport) => void,
): Promise<readonly LogReport[]> {
  const { streams } = dataFolder(folder);
  const found = await stat(streams).catch(() => undefined);
  if (found?.isDirectory() !== true) {
    throw new LakewardError('argument-invalid', `${folder} holds no log of streams; name a data folder with --data`);
  }
  const lock = await lockUnlessReadOnly(folder);
  try {
    return await verifyLog({ folder: streams, progress });
  } finally {
    await lock?.release();
  }
}

async function lockUnlessReadOnly(folder: string): Promise<FolderLock | undefined> {
  try {
    return await lockFolder(folder, systemClock());
  } catch (error) {
    if (['EROFS', 'EACCES', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}
