import { spawnSync } from 'node:child_process';
import { chmod, chown, mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { landedIds, rejectedLines } from './lake-reader.ts';
import {
  type Place,
  type ServerProcess,
  aFlow,
  MAIN,
  aPlace,
  alive,
  flush,
  inTrouble,
  put,
  spawnIn,
} from './running-server.ts';

vi.setConfig({ testTimeout: 60_000 });

let place: Place;
const started: ServerProcess[] = [];
afterEach(async () => {
  for (const { child, exit } of started.splice(0)) {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
    await exit;
  }
  await place.dispose();
});

async function serve(options: { uid?: number } = {}): Promise<ServerProcess> {
  const server = await spawnIn(place, options);
  started.push(server);
  return server;
}

interface Load {
  readonly sent: Set<string>;
  readonly acknowledged: Set<string>;
  /** Answers that were neither a yes nor a clear refusal. */
  readonly odd: string[];
  /** Resolves when every writer met a server that is gone. */
  readonly over: Promise<unknown>;
}

/** Writers that go on, each after the answer to its last request, until the server is gone. */
function load(url: string, writers: number, name: string): Load {
  const found = { sent: new Set<string>(), acknowledged: new Set<string>(), odd: [] as string[] };
  const write = async (writer: number): Promise<void> => {
    for (let turn = 0; ; turn++) {
      const records = Array.from({ length: 50 }, (_, i) => ({
        id: `${name}-${writer}-${turn}-${i}`,
        x: 'x'.repeat(200),
      }));
      for (const { id } of records) found.sent.add(id);
      let answer: Awaited<ReturnType<typeof put>>;
      try {
        answer = await put(url, records);
      } catch {
        return;
      }
      if (answer.status === 200) for (const { id } of records) found.acknowledged.add(id);
      else if (answer.status !== 503 || answer.json.error.code !== 'service-stopping') {
        found.odd.push(`${answer.status} ${JSON.stringify(answer.json)}`);
        return;
      }
    }
  };
  return { ...found, over: Promise.all(Array.from({ length: writers }, (_, i) => write(i))) };
}

/** Every acknowledged record once in the lake; one whose answer was lost at most once. */
async function expectExactlyOnce(loads: readonly Load[]): Promise<void> {
  const landed = await landedIds(place.lake, 'd');
  expect(new Set(landed).size).toBe(landed.length);
  const there = new Set(landed);
  const sent = new Set(loads.flatMap((one) => [...one.sent]));
  expect(loads.flatMap((one) => [...one.acknowledged].filter((id) => !there.has(id)))).toEqual([]);
  expect(landed.filter((id) => !sent.has(id))).toEqual([]);
  expect(loads.flatMap(({ odd }) => odd)).toEqual([]);
  expect(await rejectedLines(place.lake, 'd')).toEqual([]);
}

const FLOW = { format: 'parquet', flush: { age: '300ms' } };

test('SIGTERM under load: what was answered is kept, the exit is 0 and in time, and the next start goes on', async () => {
  place = await aPlace({ server: { drain: '5s' } });
  const first = await serve();
  await aFlow(first.url, FLOW, { shards: 2 });
  const before = load(first.url, 4, 'a');
  await vi.waitFor(() => expect(before.acknowledged.size).toBeGreaterThan(1000), { timeout: 20_000 });
  const at = performance.now();
  first.child.kill('SIGTERM');
  expect(await first.exit).toEqual([0, null]);
  expect(performance.now() - at).toBeLessThan(12_000);
  await before.over;
  await expectExactlyOnce([before]);

  const second = await serve();
  const after = load(second.url, 2, 'b');
  await vi.waitFor(() => expect(after.acknowledged.size).toBeGreaterThan(500), { timeout: 20_000 });
  second.child.kill('SIGTERM');
  expect(await second.exit).toEqual([0, null]);
  await after.over;
  await expectExactlyOnce([before, after]);
});

test('one data folder has one owner; a lock that a killed one left is taken over, and nothing is lost or doubled', async () => {
  place = await aPlace();
  const first = await serve();
  await aFlow(first.url, FLOW, { shards: 2 });
  const before = load(first.url, 4, 'a');
  await expect(spawnIn(place)).rejects.toThrow(/exit code 1: .*"code":"data-folder-locked"/s);
  await vi.waitFor(() => expect(before.acknowledged.size).toBeGreaterThan(1000), { timeout: 20_000 });
  first.child.kill('SIGKILL');
  expect(await first.exit).toEqual([null, 'SIGKILL']);
  await before.over;

  const second = await serve();
  await flush(second.url);
  await expectExactlyOnce([before]);
});

/** Rights bind everybody but root, so root runs the server as nobody, where nobody may read the program. */
const NOBODY = 65_534;
const isRoot = process.geteuid?.() === 0;
const asNobody = isRoot ? { uid: NOBODY } : {};
const readable = spawnSync(process.execPath, ['-e', `fs.accessSync(${JSON.stringify(MAIN)})`], asNobody).status === 0;

const noRight = (): void =>
  test('a lake that the user of the server may not write is told at the start and while it runs, and heals', async () => {
    place = await aPlace();
    await mkdir(place.lake);
    if (isRoot) for (const path of [place.folder, place.lake]) await chown(path, NOBODY, NOBODY);
    await chmod(place.folder, 0o755);
    const setMode = async (mode: number): Promise<void> => {
      for (const entry of await readdir(place.lake, { recursive: true, withFileTypes: true })) {
        if (entry.isDirectory()) await chmod(join(entry.parentPath, entry.name), mode);
      }
      await chmod(place.lake, mode);
    };
    await setMode(0o555);
    const { url } = await serve(asNobody);
    await aFlow(url);
    const ids = [await alive(url)];
    await inTrouble(url, 'retrying', 'lake-unavailable');

    await setMode(0o755);
    await vi.waitFor(() => flush(url), { timeout: 15_000, interval: 100 });
    await setMode(0o555);
    ids.push(await alive(url));
    await expect(flush(url)).rejects.toThrow(/503 .*lake-unavailable.*give its user the right to/);
    await inTrouble(url, 'retrying', 'lake-unavailable');
    ids.push(await alive(url));
    await setMode(0o755);
    await vi.waitFor(() => flush(url), { timeout: 10_000, interval: 100 });
    expect(await landedIds(place.lake, 'd')).toEqual(ids.toSorted());
  });

if (readable) noRight();
