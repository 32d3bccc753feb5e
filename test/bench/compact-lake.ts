/** A lake in a folder with the files of bench:compact, as one landing left them that a checkpoint covers by now. */
import { copyFileSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../../src/clock/system-clock.ts';
import { openFileStore } from '../../src/lake/file/file-store.ts';
import { type LandingLog, openLandingLog } from '../../src/landing/landing-log.ts';
import type { LakeStore } from '../../src/ports/lake-store.ts';
import { logOptions } from '../landing/log-options.ts';

export interface BenchLake {
  readonly lake: LakeStore;
  readonly openLog: () => Promise<LandingLog>;
}

export async function openBenchLake(folder: string): Promise<BenchLake> {
  mkdirSync(folder, { recursive: true });
  const clock = systemClock();
  const lake = await openFileStore({ folder: join(folder, 'lake'), clock });
  const options = await logOptions({ store: lake, clock, tuning: { copyMaxMs: 0 } });
  return { lake, openLog: () => openLandingLog(options) };
}

/** Lands copies of the Parquet files of a folder, of so many rows each. */
export async function landFiles(source: string, folder: string, rows: number): Promise<void> {
  const log = await (await openBenchLake(folder)).openLog();
  const nonce = log.nonce();
  const files = await Promise.all(
    readdirSync(source).map(async (name) => {
      const local = join(folder, name);
      copyFileSync(join(source, name), local);
      const handle = await log.stage(nonce, { local, name, directory: 'd/p' });
      const facts = {
        partition: 'p',
        rows,
        bytes: handle.bytes,
        eventMinMs: 0,
        eventMaxMs: 1,
        planVersion: 1,
        columns: [],
      };
      return { ...facts, closedBecause: 'age' as const, handle };
    }),
  );
  await log.commit({ nonce, ranges: new Map(), planVersion: 1, files, rejected: [], extraRows: 0, lateRows: 0 });
  await log.maintain();
}
