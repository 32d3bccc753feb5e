import { join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import type { RunningServer } from '../../src/app/compose.ts';
import { everyFile, landedIds } from './lake-reader.ts';
import { type Place, aFlow, aPlace, alive, flush, must, startIn } from './running-server.ts';
import { type SmallDisk, canMount, smallDisk } from './small-disk.ts';

vi.setConfig({ testTimeout: 120_000 });

let disk: SmallDisk | undefined;
let place: Place;
let server: RunningServer;
afterEach(async () => {
  // The disk goes also when a server cannot be closed.
  try {
    await server.close('test over');
  } finally {
    await place.dispose();
    disk?.dispose();
  }
});

test('5,000 partitions in one batch land each in its folder', async () => {
  // Tens of thousands of disk flushes are not what is tested here: in memory, where that can be.
  disk = canMount ? smallDisk(512) : undefined;
  place = await aPlace(
    disk === undefined ? {} : { data: { folder: disk.folder }, lake: { folder: join(disk.folder, 'lake') } },
  );
  server = await startIn(place);
  const { url } = server.address;
  await aFlow(url, { layout: 'product={product}/' }, { shards: 2 });
  const records = Array.from({ length: 10_000 }, (_, i) => ({ id: `m${i}`, product: `p/${i % 5000}` }));
  await must(`${url}/v1/streams/s/records`, 'POST', records);
  expect(await flush(url)).toMatchObject({ state: 'running', rows: 10_000, files: 5000, rejectedRows: 0 });
  expect(await landedIds(place.lake, 'd')).toEqual(records.map(({ id }) => id).toSorted());
  const files = await everyFile(join(place.lake, 'd'));
  expect(new Set(files.map((path) => path.split('/')[0])).size).toBe(5000);
  await alive(url);
  expect(await flush(url)).toMatchObject({ rows: 10_001, files: 5001 });
});
