import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { RunningServer } from '../../src/app/compose.ts';
import { systemClock } from '../../src/clock/system-clock.ts';
import { lakePath } from '../../src/model/lake-path.ts';
import { openFileStore } from '../../src/lake/file/file-store.ts';
import { diskFileSystem } from '../../src/lake/file/file-system.ts';
import { landedIds } from './lake-reader.ts';
import {
  type Place,
  aFlow,
  aPlace,
  alive,
  api,
  flush,
  inTrouble,
  kinesis,
  must,
  put,
  startIn,
} from './running-server.ts';
import { type SmallDisk, canMount, reservedDisk, smallDisk } from './small-disk.ts';

vi.setConfig({ testTimeout: 40_000 });

let disk: SmallDisk | undefined;
let place: Place | undefined;
let server: RunningServer | undefined;
afterEach(async () => {
  // The disk goes also when a server cannot be closed.
  try {
    await server?.close('test over');
  } finally {
    await place?.dispose();
    disk?.dispose();
  }
  [disk, place, server] = [undefined, undefined, undefined];
});

interface FullDisk {
  readonly disk: SmallDisk;
  readonly reserve: string;
}

const disks: readonly [string, () => Promise<FullDisk>][] = canMount
  ? [
      ['a disk that reaches its reserve', async () => ({ disk: smallDisk(96), reserve: '4MiB' })],
      ['a disk that is full to the last byte', async () => ({ disk: smallDisk(96), reserve: '0B' })],
    ]
  : [
      [
        'a disk that reaches its reserve',
        async () => {
          const reserved = await reservedDisk();
          return { disk: reserved, reserve: reserved.reserve };
        },
      ],
    ];

describe.each(disks)('%s under the data folder', (_, make) => {
  test('refuses records until there is space, loses none it took, and lands each once', async () => {
    const made = await make();
    disk = made.disk;
    const data = { folder: join(disk.folder, 'data'), reserve: made.reserve };
    place = await aPlace({ data, log: { segmentBytes: '4MiB' } });
    server = await startIn(place);
    let { url } = server.address;
    await aFlow(url);
    await disk.load(70);

    const taken: string[] = [];
    const filler = 'x'.repeat(150_000);
    const refused = await vi.waitFor(
      async () => {
        for (;;) {
          const id = `r${taken.length}`;
          const answer = await put(url, { id, filler });
          if (answer.status !== 200) return answer;
          taken.push(id);
          if (taken.length % 50 === 0) throw new Error('not full yet');
        }
      },
      { timeout: 20_000, interval: 10 },
    );
    expect(refused).toMatchObject({ status: 503, json: { error: { code: 'disk-full', retryable: true } } });
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    const record = { Data: Buffer.from('{"id":"k"}').toString('base64'), PartitionKey: 'k' };
    const wire = await kinesis<{ __type: string }>(url, 'PutRecord', { StreamName: 's', ...record });
    // A small record may still fit where a large one did not.
    if (wire.status === 200) taken.push('k');
    else expect([wire.status, wire.json.__type]).toEqual([503, 'ServiceUnavailable']);
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    expect((await must<{ disk: object }>(`${url}/v1/status`, 'GET')).disk).toBeDefined();

    // A disk below its reserve has room to land what waits, one without any room says so.
    const early = await api(`${url}/v1/deliveries/d/flush`, 'POST', {});
    if (early.status !== 200) expect(early.json.error.code).toMatch(/^(convert-failed|lake-unavailable)$/);
    if (early.status !== 200) expect(early.json.error).toMatchObject({ retryable: true });
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    // Also a stop and a start need no space to speak of; at worst the start says why not.
    await server.close('restart on a full disk');
    const started = await startIn(place).catch((error: unknown) => error);
    if (started instanceof Error) expect(started).toMatchObject({ code: 'disk-full' });
    if (started instanceof Error) await disk.unload();
    server = started instanceof Error ? await startIn(place) : (started as RunningServer);
    ({ url } = server.address);

    await disk.unload();
    taken.push(await vi.waitFor(() => alive(url), { timeout: 5000, interval: 100 }));
    const landed = { state: 'running', rows: taken.length, rejectedRows: 0, lostOffsets: 0 };
    expect(await flush(url)).toMatchObject(landed);
    expect(await landedIds(place.lake, 'd')).toEqual(taken.toSorted());
  });
});

describe('a full disk under the lake', () => {
  const text = (): string => randomBytes(300_000).toString('base64');

  const mounted = (): void =>
    test('makes the delivery retry and say so, and it lands each record once when there is space', async () => {
      disk = smallDisk(8);
      place = await aPlace({ lake: { folder: join(disk.folder, 'lake') } });
      server = await startIn(place);
      const { url } = server.address;
      await aFlow(url);
      const ids: string[] = [];
      const give = async (): Promise<void> => {
        const id = `r${ids.length}`;
        expect((await put(url, { id, text: text() })).json).toMatchObject({ accepted: 1 });
        ids.push(id);
      };
      for (let i = 0; i < 4; i++) await give();
      await flush(url);
      expect(await landedIds(place.lake, 'd')).toEqual(ids.toSorted());

      await disk.load(5);
      for (let i = 0; i < 6; i++) await give();
      await expect(flush(url)).rejects.toThrow(/503 .*lake-unavailable.*disk is full/);
      const { trouble } = await inTrouble(url, 'retrying', 'lake-unavailable');
      expect(trouble?.message).toContain('free space and landing goes on by itself');
      ids.push(await alive(url));
      expect(await landedIds(place.lake, 'd')).toHaveLength(4);

      await disk.unload();
      await vi.waitFor(() => flush(url), { timeout: 10_000, interval: 100 });
      expect(await landedIds(place.lake, 'd')).toEqual(ids.toSorted());
      ids.push(await alive(url));
      expect(await flush(url)).toMatchObject({ state: 'running', rows: ids.length, lostOffsets: 0 });
      expect(await landedIds(place.lake, 'd')).toEqual(ids.toSorted());
    });

  const told = (): void =>
    test('is told as such by the store, which works again when there is space', async () => {
      place = await aPlace();
      let full = true;
      const writeNew: typeof diskFileSystem.writeNew = async (path, bytes) => {
        if (full) throw Object.assign(new Error('full'), { code: 'ENOSPC' });
        await diskFileSystem.writeNew(path, bytes);
      };
      const store = await openFileStore({
        folder: place.lake,
        clock: systemClock(),
        fileSystem: { ...diskFileSystem, writeNew },
      });
      const create = (): Promise<string> => store.create(lakePath('a'), Buffer.from('a'));
      await expect(create()).rejects.toMatchObject({
        code: 'lake-unavailable',
        message: expect.stringContaining('disk is full') as string,
      });
      full = false;
      expect(await create()).toBe('created');
    });

  if (canMount) mounted();
  else told();
});
