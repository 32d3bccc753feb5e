import { access, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { manualClock } from '../../src/clock/manual-clock.ts';
import { openFileStore } from '../../src/lake/file/file-store.ts';
import { diskFileSystem, type LakeFileSystem } from '../../src/lake/file/file-system.ts';
import { memoryStore } from '../../src/lake/memory/memory-store.ts';
import { countingStore } from '../../src/lake/wrap/counting-store.ts';
import { callLimit, limitedStore } from '../../src/lake/wrap/limited-store.ts';
import { retryingStore } from '../../src/lake/wrap/retrying-store.ts';
import { storePace } from '../../src/lake/wrap/store-pace.ts';
import type { LakeStore } from '../../src/ports/lake-store.ts';
import { silentTelemetry } from '../../src/telemetry/silent.ts';
import { type LakeStoreUnderTest, lakeStoreSuite } from '../conformance/lake-store.suite.ts';
import { faultyStore } from '../faults/lake/faulty-store.ts';
import { seededWorld } from '../faults/lake/world.ts';

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
lakeStoreSuite('the counting wrapper', () =>
  onDisk(async () => countingStore(memoryStore({ clock }), { clock, telemetry: silentTelemetry() })),
);
lakeStoreSuite('the retrying wrapper', () =>
  onDisk(async () =>
    retryingStore(memoryStore({ clock }), { clock, telemetry: silentTelemetry(), pace: storePace(clock) }),
  ),
);
lakeStoreSuite('the limiting wrapper', () =>
  onDisk(async () => limitedStore(memoryStore({ clock }), callLimit({ total: 3, perPrefix: 2 }))),
);
lakeStoreSuite('the fault-injecting double, while it injects none', () =>
  onDisk(async () => {
    const world = seededWorld(1, { crashes: 0, powerCuts: 0, failures: 0, late: 0, losses: 0 });
    return faultyStore(
      memoryStore({ clock }),
      { ...world, turn: async (_actor, apply) => apply() },
      world.actor('one'),
    );
  }),
);
lakeStoreSuite('the file store on a disk of another file system than the local files', () =>
  onDisk((folder) => {
    const link: LakeFileSystem['link'] = async (from, to) => {
      if (from.includes('/local-')) throw Object.assign(new Error('cross-device link'), { code: 'EXDEV' });
      return diskFileSystem.link(from, to);
    };
    return openFileStore({ folder: join(folder, 'lake'), clock, fileSystem: { ...diskFileSystem, link } });
  }),
);
