import { chmod, cp, mkdir, mkdtemp, readdir, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { manualClock } from '../../src/clock/manual-clock.ts';
import { openFileStore } from '../../src/lake/file/file-store.ts';
import { diskFileSystem, type FolderEntry, type LakeFileSystem } from '../../src/lake/file/file-system.ts';
import { openLake } from '../../src/landing/lake-identity.ts';
import { probeLake } from '../../src/landing/probe.ts';
import { memoryStore } from '../../src/lake/memory/memory-store.ts';
import { LAKE_ID_PATH, type LakePath, lakePath } from '../../src/model/lake-path.ts';

const clock = manualClock();
const bytes = new TextEncoder().encode('x');
let top: string;

beforeEach(async () => {
  top = await mkdtemp(join(tmpdir(), 'lakeward-faults-'));
});
afterEach(async () => {
  await chmod(top, 0o700);
  await rm(top, { recursive: true, force: true });
});

describe('a lake in a folder', () => {
  test.each([
    ['ENOSPC', /disk is full.*free space/],
    ['EACCES', /may not write.*give its user/],
    ['EROFS', /read-only/],
    ['EIO', /input\/output error/],
  ])('says what to do about %s, may be tried again, and leaves no temporary file', async (code, words) => {
    let failing = true;
    const link: LakeFileSystem['link'] = async (from, to) => {
      if (failing) throw Object.assign(new Error(code), { code });
      return diskFileSystem.link(from, to);
    };
    const store = await openFileStore({ folder: join(top, 'lake'), clock, fileSystem: { ...diskFileSystem, link } });
    const path = lakePath('a/b');
    await expect(store.create(path, bytes)).rejects.toMatchObject({
      code: 'lake-unavailable',
      retryable: true,
      message: expect.stringMatching(words),
    });
    failing = false;
    expect(await store.create(path, bytes)).toBe('created');
    expect(await readdir(join(top, 'lake/_lakeward/.tmp'))).toEqual([]);
  });

  test('on a file system without hard links is unsuitable', async () => {
    const link = (): Promise<void> => Promise.reject(Object.assign(new Error('no'), { code: 'ENOTSUP' }));
    const store = await openFileStore({ folder: join(top, 'lake'), clock, fileSystem: { ...diskFileSystem, link } });
    await expect(store.create(lakePath('a'), bytes)).rejects.toMatchObject({ code: 'lake-unsuitable' });
  });

  test('that vanishes is noticed by every call and never made anew; when it is back, work goes on', async () => {
    const folder = join(top, 'lake');
    const store = await openFileStore({ folder, clock });
    await store.create(lakePath('a/b'), bytes);
    await rename(folder, join(top, 'moved'));
    const handle = { staged: lakePath('s'), final: lakePath('f'), bytes: 1, checksum: '00000000' };
    const calls = (): (() => Promise<unknown>)[] => [
      () => store.create(lakePath('a/c'), bytes),
      () => store.overwrite(lakePath('a/c'), bytes),
      () => store.read(lakePath('a/b')),
      () => store.list(''),
      () => store.remove(lakePath('a/b')),
      () => store.publish(handle),
      () => store.discard(handle),
    ];
    for (const call of calls()) await expect(call()).rejects.toMatchObject({ code: 'lake-unavailable' });
    expect(await readdir(top)).toEqual(['moved']);
    await mkdir(folder);
    for (const call of calls().slice(0, 2)) await expect(call()).rejects.toMatchObject({ code: 'lake-unavailable' });
    await rm(folder, { recursive: true });
    await rename(join(top, 'moved'), folder);
    expect(await store.create(lakePath('a/c'), bytes)).toBe('created');
  });

  test('opens with a folder among its temporary files, and drops the old files beside it', async () => {
    const temporary = join(top, 'lake/_lakeward/.tmp');
    await mkdir(join(temporary, 'a folder'), { recursive: true });
    await writeFile(join(temporary, 'a stray'), 'x');
    await writeFile(join(temporary, 'young'), 'x');
    const old = new Date(clock.nowMs() - 48 * 3_600_000);
    for (const name of ['a folder', 'a stray']) await utimes(join(temporary, name), old, old);
    await openFileStore({ folder: join(top, 'lake'), clock });
    expect((await readdir(temporary)).sort()).toEqual(['a folder', 'young']);
  });

  test('lists a folder of many files in order, page by page, and keeps few of its names at a time', async () => {
    const names = Array.from({ length: 6000 }, (_, i) => `f${(i * 7919) % 6000}`);
    async function* readFolder(path: string): AsyncGenerator<FolderEntry[]> {
      if (!path.endsWith('/lake')) return;
      yield [{ name: 'empty', folder: true }];
      for (const name of names) yield [{ name, folder: false }];
    }
    const facts: LakeFileSystem['facts'] = (path) => diskFileSystem.facts(path.replace(/\/f\d+$/, ''));
    const fileSystem = { ...diskFileSystem, readFolder, facts };
    const store = await openFileStore({ folder: join(top, 'lake'), clock, fileSystem });
    const found: string[] = [];
    for (let after: LakePath | undefined; ; ) {
      const { files, next } = await store.list('', after === undefined ? {} : { after });
      found.push(...files.map(({ path }) => path));
      if (next === undefined) break;
      after = next;
    }
    expect(found).toEqual([...names].sort());
  });

  test('that is mounted anew goes on when it is the same lake with all this process made, and only then', async () => {
    const folder = join(top, 'lake');
    const store = await openFileStore({ folder, clock });
    await openLake(store, { clock });
    await store.create(lakePath('a/entry'), bytes);
    const entry = lakePath('a/next');
    /** Another folder with the same content takes its place, as another mount does. */
    const replace = async (change: (copy: string) => Promise<void>): Promise<void> => {
      const copy = await mkdtemp(join(top, 'copy-'));
      await cp(folder, copy, { recursive: true });
      await change(copy);
      // Kept, so that its number is not given to the next.
      await rename(folder, `${copy}-before`);
      await rename(copy, folder);
    };
    const kept = join(top, 'kept');
    await cp(folder, kept, { recursive: true });
    await replace((copy) => rm(join(copy, 'a/entry')));
    await expect(store.create(entry, bytes)).rejects.toMatchObject({ code: 'lake-unavailable' });
    await replace((copy) => cp(kept, copy, { recursive: true }).then(() => writeFile(join(copy, LAKE_ID_PATH), '{}')));
    await expect(store.create(entry, bytes)).rejects.toMatchObject({ code: 'lake-unavailable' });
    await replace((copy) => cp(kept, copy, { recursive: true }));
    expect(await store.create(entry, bytes)).toBe('created');
    expect(await readdir(join(folder, 'a'))).toEqual(['entry', 'next']);
  });

  test('that is mounted anew while a call looks below the mount point makes the call look again', async () => {
    const folder = join(top, 'lake');
    let between = async (): Promise<void> => undefined;
    const read: LakeFileSystem['read'] = async (path, ...where) => {
      try {
        return await diskFileSystem.read(path, ...where);
      } finally {
        const act = between;
        between = async () => undefined;
        await act();
      }
    };
    const store = await openFileStore({ folder, clock, fileSystem: { ...diskFileSystem, read } });
    await openLake(store, { clock });
    await store.create(lakePath('a'), bytes);
    await cp(folder, join(top, 'other'), { recursive: true });
    await rename(folder, join(top, 'gone'));
    between = () => rename(join(top, 'other'), folder);
    await expect(store.read(lakePath('a'))).rejects.toMatchObject({ code: 'lake-unavailable', retryable: true });
    expect(await store.read(lakePath('a'))).toEqual(Buffer.from(bytes));
  });

  test('that is a file is refused', async () => {
    await writeFile(join(top, 'lake'), 'x');
    await expect(openFileStore({ folder: join(top, 'lake'), clock })).rejects.toThrow(/not a folder/);
  });
});

describe('the identity of a lake', () => {
  test('is made once and stays', async () => {
    const store = memoryStore({ clock });
    const ids = await Promise.all([openLake(store, { clock }), openLake(store, { clock })]);
    expect(new Set(ids).size).toBe(1);
    expect(await openLake(store, { clock, known: ids[0] })).toBe(ids[0]);
  });

  test('that is gone or another is a mismatch, not a new lake', async () => {
    const store = memoryStore({ clock });
    await expect(openLake(store, { clock, known: 'before' })).rejects.toMatchObject({ code: 'incarnation-mismatch' });
    expect((await store.list('')).files).toEqual([]);
    await openLake(store, { clock });
    await expect(openLake(store, { clock, known: 'before' })).rejects.toMatchObject({ code: 'incarnation-mismatch' });
  });
});

describe('the probe of a store', () => {
  const takeLocal = async (): Promise<Uint8Array> => bytes;

  test('accepts a good store and leaves nothing behind', async () => {
    const store = await openFileStore({ folder: join(top, 'lake'), clock });
    await writeFile(join(top, 'local'), 'x');
    await probeLake(store, { nonce: 'n1', local: join(top, 'local') });
    expect((await store.list('')).files).toEqual([]);
  });

  test('refuses a store that creates twice, and one whose stages show', async () => {
    const good = memoryStore({ clock, takeLocal });
    const twice: typeof good = {
      ...good,
      async create(path, content) {
        await good.overwrite(path, content);
        return 'created';
      },
    };
    await expect(probeLake(twice, { nonce: 'n', local: 'l' })).rejects.toMatchObject({ code: 'lake-unsuitable' });
    const open: typeof good = {
      ...good,
      async stage(file) {
        const handle = await good.stage(file);
        await good.overwrite(file.final, bytes);
        return handle;
      },
    };
    await expect(probeLake(open, { nonce: 'n', local: 'l' })).rejects.toThrow(/a stage is not visible/);
  });
});
