/** Staging is repeated when the lake is away for a moment, but never on a local file that a disk failed on. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { manualClock } from '../../src/clock/manual-clock.ts';
import { openFileStore } from '../../src/lake/file/file-store.ts';
import { diskFileSystem, type LakeFileSystem } from '../../src/lake/file/file-system.ts';
import { type LandingLog, openLandingLog } from '../../src/landing/landing-log.ts';
import { LakewardError } from '../../src/model/errors.ts';
import type { LakeStore } from '../../src/ports/lake-store.ts';
import { logOptions } from './log-options.ts';

// Waits end at once.
const clock = { ...manualClock(), sleep: async () => undefined };
let top: string;
let local: string;

beforeEach(async () => {
  top = await mkdtemp(join(tmpdir(), 'lakeward-stage-'));
  local = join(top, 'rows');
  await writeFile(local, 'rows');
});
afterEach(() => rm(top, { recursive: true, force: true }));

async function logOn(store: LakeStore): Promise<LandingLog> {
  return openLandingLog(await logOptions({ store, clock }));
}

test('a local file whose sync failed is not synced again, as the next one may succeed over lost pages', async () => {
  let syncs = 0;
  const syncFile: LakeFileSystem['syncFile'] = async (path) => {
    if (path !== local) return diskFileSystem.syncFile(path);
    syncs += 1;
    if (syncs === 1) throw Object.assign(new Error('EIO'), { code: 'EIO' });
  };
  const fileSystem = { ...diskFileSystem, syncFile };
  const log = await logOn(await openFileStore({ folder: join(top, 'lake'), clock, fileSystem }));
  const staging = log.stage(log.nonce(), { local, name: 'a.parquet', directory: 'd' });
  await expect(staging).rejects.toMatchObject({ code: 'lake-unavailable', retryable: true });
  expect(syncs).toBe(1);
});

test('a lake that is away for a moment is asked again, under a fresh name', async () => {
  const store = await openFileStore({ folder: join(top, 'lake'), clock });
  const tried: string[] = [];
  const log = await logOn({
    ...store,
    stage: async (file, options) => {
      tried.push(file.staged);
      if (tried.length < 3) throw new LakewardError('lake-unavailable', 'away');
      return store.stage(file, options);
    },
  });
  const handle = await log.stage(log.nonce(), { local, name: 'a.parquet', directory: 'd' });
  expect(new Set(tried).size).toBe(3);
  expect(handle.staged).toBe(tried[2]);
});
