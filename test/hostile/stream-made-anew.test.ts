import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import type { RunningServer } from '../../src/app/compose.ts';
import { landedIds } from './lake-reader.ts';
import { type Place, aFlow, aPlace, alive, api, flush, inTrouble, must, put, startIn } from './running-server.ts';

let place: Place;
let server: RunningServer;
afterEach(async () => {
  await server.close('test over');
  await place.dispose();
});

test('a stream made anew is not landed by the old delivery, and is by one that is made anew too', async () => {
  place = await aPlace();
  server = await startIn(place);
  let { url } = server.address;
  await aFlow(url);
  await put(url, [{ id: 'a' }, { id: 'b' }]);
  await flush(url);
  expect((await api(`${url}/v1/streams/s`, 'DELETE')).json.error.code).toBe('stream-in-use');
  await must(`${url}/v1/streams/s?force=true`, 'DELETE');
  await inTrouble(url, 'suspended', 'stream-not-found');
  await must(`${url}/v1/streams`, 'POST', { name: 's', shards: 2 });
  await must(`${url}/v1/deliveries/d/resume`, 'POST', {});
  const { trouble } = await inTrouble(url, 'suspended', 'incarnation-mismatch');
  expect(trouble?.message).toContain('delete the delivery and create it again');
  const fresh = await alive(url);
  expect((await api(`${url}/v1/deliveries/d/flush`, 'POST', {})).json.error.code).toBe('incarnation-mismatch');

  // A restart decides nothing either.
  await server.close('restart');
  server = await startIn(place);
  ({ url } = server.address);
  await inTrouble(url, 'suspended', 'incarnation-mismatch');
  expect(await landedIds(place.lake, 'd')).toEqual(['a', 'b']);

  await must(`${url}/v1/deliveries/d`, 'DELETE');
  const again = { name: 'd', stream: 's', format: 'ndjson', layout: '', flush: { age: '1h' }, start: 'earliest' };
  await must(`${url}/v1/deliveries`, 'POST', again);
  expect(await flush(url)).toMatchObject({ state: 'running', rows: 1, lostOffsets: 0 });
  expect(await landedIds(place.lake, 'd')).toEqual(['a', 'b', fresh].toSorted());

  // Made anew on the same stream, it goes on where it was.
  await must(`${url}/v1/deliveries/d`, 'DELETE');
  const between = await alive(url);
  await must(`${url}/v1/deliveries`, 'POST', again);
  await flush(url);
  expect(await landedIds(place.lake, 'd')).toEqual(['a', 'b', fresh, between].toSorted());
});

test('a stream and a delivery that the file declares are made anew when the file has left them out once', async () => {
  const declared = { name: 'd', stream: 's', format: 'ndjson', layout: '', flush: { age: '1h' }, start: 'earliest' };
  const settings = { streams: [{ name: 's' }], deliveries: [declared] };
  place = await aPlace(settings);
  const file = join(place.folder, 'lakeward.yaml');
  const folders = { server: { port: 0 }, data: { folder: 'data', reserve: '1MiB' }, lake: { folder: 'lake' } };
  const restart = async (content: object): Promise<string> => {
    await server.close('restart');
    await writeFile(file, JSON.stringify({ ...folders, telemetry: { level: 'silent' }, ...content }));
    server = await startIn(place);
    return server.address.url;
  };
  server = await startIn(place);
  let { url } = server.address;
  await put(url, { id: 'a' });
  await flush(url);
  const refused = await api(`${url}/v1/streams/s?force=true`, 'DELETE');
  expect([refused.status, refused.json.error.code]).toEqual([409, 'owned-by-file']);
  url = await restart({});
  await must(`${url}/v1/streams/s`, 'DELETE');
  url = await restart(settings);
  const fresh = await alive(url);
  expect(await flush(url)).toMatchObject({ state: 'running', rows: 1 });
  expect(await landedIds(place.lake, 'd')).toEqual(['a', fresh].toSorted());
});
