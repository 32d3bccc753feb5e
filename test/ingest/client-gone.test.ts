/** Requests whose client did not wait: no fault of the server, so neither counted nor logged as one. */
import { expect, test, vi } from 'vitest';
import { DAY_MS, ask, openDoor } from './open-door.ts';

vi.setConfig({ testTimeout: 90_000 });
const SEEN = { timeout: 60_000, interval: 50 };

test('a reader that does not wait for its answer is counted apart, and is no error in the log', async () => {
  let underWay = false;
  await using door = await openDoor({
    around: () => ({
      read: (_id, _positions, { signal }) => {
        underWay = true;
        return new Promise((_resolve, reject) => {
          signal?.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
        });
      },
    }),
  });
  await door.streams.create({ name: 's', shards: 1, retentionMs: DAY_MS });
  const client = new AbortController();
  const url = `${door.url}/v1/streams/s/records?from=latest&waitMs=30000`;
  const answer = fetch(url, { signal: client.signal }).catch(() => 'gone');
  await vi.waitFor(() => expect(underWay).toBe(true), SEEN);
  client.abort();
  expect(await answer).toBe('gone');
  await vi.waitFor(async () => {
    const { text } = await ask(`${door.url}/metrics`, 'GET');
    const counted = text.split('\n').filter((line) => line.startsWith('lakeward_ingest_requests_total'));
    expect(counted.filter((line) => line.includes('status="499",code="client-gone"} 1'))).toHaveLength(1);
    expect(counted.filter((line) => line.includes('status="500"'))).toEqual([]);
  }, SEEN);
  expect(door.logged.filter((line) => line.includes('request failed'))).toEqual([]);
});
