import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { crc32 } from 'node:zlib';
import { lakePath } from '../../src/model/lake-path.ts';
import type { LakeStore, ListedFile, StageHandle } from '../../src/ports/lake-store.ts';

export interface LakeStoreUnderTest {
  readonly store: LakeStore;
  /** Makes a local file for staging; gives its name. */
  local(bytes: Uint8Array): Promise<string>;
  localExists(local: string): Promise<boolean>;
  close(): Promise<void>;
}

const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const said = (bytes: Uint8Array | undefined): string | undefined =>
  bytes === undefined ? undefined : new TextDecoder().decode(bytes);
const hex = (bytes: Uint8Array): string => crc32(bytes).toString(16).padStart(8, '0');

/** What every `LakeStore`, and every wrapper around one, does. */
export function lakeStoreSuite(name: string, open: () => Promise<LakeStoreUnderTest>): void {
  const within = async (use: (made: LakeStoreUnderTest) => Promise<void>): Promise<void> => {
    const made = await open();
    try {
      await use(made);
    } finally {
      await made.close();
    }
  };
  const stageOf = async (made: LakeStoreUnderTest, content: string, at: string): Promise<StageHandle> =>
    made.store.stage({
      local: await made.local(text(content)),
      staged: lakePath(`_lakeward/d/staged/${at}`),
      final: lakePath(`d/year=2026/${at}`),
    });

  describe(name, () => {
    createTests(within);
    listTests(within);
    stageTests(within, stageOf);
  });
}

type Within = (use: (made: LakeStoreUnderTest) => Promise<void>) => Promise<void>;
type StageOf = (made: LakeStoreUnderTest, content: string, at: string) => Promise<StageHandle>;

function createTests(within: Within): void {
  test('creates a file once; the second attempt is told `exists` and changes nothing', () =>
    within(async ({ store }) => {
      const path = lakePath('a/b/0.json');
      expect(await store.create(path, text('first'))).toBe('created');
      expect(await store.create(path, text('second'))).toBe('exists');
      expect(said(await store.read(path))).toBe('first');
    }));

  test('tells exactly one of many racers `created`, and keeps that one’s bytes', () =>
    within(async ({ store }) => {
      const path = lakePath('race/00000000000000000001.json');
      const outcomes = await Promise.all(Array.from({ length: 16 }, (_, i) => store.create(path, text(`racer ${i}`))));
      expect(outcomes.filter((outcome) => outcome === 'created')).toHaveLength(1);
      expect(said(await store.read(path))).toBe(`racer ${outcomes.indexOf('created')}`);
    }));

  test('keeps its own copy of the bytes it is given and gives', () =>
    within(async ({ store }) => {
      const path = lakePath('copy');
      const bytes = text('mine');
      await store.create(path, bytes);
      bytes.fill(0);
      (await store.read(path))?.fill(0);
      expect(said(await store.read(path))).toBe('mine');
    }));

  test('reads nothing where there is nothing, and ranges cut at the end', () =>
    within(async ({ store }) => {
      const path = lakePath('ranges/file');
      expect(await store.read(path)).toBeUndefined();
      expect(await store.read(lakePath('ranges/file/below'))).toBeUndefined();
      await store.create(path, text('0123456789'));
      expect(said(await store.read(path, { offset: 2, length: 3 }))).toBe('234');
      expect(said(await store.read(path, { offset: 8, length: 10 }))).toBe('89');
      expect(said(await store.read(path, { offset: 7 }))).toBe('789');
      expect(said(await store.read(path, { offset: 10, length: 4 }))).toBe('');
    }));

  test('overwrites whole, also what is not there yet, and any number of times', () =>
    within(async ({ store }) => {
      const path = lakePath('over/written');
      await store.overwrite(path, text('a longer text'));
      await store.overwrite(path, text('short'));
      await store.overwrite(path, text('short'));
      expect(said(await store.read(path))).toBe('short');
      expect(await store.create(path, text('x'))).toBe('exists');
    }));

  test('removes a file, and bears that there is none', () =>
    within(async ({ store }) => {
      const path = lakePath('gone/soon');
      await store.remove(path);
      await store.create(path, text('x'));
      await store.remove(path);
      await store.remove(path);
      expect(await store.read(path)).toBeUndefined();
      expect((await store.list('')).files).toEqual([]);
      expect(await store.create(path, text('y'))).toBe('created');
    }));

  test('does nothing for an aborted signal and rejects with its reason', () =>
    within(async (made) => {
      const { store } = made;
      const reason = new Error('enough');
      const signal = AbortSignal.abort(reason);
      const path = lakePath('aborted');
      const local = await made.local(text('x'));
      const handle = { staged: lakePath('s'), final: lakePath('f'), bytes: 1, checksum: '00000000' };
      const calls = [
        store.create(path, text('x'), { signal }),
        store.overwrite(path, text('x'), { signal }),
        store.read(path, { signal }),
        store.list('', { signal }),
        store.remove(path, { signal }),
        store.stage({ local, staged: handle.staged, final: handle.final }, { signal }),
        store.publish(handle, { signal }),
        store.discard(handle, { signal }),
      ];
      for (const call of calls) await expect(call).rejects.toBe(reason);
      expect((await store.list('')).files).toEqual([]);
      expect(await made.localExists(local)).toBe(true);
    }));
}

