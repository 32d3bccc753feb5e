import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { scratchFolders } from '../../src/app/scratch-folders.ts';
import { manualClock } from '../../src/clock/manual-clock.ts';
import { secretBytes } from '../../src/clock/secret-bytes.ts';
import { fetchFile, type FileToFetch } from '../../src/compaction/fetch-file.ts';
import { encryptingStore } from '../../src/lake/encrypt/encrypting-store.ts';
import { openKeyRing } from '../../src/lake/encrypt/key-ring.ts';
import { openFileStore } from '../../src/lake/file/file-store.ts';
import { memoryStore } from '../../src/lake/memory/memory-store.ts';
import { countingStore } from '../../src/lake/wrap/counting-store.ts';
import { lakePath } from '../../src/model/lake-path.ts';
import type { LakeStore } from '../../src/ports/lake-store.ts';
import { silentTelemetry } from '../../src/telemetry/silent.ts';

const clock = manualClock({ nowMs: 0, seed: 1 });
const bytes = Buffer.from('rows of a file');
const checksum = crc32(bytes).toString(16).padStart(8, '0');
const plain = lakePath('d/a.parquet');
const sealed = lakePath('d/b.parquet.lwenc');

let folder: string;
let onDisk: LakeStore;
let locals = 0;

/** As a process has it around a folder, with one plain and one encrypted file. */
async function filled(store: LakeStore): Promise<LakeStore> {
  const keys = await openKeyRing(
    [{ id: 'k', from: { text: Buffer.alloc(32, 1).toString('hex'), name: 'KEY' } }],
    secretBytes,
  );
  const lake = encryptingStore(countingStore(store, { clock, telemetry: silentTelemetry() }), keys);
  await lake.create(plain, bytes);
  await lake.create(sealed, bytes, { object: { encryption: { kind: 'client', key: 'k' } } });
  return lake;
}

async function fetched(lake: LakeStore, file: Omit<FileToFetch, 'local'>) {
  const scratch = scratchFolders({ folder: join(folder, 'scratch'), clock });
  const local = join(await scratch.make(), `in-${locals++}`);
  return { local, isThere: await fetchFile({ lake, scratch }, { ...file, local }, new AbortController().signal) };
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lakeward-fetch-'));
  onDisk = await filled(await openFileStore({ folder: join(folder, 'lake'), clock }));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('a file of the lake on the local disk', () => {
  test('is the file itself where the lake is a folder beside, and outlives its removal there', async () => {
    const { local, isThere } = await fetched(onDisk, { path: plain, checksum, bytes: bytes.length });
    expect(isThere).toBe(true);
    expect((await stat(local)).ino).toBe((await stat(join(folder, 'lake', plain))).ino);
    const gone = lakePath('d/gone.parquet');
    await onDisk.create(gone, bytes);
    const kept = await fetched(onDisk, { path: gone, checksum });
    await onDisk.remove(gone);
    expect(await readFile(kept.local)).toEqual(bytes);
  });

  test('is a copy where it lies elsewhere or encrypted', async () => {
    const elsewhere = await filled(memoryStore({ clock }));
    for (const [lake, path] of [
      [elsewhere, plain],
      [elsewhere, sealed],
      [onDisk, sealed],
    ] as const) {
      const { local, isThere } = await fetched(lake, { path });
      expect(isThere).toBe(true);
      expect(await readFile(local)).toEqual(bytes);
    }
  });

  test('is refused when it is not what landed, and absent when it is', async () => {
    for (const lake of [onDisk, await filled(memoryStore({ clock }))]) {
      const other = fetched(lake, { path: plain, checksum: '00000000', bytes: bytes.length });
      await expect(other).rejects.toMatchObject({ code: 'landing-log-damaged' });
      expect((await fetched(lake, { path: lakePath('d/none.parquet'), checksum })).isThere).toBe(false);
    }
  });

  test('is copied where a second name cannot be', async () => {
    const refusing: LakeStore = { ...onDisk, link: async () => false };
    const { local } = await fetched(refusing, { path: plain, checksum });
    expect((await stat(local)).ino).not.toBe((await stat(join(folder, 'lake', plain))).ino);
    expect(await readFile(local)).toEqual(bytes);
  });
});
