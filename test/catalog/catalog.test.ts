import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { createCatalog } from '../../src/catalog/catalog.ts';
import { type ManualClock, manualClock } from '../../src/clock/manual-clock.ts';
import { openFileStore } from '../../src/lake/file/file-store.ts';
import { memoryStore } from '../../src/lake/memory/memory-store.ts';
import { LakewardError } from '../../src/model/errors.ts';
import { lakePath } from '../../src/model/lake-path.ts';
import type { Catalog } from '../../src/ports/catalog.ts';
import type { LakeStore } from '../../src/ports/lake-store.ts';
import { catalogSuite, setStream } from '../conformance/catalog.suite.ts';

const HOUR_MS = 3_600_000;

async function passSeconds(clock: ManualClock): Promise<void> {
  for (let i = 0; i < 10; i += 1) await clock.advance(1_000);
}

/** Reads of files take real time too, which a turn of the event loop with the disk in it grants. */
async function passUntil(clock: ManualClock, holds: () => boolean): Promise<void> {
  for (let i = 0; i < 2_000 && !holds(); i += 1) {
    await clock.advance(500);
    await stat(tmpdir());
  }
}

catalogSuite('a log in memory', async () => {
  const clock = manualClock();
  const store = memoryStore({ clock });
  return {
    connect: () => createCatalog({ store, clock }),
    until: (holds) => passUntil(clock, holds),
    dispose: async () => {},
  };
});

catalogSuite('a log in a folder', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'lakeward-catalog-'));
  const clock = manualClock();
  const store = await openFileStore({ folder, clock });
  return {
    connect: () => createCatalog({ store, clock }),
    until: (holds) => passUntil(clock, holds),
    dispose: () => rm(folder, { recursive: true, force: true }),
  };
});