function listTests(within: Within): void {
  const all = async (store: LakeStore, prefix: string, limit: number): Promise<ListedFile[]> => {
    const found: ListedFile[] = [];
    for (let after: ListedFile['path'] | undefined; ; ) {
      const page = await store.list(prefix, after === undefined ? { limit } : { after, limit });
      expect(page.files.length).toBeLessThanOrEqual(limit);
      found.push(...page.files);
      if (page.next === undefined) return found;
      expect(page.next).toBe(page.files.at(-1)?.path);
      after = page.next;
    }
  };

  test('lists in byte order of whole paths, by text prefix, page by page', () =>
    within(async ({ store }) => {
      const paths = ['a/b', 'a-b/c', 'a.b', 'a/b-c', 'a/b.d/e', 'ab', 'a/c/d', 'a/c-d', '😀/x', '\u{ff5e}/x', 'ü', 'z'];
      for (const path of paths) await store.create(lakePath(path), text(path));
      const ordered = [...paths].sort((x, y) => Buffer.compare(Buffer.from(x), Buffer.from(y)));
      for (const limit of [1, 2, 3, 1000]) {
        expect((await all(store, '', limit)).map((file) => file.path)).toEqual(ordered);
      }
      expect((await all(store, 'a/b', 2)).map((file) => file.path)).toEqual(['a/b', 'a/b-c', 'a/b.d/e']);
      expect((await all(store, 'a/', 2)).map((file) => file.path)).toEqual(ordered.filter((p) => p.startsWith('a/')));
      expect(await all(store, 'nothing/here', 2)).toEqual([]);
      expect((await store.list('', { after: lakePath('ab') })).files.map((file) => file.path)).toEqual(
        ordered.filter((path) => Buffer.compare(Buffer.from(path), Buffer.from('ab')) > 0),
      );
      expect((await store.list('a.b')).files[0]?.bytes).toBe(3);
    }));

  test('gives the same pages for any tree, prefix and cursor as a sorted list would', () =>
    within(async ({ store }) => {
      const segment = fc.constantFrom('a', 'b', 'a-', 'a.', 'b=1', 'ü', '~');
      const path = fc.array(segment, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/'));
      // Any text but one that makes a component no path has: some stores refuse to look for those.
      const cutOff = fc.string({ maxLength: 2 }).filter((cut) => !/^\/|\/\/|(^|\/)\.{1,2}($|\/)/.test(cut));
      let round = 0;
      await fc.assert(
        fc.asyncProperty(fc.uniqueArray(path, { maxLength: 12 }), path, cutOff, async (...given) => {
          const [paths, cursor, cut] = given;
          const top = `r${round++}`;
          // A path that is a folder for another cannot be a file.
          const files = paths.filter((one) => !paths.some((other) => other.startsWith(`${one}/`)));
          for (const file of files) await store.create(lakePath(`${top}/${file}`), text(''));
          const wanted = files
            .map((file) => `${top}/${file}`)
            .filter((file) => file.startsWith(`${top}/${cut}`))
            .sort((x, y) => Buffer.compare(Buffer.from(x), Buffer.from(y)));
          expect((await all(store, `${top}/${cut}`, 2)).map((file) => file.path)).toEqual(wanted);
          const after = lakePath(`${top}/${cursor}`);
          expect((await store.list(`${top}/${cut}`, { after })).files.map((file) => file.path)).toEqual(
            wanted.filter((file) => Buffer.compare(Buffer.from(file), Buffer.from(after)) > 0),
          );
        }),
        { numRuns: 25 },
      );
    }));
}

function stageTests(within: Within, stageOf: StageOf): void {
  test('takes a local file in, measures it, and shows it nowhere but at its stage', () =>
    within(async (made) => {
      const local = await made.local(text('rows'));
      const staged = lakePath('_lakeward/d/staged/n1/part-0');
      const final = lakePath('d/hour=07/n1-part-0.parquet');
      const handle = await made.store.stage({ local, staged, final });
      expect(handle).toMatchObject({ staged, final, bytes: 4, checksum: hex(text('rows')) });
      expect(JSON.parse(JSON.stringify(handle))).toEqual(handle);
      expect(await made.localExists(local)).toBe(false);
      expect(await made.store.read(final)).toBeUndefined();
      expect(said(await made.store.read(staged))).toBe('rows');
    }));

  test('publishes a stage: the file is there, the stage is gone, and again changes nothing', () =>
    within(async (made) => {
      const handle = await stageOf(made, 'rows', 'n1/a');
      expect(await made.store.publish(handle)).toBe('published');
      expect(await made.store.publish(handle)).toBe('published');
      expect((await made.store.list('')).files.map((file) => file.path)).toEqual([handle.final]);
      expect(said(await made.store.read(handle.final))).toBe('rows');
    }));

  test('says `stage-lost` when neither the stage nor the final file is there', () =>
    within(async (made) => {
      const handle = await stageOf(made, 'rows', 'n1/a');
      await made.store.discard(handle);
      expect(await made.store.publish(handle)).toBe('stage-lost');
      expect(await made.store.read(handle.final)).toBeUndefined();
    }));

  test('lets the stage win when both are there', () =>
    within(async (made) => {
      const handle = await stageOf(made, 'right', 'n1/a');
      await made.store.create(handle.final, text('wrong'));
      expect(await made.store.publish(handle)).toBe('published');
      expect(said(await made.store.read(handle.final))).toBe('right');
      expect(await made.store.read(handle.staged)).toBeUndefined();
    }));

  test('discards a stage twice and never touches the final file', () =>
    within(async (made) => {
      const handle = await stageOf(made, 'rows', 'n1/a');
      await made.store.create(handle.final, text('landed'));
      await made.store.discard(handle);
      await made.store.discard(handle);
      expect((await made.store.list('')).files.map((file) => file.path)).toEqual([handle.final]);
    }));

  test('publishes many files of one commit at once, by two publishers', () =>
    within(async (made) => {
      const handles = await Promise.all(Array.from({ length: 12 }, (_, i) => stageOf(made, `rows ${i}`, `n1/${i}`)));
      const outcomes = await Promise.all([...handles, ...handles].map((handle) => made.store.publish(handle)));
      expect(new Set(outcomes)).toEqual(new Set(['published']));
      expect((await made.store.list('_lakeward/')).files).toEqual([]);
      expect((await made.store.list('d/')).files).toHaveLength(12);
    }));

  test('stages further files while others of the same nonce are published', () =>
    within(async (made) => {
      await Promise.all(
        Array.from({ length: 20 }, async (_, i) => made.store.publish(await stageOf(made, `rows ${i}`, `n1/${i}`))),
      );
      expect((await made.store.list('')).files).toHaveLength(20);
    }));

  test('takes in an empty file', () =>
    within(async (made) => {
      const handle = await stageOf(made, '', 'n1/empty');
      expect(handle).toMatchObject({ bytes: 0, checksum: '00000000' });
      expect(await made.store.publish(handle)).toBe('published');
      expect(said(await made.store.read(handle.final))).toBe('');
    }));
}
