/** How much room the disk of the data folder has. */
import { statfs } from 'node:fs/promises';

export interface DiskFacts {
  readonly freeBytes: number;
  readonly reserveBytes: number;
}

export async function diskFacts(folder: string, reserveBytes: number): Promise<DiskFacts> {
  const { bavail, bsize } = await statfs(folder);
  return { freeBytes: bavail * bsize, reserveBytes };
}