describe('the log of the catalog', () => {
  let clock: ManualClock;
  let store: LakeStore;
  beforeEach(() => {
    clock = manualClock({ seed: 3 });
    store = memoryStore({ clock });
  });

  async function opened(on: LakeStore = store): Promise<Catalog> {
    const catalog = createCatalog({ store: on, clock });
    await catalog.open();
    return catalog;
  }
  async function paths(prefix: string): Promise<string[]> {
    return (await store.list(prefix)).files.map(({ path }) => path.slice(prefix.length));
  }
  async function change(catalog: Catalog, times: number): Promise<void> {
    for (let i = 0; i < times; i += 1) {
      const { version } = catalog.read();
      await catalog.change(version, [setStream(`s${version % 10}`, { retentionMs: version })]);
    }
  }
  const entry = (number: number) => lakePath(`catalog/log/${String(number).padStart(20, '0')}.json`);

  test('has a numbered file a change and a checkpoint every 64', async () => {
    const catalog = await opened();
    await change(catalog, 63);
    expect(await paths('catalog/checkpoint/')).toEqual([]);
    await change(catalog, 66);
    expect(await paths('catalog/checkpoint/')).toEqual(['00000000000000000064.json', '00000000000000000128.json']);
    expect(await paths('catalog/log/')).toHaveLength(129);
    expect((await paths('catalog/log/'))[0]).toBe('00000000000000000001.json');
  });

  test('empties entries behind an aged checkpoint, keeps their numbers taken, and reads the same', async () => {
    const catalog = await opened();
    const sleeper = await opened();
    for (let i = 0; i < 5; i += 1) {
      await change(catalog, 64);
      clock.setNowMs(clock.nowMs() + HOUR_MS);
    }
    expect(await paths('catalog/checkpoint/')).toEqual(['00000000000000000256.json', '00000000000000000320.json']);
    expect(await paths('catalog/log/')).toHaveLength(320);
    const text = async (number: number) => new TextDecoder().decode(await store.read(entry(number)));
    expect([await text(1), await text(256)]).toEqual(['{}\n', '{}\n']);
    expect(await text(257)).toContain('"version":257');

    expect(sleeper.read().version).toBe(0);
    await expect(sleeper.change(0, [setStream('mine')])).rejects.toMatchObject({ code: 'catalog-conflict' });
    expect(sleeper.read().version).toBe(320);
    expect((await opened()).read().stream).toEqual(catalog.read().stream);
    expect(sleeper.read().stream).toEqual(catalog.read().stream);
  });

  test('makes a change once when the store made the entry but could not say so', async () => {
    let lost = 0;
    const forgetful: LakeStore = {
      ...store,
      async create(path, bytes, options) {
        const made = await store.create(path, bytes, options);
        if (made === 'created' && lost++ < 1) throw new LakewardError('lake-unavailable', 'the answer was lost');
        return made;
      },
    };
    const catalog = await opened(forgetful);
    const changing = catalog.change(0, [setStream('a')]);
    await passSeconds(clock);
    expect((await changing).version).toBe(1);
    expect((await opened()).read().version).toBe(1);
  });

  test('repeats a create that never happened, and gives up with the fault of the store', async () => {
    let faults = 2;
    const failing: LakeStore = {
      ...store,
      create: (path, bytes, options) =>
        faults-- > 0
          ? Promise.reject(new LakewardError('lake-unavailable', 'the store is away'))
          : store.create(path, bytes, options),
    };
    const catalog = await opened(failing);
    const changing = catalog.change(0, [setStream('a')]);
    await passSeconds(clock);
    expect((await changing).version).toBe(1);

    faults = 100;
    const failed = catalog.change(1, [setStream('b')]);
    await Promise.all([expect(failed).rejects.toMatchObject({ code: 'lake-unavailable' }), passSeconds(clock)]);
    expect(catalog.read().version).toBe(1);
    faults = 0;
    expect((await catalog.change(1, [setStream('b')])).version).toBe(2);
  });

  test('tells the loser of an unclear create that it lost', async () => {
    const rival = await opened();
    let tries = 0;
    const overtaken: LakeStore = {
      ...store,
      async create(path, bytes, options) {
        if (tries++ > 0) return store.create(path, bytes, options);
        await rival.change(0, [setStream('theirs')]);
        throw new LakewardError('lake-unavailable', 'reset');
      },
    };
    const loser = await opened(overtaken);
    const losing = loser.change(0, [setStream('mine')]);
    await Promise.all([expect(losing).rejects.toMatchObject({ code: 'catalog-conflict' }), passSeconds(clock)]);
    expect([...loser.read().stream.keys()]).toEqual(['theirs']);
  });

  test('keeps a change whose checkpoint could not be written, and writes the checkpoint with the next', async () => {
    let away = true;
    const failing: LakeStore = {
      ...store,
      create: (path, bytes, options) =>
        away && path.startsWith('catalog/checkpoint/')
          ? Promise.reject(new LakewardError('lake-unavailable', 'the store is away'))
          : store.create(path, bytes, options),
    };
    const catalog = await opened(failing);
    await change(catalog, 64);
    expect(catalog.read().version).toBe(64);
    away = false;
    await change(catalog, 1);
    expect(await paths('catalog/checkpoint/')).toEqual(['00000000000000000065.json']);
    expect((await opened()).read()).toEqual(catalog.read());
  });

  test.each([
    ['cut short', 'is no JSON', 1, (text: string) => text.slice(0, -10)],
    ['changed in one digit', 'checksum', 1, (text: string) => text.replace('"retentionMs":0', '"retentionMs":1')],
    ['of a later format', 'format', 1, (text: string) => text.replace('"format":1', '"format":9')],
    ['under the number of another', 'names another version', 2, (text: string) => text],
  ])('names an entry that is %s as damaged', async (_, complaint, number, damage) => {
    await change(await opened(), 1);
    const text = new TextDecoder().decode(await store.read(entry(1)));
    await store.overwrite(entry(number), new TextEncoder().encode(damage(text)));
    const failed = createCatalog({ store, clock }).open();
    await expect(failed).rejects.toMatchObject({ code: 'catalog-damaged', details: { path: entry(number) } });
    await expect(failed).rejects.toThrow(complaint);
  });

  test('says of an entry emptied without a checkpoint that it is damaged', async () => {
    await change(await opened(), 2);
    await store.overwrite(entry(2), new TextEncoder().encode('{}'));
    await expect(createCatalog({ store, clock }).open()).rejects.toMatchObject({ code: 'catalog-damaged' });
  });

  test('reads the first entry ever written: the format stays', async () => {
    const golden =
      '{"format":1,"checksum":"90b55063","body":{"version":1,"nonce":"n","writtenMs":1,"edits":[{"kind":"stream","key":"s"}]}}\n';
    await store.create(entry(1), new TextEncoder().encode(golden));
    expect((await opened()).read().version).toBe(1);
  });

  test('is confirmed while it can ask, and stands still while the store is away', async () => {
    let away = false;
    const flaky: LakeStore = {
      ...store,
      read: (path, options) =>
        away ? Promise.reject(new LakewardError('lake-unavailable', 'the store is away')) : store.read(path, options),
    };
    const catalog = await opened(flaky);
    await passSeconds(clock);
    expect(clock.monotonicMs() - catalog.confirmedMs()).toBeLessThanOrEqual(1_000);
    away = true;
    const before = catalog.confirmedMs();
    await passSeconds(clock);
    await expect(catalog.refresh()).rejects.toMatchObject({ code: 'lake-unavailable' });
    expect(catalog.confirmedMs()).toBe(before);
    away = false;
    await passSeconds(clock);
    expect(clock.monotonicMs() - catalog.confirmedMs()).toBeLessThanOrEqual(1_000);
    await catalog.close();
  });

  test('asks for nothing where no other process can change it, and is always confirmed', async () => {
    let reads = 0;
    const counted: LakeStore = { ...store, read: (path, options) => (reads++, store.read(path, options)) };
    const catalog = createCatalog({ store: counted, clock, alone: true });
    await catalog.open();
    const opening = reads;
    await passSeconds(clock);
    await catalog.refresh();
    expect(reads).toBe(opening);
    expect(catalog.confirmedMs()).toBe(clock.monotonicMs());
    await catalog.close();
  });

  test('lies in the folder it is told', async () => {
    const catalog = createCatalog({ store, clock, folder: '_lakeward/catalog' });
    await catalog.open();
    await change(catalog, 64);
    expect(await paths('catalog/')).toEqual([]);
    expect(await paths('_lakeward/catalog/checkpoint/')).toEqual(['00000000000000000064.json']);
    expect(await paths('_lakeward/catalog/log/')).toHaveLength(64);
    await catalog.close();
  });

  test('refuses a change when the store was emptied or exchanged since', async () => {
    const catalog = await opened();
    await change(catalog, 2);
    for (const path of await paths('')) await store.remove(lakePath(path));
    const refused = catalog.change(2, [setStream('a')]);
    await expect(refused).rejects.toMatchObject({ code: 'catalog-damaged', details: { path: entry(2) } });
    expect(await paths('')).toEqual([]);
  });

  test('refuses changes after it is closed', async () => {
    const catalog = await opened();
    await catalog.close();
    await expect(catalog.change(0, [setStream('a')])).rejects.toMatchObject({ code: 'service-stopping' });
  });
});
