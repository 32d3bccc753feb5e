/** What every `Catalog` does, whatever it keeps its documents in. */
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { DeliveryDocument, PlanDocument } from '../../src/model/delivery.ts';
import type { StreamDocument } from '../../src/model/stream.ts';
import { asStreamId } from '../../src/model/stream.ts';
import { HASH_KEY_MAX } from '../../src/model/hash-range.ts';
import type { Catalog, CatalogEdit, CatalogState } from '../../src/ports/catalog.ts';

export interface CatalogFixture {
  /** Another process on the same catalog, not yet open. */
  connect(): Catalog;
  /** Lets time pass until this holds; gives up when processes had time enough to see each other's changes. */
  until(holds: () => boolean): Promise<void>;
  /** Forgets everything. */
  dispose(): Promise<void>;
}

export function aStream(name: string, changes: Partial<StreamDocument> = {}): StreamDocument {
  const shard = { index: 0, startingHashKey: '0', endingHashKey: String(HASH_KEY_MAX), createdMs: 1, parents: [] };
  return { name, id: asStreamId(`id-${name}`), createdMs: 1, retentionMs: 3_600_000, shards: [shard], ...changes };
}

export function aDelivery(name: string): DeliveryDocument {
  return {
    spec: {
      name,
      stream: 's',
      prefix: name,
      layout: 'year={yyyy}/',
      eventTime: { from: 'field', field: 'at', form: 'iso' },
      eventFutureMs: 1,
      allowedLatenessMs: 1,
      format: 'parquet',
      compression: 'zstd',
      schema: 'auto',
      flush: { bytes: 1, ageMs: 1, records: 1 },
      start: { atMs: 5 },
    },
    streamId: asStreamId('id-s'),
    owner: 'api',
    createdMs: 1,
    paused: false,
  };
}

export function aPlan(delivery: string): PlanDocument {
  const columns = [{ name: 'price', type: { kind: 'decimal', precision: 9, scale: 2 }, nullable: true }] as const;
  return { delivery, plan: { version: 1, columns, misfit: 'reject' }, createdMs: 1 };
}

export function setStream(name: string, changes?: Partial<StreamDocument>): CatalogEdit {
  return { kind: 'stream', key: name, document: aStream(name, changes) };
}

const documentsOf = ({ version, stream, delivery, plan }: CatalogState): unknown => [
  version,
  ...[stream, delivery, plan].map((documents) => Object.fromEntries<unknown>(documents)),
];

