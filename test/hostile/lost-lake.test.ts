import { chmod, cp, readdir, rename, rm } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { RunningServer } from '../../src/app/compose.ts';
import { systemClock } from '../../src/clock/system-clock.ts';
import { lakePath } from '../../src/model/lake-path.ts';
import { openFileStore } from '../../src/lake/file/file-store.ts';
import { diskFileSystem } from '../../src/lake/file/file-system.ts';
import { landedIds } from './lake-reader.ts';
import { type Place, aFlow, aPlace, alive, api, flush, inTrouble, must, put, startIn } from './running-server.ts';
import { type SmallDisk, canMount, smallDisk } from './small-disk.ts';

vi.setConfig({ testTimeout: 40_000 });

let disk: SmallDisk | undefined;
let place: Place;
let server: RunningServer | undefined;
afterEach(async () => {
  // The disk goes also when a server cannot be closed.
  try {
    await server?.close('test over');
  } finally {
    await place.dispose();
    disk?.dispose();
  }
  [disk, server] = [undefined, undefined];
});

/** A server with one landed and one waiting record. */
async function begun(): Promise<string> {
  place = await aPlace();
  server = await startIn(place);
  const { url } = server.address;
  await aFlow(url);
  await put(url, { id: 'a' });
  await flush(url);
  await put(url, { id: 'b' });
  return url;
}

describe('a lake folder that goes away while the server runs', () => {
  test('is waited for and not made anew, and landing goes on when it is back', async () => {
    const url = await begun();
    await rename(place.lake, `${place.lake}.away`);
    await expect(flush(url)).rejects.toThrow(/503 .*lake-unavailable.*bring it back/);
    await inTrouble(url, 'retrying', 'lake-unavailable');
    const after = await alive(url);
    expect(existsSync(place.lake)).toBe(false);
    await rename(`${place.lake}.away`, place.lake);
    expect(await must(`${url}/v1/deliveries/d/resume`, 'POST', {})).toMatchObject({ state: 'running' });
    expect(await flush(url)).toMatchObject({ rows: 3, lostOffsets: 0 });
    expect(await landedIds(place.lake, 'd')).toEqual(['a', 'b', after].toSorted());
  });

  test('is taken back as a whole copy, as when it is mounted anew', async () => {
    const url = await begun();
    await cp(place.lake, `${place.lake}.copy`, { recursive: true });
    await rename(place.lake, `${place.lake}.away`);
    await expect(flush(url)).rejects.toThrow('lake-unavailable');
    await rename(`${place.lake}.copy`, place.lake);
    await put(url, { id: 'c' });
    await vi.waitFor(() => flush(url), { timeout: 10_000, interval: 100 });
    expect(await landedIds(place.lake, 'd')).toEqual(['a', 'b', 'c']);
  });

  test('is not taken back as a copy from before the last landing without a restart, which then goes on', async () => {
    const url = await begun();
    await cp(place.lake, `${place.lake}.copy`, { recursive: true });
    await put(url, { id: 'c' });
    await flush(url);
    await put(url, { id: 'd' });
    await rename(place.lake, `${place.lake}.away`);
    await expect(flush(url)).rejects.toThrow('lake-unavailable');
    await rename(`${place.lake}.copy`, place.lake);
    await expect(flush(url)).rejects.toThrow(/lake-unavailable.*restart the server/);
    await server?.close('restart');
    server = await startIn(place);
    await vi.waitFor(() => flush(server?.address.url ?? ''), { timeout: 10_000, interval: 100 });
    expect(await landedIds(place.lake, 'd')).toEqual(['a', 'b', 'c', 'd']);
  });

  test('stays empty when somebody makes an empty one, until the operator accepts it', async () => {
    await begun();
    await server?.close('restart');
    await rename(place.lake, `${place.lake}.away`);
    server = await startIn(place);
    let { url } = server.address;
    const trouble = await inTrouble(url, 'suspended', 'incarnation-mismatch');
    expect(trouble.trouble?.message).toContain('lakes.json');
    const after = await alive(url);
    expect(await readdir(place.lake)).not.toContain('d');
    expect((await api(`${url}/v1/deliveries/d/flush`, 'POST', {})).json.error.code).toBe('incarnation-mismatch');

    // As the message says: the line goes, the server starts again, and the lake begins anew with what the stream holds.
    await server.close('accept the lake');
    await rm(join(place.folder, 'data', 'lakes.json'));
    server = await startIn(place);
    ({ url } = server.address);
    expect(await flush(url)).toMatchObject({ state: 'running', rows: 3 });
    expect(await landedIds(place.lake, 'd')).toEqual(['a', 'b', after].toSorted());
  });
});

describe('a lake that the server may not write', () => {
  const heals = async (forbid: () => Promise<void>, allow: () => Promise<void>, advice: string): Promise<void> => {
    server = await startIn(place);
    const { url } = server.address;
    await aFlow(url);
    await put(url, { id: 'a' });
    await flush(url);
    await forbid();
    await put(url, { id: 'b' });
    await expect(flush(url)).rejects.toThrow(/503 .*lake-unavailable/);
    const { trouble } = await inTrouble(url, 'retrying', 'lake-unavailable');
    expect(trouble?.message).toContain(advice);
    const after = await alive(url);
    await allow();
    await vi.waitFor(() => flush(url), { timeout: 10_000, interval: 100 });
    expect(await landedIds(place.lake, 'd')).toEqual(['a', 'b', after].toSorted());
  };

  const readOnly = (): void =>
    test('for its disk is mounted read-only: landing waits until it is writable', async () => {
      const mounted = smallDisk(8);
      disk = mounted;
      place = await aPlace({ lake: { folder: join(mounted.folder, 'lake') } });
      await heals(
        async () => mounted.setReadOnly(true),
        async () => mounted.setReadOnly(false),
        'mounted read-only; mount it writable',
      );
    });

  const noRight = (): void =>
    test('for its user has no right to: landing waits until it has', async () => {
      place = await aPlace();
      const folders = async (mode: number): Promise<void> => {
        for (const name of await readdir(place.lake, { recursive: true, withFileTypes: true })) {
          if (name.isDirectory()) await chmod(join(name.parentPath, name.name), mode);
        }
        await chmod(place.lake, mode);
      };
      await heals(
        () => folders(0o555),
        () => folders(0o755),
        'may not write there; give its user the right to',
      );
    });

  const told = (): void =>
    test('is told as such by the store', async () => {
      place = await aPlace();
      const writeNew = async (): Promise<void> => {
        throw Object.assign(new Error('no'), { code: 'EACCES' });
      };
      const fileSystem = { ...diskFileSystem, writeNew };
      const store = await openFileStore({ folder: place.lake, clock: systemClock(), fileSystem });
      await expect(store.create(lakePath('a'), Buffer.from('a'))).rejects.toMatchObject({
        code: 'lake-unavailable',
        message: expect.stringContaining('give its user the right to') as string,
      });
    });

  // Rights bind everybody but root; a disk is mounted by root alone.
  if (process.geteuid?.() !== 0) noRight();
  else if (canMount) readOnly();
  else told();
});
