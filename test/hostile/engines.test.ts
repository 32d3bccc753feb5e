import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import type { RunningServer } from '../../src/app/compose.ts';
import { treeOf } from '../bench/process-tree.ts';
import { landedIds, rejectedLines } from './lake-reader.ts';
import { type Place, aFlow, aPlace, alive, flush, must, put, startIn, statusOf } from './running-server.ts';

vi.setConfig({ testTimeout: 60_000 });

let place: Place;
let server: RunningServer;
afterEach(async () => {
  await server.close('test over');
  await place.dispose();
});

async function deaths(url: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(/^lakeward_convert_engine_deaths_total (\d+)/m.exec(text)?.[1] ?? 0);
}

/** The engine processes of this test's server. */
function engines(): number[] {
  return treeOf(process.pid).filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('engine-main');
    } catch {
      return false;
    }
  });
}

test('records that kill the engine are rejected with that code, and all around them land', async () => {
  place = await aPlace();
  server = await startIn(place, { LAKEWARD_CRASH_MARKER: 'deadly' });
  const { url } = server.address;
  await aFlow(url, {}, { shards: 2 });
  const ids = Array.from({ length: 16 }, (_, i) => (i === 7 ? `deadly-${i}` : `r${i}`));
  await put(
    url,
    ids.map((id) => ({ id })),
  );
  expect(await flush(url)).toMatchObject({ state: 'running', rows: 15, rejectedRows: 1 });
  const rejected = await rejectedLines(place.lake, 'd');
  expect(rejected.map(({ code, data }) => `${code} ${data.toString()}`).toSorted()).toEqual([
    'engine-crash {"id":"deadly-7"}',
  ]);
  const good = ids.filter((id) => !id.startsWith('deadly'));
  expect(await landedIds(place.lake, 'd')).toEqual(good.toSorted());

  // The first record of a stream is also the one the columns are inferred from.
  await must(`${url}/v1/streams`, 'POST', { name: 'first' });
  const spec = {
    name: 'first',
    stream: 'first',
    format: 'ndjson',
    layout: '',
    flush: { age: '1h' },
    start: 'earliest',
  };
  await must(`${url}/v1/deliveries`, 'POST', spec);
  await must(`${url}/v1/streams/first/records`, 'POST', [{ id: 'deadly' }, { id: 'x' }]);
  expect(await flush(url, 'first')).toMatchObject({ state: 'running', rows: 1, rejectedRows: 1 });
  expect(await landedIds(place.lake, 'first')).toEqual(['x']);
  expect(await alive(url)).toBeDefined();
});

test('an engine killed in the middle of a large landing costs nothing but time', async () => {
  place = await aPlace();
  server = await startIn(place);
  const { url } = server.address;
  await aFlow(url, { format: 'parquet' }, { shards: 4 });
  const ids: string[] = [];
  for (let part = 0; part < 8; part++) {
    const records = Array.from({ length: 20_000 }, (_, i) => ({ id: `${part}-${i}`, text: `some words ${i % 97}` }));
    ids.push(...records.map(({ id }) => id));
    const query = 'partitionKeyField=id';
    const { accepted } = await must<{ accepted: number }>(`${url}/v1/streams/s/records?${query}`, 'POST', records);
    expect(accepted).toBe(20_000);
  }
  const before = await deaths(url);
  const landing = flush(url);
  const scratch = join(place.folder, 'data/scratch/landings');
  await vi.waitFor(() => expect(readdirSync(scratch)).toHaveLength(1), { timeout: 10_000, interval: 2 });
  const [engine, ...others] = engines();
  expect(others).toEqual([]);
  process.kill(engine as number, 'SIGKILL');
  expect(await landing).toMatchObject({ state: 'running', rows: ids.length, rejectedRows: 0 });
  expect(await deaths(url)).toBe(before + 1);
  expect(await landedIds(place.lake, 'd')).toEqual(ids.toSorted());
  await alive(url);
  await flush(url);
  expect(await statusOf(url)).toMatchObject({ rows: ids.length + 1 });
});
