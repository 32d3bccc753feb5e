import { access, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { manualClock } from '../../src/clock/manual-clock.ts';
import { openFileStore } from '../../src/lake/file/file-store.ts';
import { memoryStore } from '../../src/lake/memory/memory-store.ts';
import type { LakeStore } from '../../src/ports/lake-store.ts';
import { type LakeStoreUnderTest, lakeStoreSuite } from '../conformance/lake-store.suite.ts';

async function onDisk(make: (folder: string) => Promise<LakeStore>): Promise<LakeStoreUnderTest> {
  const folder = await mkdtemp(join(tmpdir(), 'lakeward-lake-'));
  let locals = 0;
  return {
    store: await make(folder),
    async local(bytes) {
      const path = join(folder, `local-${locals++}`);
      await writeFile(path, bytes);
      return path;
    },
    localExists: (local) =>
      access(local).then(
        () => true,
        () => false,
      ),
    close: () => rm(folder, { recursive: true, force: true }),
  };
}
const clock = manualClock({ nowMs: 1_700_000_000_000, seed: 1 });

lakeStoreSuite('the memory store', () => onDisk(async () => memoryStore({ clock })));
lakeStoreSuite('the file store', () => onDisk((folder) => openFileStore({ folder: join(folder, 'deep/lake'), clock })));