export function catalogSuite(name: string, setUp: () => Promise<CatalogFixture>): void {
  describe(`${name} as a catalog`, () => {
    let fixture: CatalogFixture;
    const open: Catalog[] = [];

    async function connect(): Promise<Catalog> {
      const catalog = fixture.connect();
      open.push(catalog);
      await catalog.open();
      return catalog;
    }
    beforeEach(async () => {
      fixture = await setUp();
    });
    afterEach(async () => {
      await Promise.all(open.splice(0).map((catalog) => catalog.close()));
      await fixture.dispose();
    });

    test('begins empty at version 0', async () => {
      const catalog = await connect();
      expect(documentsOf(catalog.read())).toEqual([0, {}, {}, {}]);
    });

    test('applies documents of all kinds together, reads them at once, and keeps them', async () => {
      const catalog = await connect();
      const edits: CatalogEdit[] = [
        setStream('s'),
        { kind: 'delivery', key: 'd', document: aDelivery('d') },
        { kind: 'plan', key: 'd', document: aPlan('d') },
        { kind: 'plan', key: 'd@1', document: aPlan('d') },
      ];
      const state = await catalog.change(0, edits);
      expect(state).toBe(catalog.read());
      const plans = { d: aPlan('d'), 'd@1': aPlan('d') };
      const expected = [1, { s: aStream('s') }, { d: aDelivery('d') }, plans];
      expect(documentsOf(state)).toEqual(expected);
      expect(documentsOf((await connect()).read())).toEqual(expected);
    });

    test('removes a document, and an earlier state stays as it was', async () => {
      const catalog = await connect();
      const before = await catalog.change(0, [setStream('a'), setStream('b')]);
      const after = await catalog.change(1, [
        { kind: 'stream', key: 'a' },
        { kind: 'delivery', key: 'never' },
      ]);
      expect([...before.stream.keys()]).toEqual(['a', 'b']);
      expect([...after.stream.keys()]).toEqual(['b']);
      expect([...(await connect()).read().stream.keys()]).toEqual(['b']);
    });

    test('is deaf to what a caller does to a document after handing it in', async () => {
      const catalog = await connect();
      const document = structuredClone(aStream('s')) as { name: string };
      await catalog.change(0, [{ kind: 'stream', key: 's', document: document as StreamDocument }]);
      document.name = 'changed';
      expect(catalog.read().stream.get('s')?.name).toBe('s');
    });

    test('refuses a change on an older or a future version and changes nothing', async () => {
      const catalog = await connect();
      await catalog.change(0, [setStream('a')]);
      for (const base of [0, 2]) {
        await expect(catalog.change(base, [setStream('b')])).rejects.toMatchObject({ code: 'catalog-conflict' });
      }
      expect(catalog.read().version).toBe(1);
      expect([...catalog.read().stream.keys()]).toEqual(['a']);
    });

    test('refuses a document that is not what its kind says, before anything is written', async () => {
      const catalog = await connect();
      const broken = { kind: 'stream', key: 's', document: { name: 's' } } as unknown as CatalogEdit;
      await expect(catalog.change(0, [setStream('t'), broken])).rejects.toMatchObject({ code: 'argument-invalid' });
      expect((await connect()).read().version).toBe(0);
    });

    test('lets one of two processes win a version; the other is told and has the newer state', async () => {
      const [one, two] = [await connect(), await connect()];
      await one.change(0, [setStream('a')]);
      await expect(two.change(0, [setStream('b')])).rejects.toMatchObject({ code: 'catalog-conflict' });
      expect([...two.read().stream.keys()]).toEqual(['a']);
      await two.change(1, [setStream('b')]);
      await fixture.until(() => one.read().version === 2);
      expect(documentsOf(one.read())).toEqual(documentsOf(two.read()));
    });

    test('loses no change of racing processes that repeat after a conflict', async () => {
      const processes = await Promise.all([1, 2, 3, 4].map(connect));
      const adding = processes.map(async (catalog, p) => {
        for (let i = 0; i < 5; ) {
          try {
            await catalog.change(catalog.read().version, [setStream(`s-${p}-${i}`)]);
            i += 1;
          } catch (error) {
            expect(error).toMatchObject({ code: 'catalog-conflict' });
          }
        }
      });
      await Promise.all(adding);
      const state = (await connect()).read();
      expect(state.version).toBe(20);
      expect(state.stream.size).toBe(20);
    });

    test('makes an edit anew on what others changed meanwhile, does nothing for none, and passes on what refuses', async () => {
      const [one, two] = [await connect(), await connect()];
      const retention = (catalog: Catalog): number => catalog.read().stream.get('s')?.retentionMs ?? 0;
      await one.change(0, [setStream('s', { retentionMs: 1 })]);
      const counting = [one, two, one, two].map((catalog) =>
        catalog.edit(({ stream }) => [setStream('s', { retentionMs: (stream.get('s')?.retentionMs ?? 0) + 1 })]),
      );
      await Promise.all(counting);
      await Promise.all([one.refresh(), two.refresh()]);
      expect([retention(one), retention(two), one.read().version]).toEqual([5, 5, 5]);
      expect(await one.edit(() => [])).toBe(one.read());
      const refusal = new Error('no');
      const refused = one.edit(() => {
        throw refusal;
      });
      await expect(refused).rejects.toBe(refusal);
      expect(one.read().version).toBe(5);
    });

    test('lets one of two changes of one process win as well', async () => {
      const catalog = await connect();
      const results = await Promise.allSettled([
        catalog.change(0, [setStream('a')]),
        catalog.change(0, [setStream('b')]),
      ]);
      expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
      expect(catalog.read().stream.size).toBe(1);
    });

    test('tells watchers of own and others changes in order, until they stop', async () => {
      const [one, two] = [await connect(), await connect()];
      const seen: number[] = [];
      const stop = two.watch(({ version }) => seen.push(version));
      await two.change(0, [setStream('a')]);
      await two.change(1, [setStream('b')]);
      await fixture.until(() => one.read().version === 2);
      await one.change(2, [setStream('c')]);
      await one.change(3, [setStream('d')]);
      await fixture.until(() => seen.length >= 4);
      expect(seen).toEqual([1, 2, 3, 4]);
      stop();
      await two.change(4, [setStream('e')]);
      await fixture.until(() => one.read().version === 5);
      expect(seen).toEqual([1, 2, 3, 4]);
    });

    test('knows on request every change that was answered anywhere before, and since when', async () => {
      const [one, two] = [await connect(), await connect()];
      const opened = two.confirmedMs();
      expect(opened).toBeGreaterThan(Number.NEGATIVE_INFINITY);
      await one.change(0, [setStream('a')]);
      expect(two.read().version).toBe(0);
      await Promise.all([two.refresh(), two.refresh()]);
      expect(two.read().version).toBe(1);
      expect(two.confirmedMs()).toBeGreaterThanOrEqual(opened);
    });

    test('rejects an aborted change with the reason, and changes nothing', async () => {
      const catalog = await connect();
      const reason = new Error('enough');
      await expect(catalog.change(0, [setStream('a')], { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
      expect((await connect()).read().version).toBe(0);
    });

    test('opens and closes any number of times', async () => {
      const catalog = await connect();
      await catalog.open();
      await catalog.close();
      await catalog.close();
    });

    test('reads the same after many changes as a plain map would hold', { timeout: 60_000 }, async () => {
      const names = fc.constantFrom('a', 'b', 'c', 'd', 'e');
      const step = fc.array(fc.record({ name: names, retentionMs: fc.option(fc.nat()) }), { maxLength: 4 });
      const changes = fc.sample(step, { numRuns: 200, seed: 7 });
      const catalog = await connect();
      const model = new Map<string, number>();
      for (const edits of changes) {
        for (const { name, retentionMs } of edits) {
          if (retentionMs === null) model.delete(name);
          else model.set(name, retentionMs);
        }
        await catalog.change(
          catalog.read().version,
          edits.map(({ name, retentionMs }) =>
            retentionMs === null ? { kind: 'stream', key: name } : setStream(name, { retentionMs }),
          ),
        );
      }
      for (const reader of [catalog, await connect()]) {
        expect(reader.read().version).toBe(changes.length);
        const found = [...reader.read().stream].map(([name, { retentionMs }]) => [name, retentionMs]);
        expect(new Map(found as [string, number][])).toEqual(model);
      }
    });
  });
}
