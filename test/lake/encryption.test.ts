/** Encryption before storing: the form of files, ranges, every kind of damage, keys that come and go. */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { manualClock } from '../../src/clock/manual-clock.ts';
import { secretBytes } from '../../src/clock/secret-bytes.ts';
import { encryptingStore } from '../../src/lake/encrypt/encrypting-store.ts';
import { FRAME_BYTES } from '../../src/lake/encrypt/envelope.ts';
import { type KeyRing, type KeySource, openKeyRing } from '../../src/lake/encrypt/key-ring.ts';
import { openFileStore } from '../../src/lake/file/file-store.ts';
import { memoryStore } from '../../src/lake/memory/memory-store.ts';
import type { LakePath } from '../../src/model/lake-path.ts';
import { lakePath } from '../../src/model/lake-path.ts';
import type { LakeStore, StageHandle } from '../../src/ports/lake-store.ts';
import { lakeStoreSuite } from '../conformance/lake-store.suite.ts';

const clock = manualClock({ nowMs: 1_700_000_000_000, seed: 1 });
const source = (id: string, byte: number): KeySource => ({
  id,
  from: { text: Buffer.alloc(32, byte).toString('hex'), name: 'KEY' },
});
const ringOf = (...sources: KeySource[]): Promise<KeyRing> => openKeyRing(sources, secretBytes);

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lakeward-encrypt-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

let files = 0;
async function stage(store: LakeStore, content: Uint8Array, key = 'k1'): Promise<StageHandle> {
  const name = `${files++}.parquet.lwenc`;
  const local = join(folder, `local-${name}`);
  await writeFile(local, content);
  return store.stage({
    local,
    staged: lakePath(`_lakeward/d/staged/n/${name}`),
    final: lakePath(`d/${name}`),
    object: { encryption: { kind: 'client', key } },
  });
}
async function land(store: LakeStore, content: Uint8Array, key?: string): Promise<LakePath> {
  const handle = await stage(store, content, key);
  expect(await store.publish(handle)).toBe('published');
  return handle.final;
}

lakeStoreSuite('the encrypting wrapper, for files it is not asked to encrypt', async () => {
  const ring = await ringOf(source('k1', 1));
  const own = await mkdtemp(join(tmpdir(), 'lakeward-encrypt-'));
  let locals = 0;
  return {
    store: encryptingStore(await openFileStore({ folder: join(own, 'lake'), clock }), ring),
    async local(bytes) {
      const path = join(own, `local-${locals++}`);
      await writeFile(path, bytes);
      return path;
    },
    localExists: async (local) => (await readdir(own)).some((name) => local.endsWith(`/${name}`)),
    close: () => rm(own, { recursive: true, force: true }),
  };
});

describe('an encrypted file', () => {
  test('of version 1 is read for ever, and made byte for byte the same', async () => {
    const golden = new URL('golden/envelope-v1.lwenc', import.meta.url);
    const plain = Buffer.from('{"id":1}\n{"id":2}\n');
    const inner = memoryStore({ clock });
    const counting = (count: number): Uint8Array => Uint8Array.from({ length: count }, (_, i) => i);
    const store = encryptingStore(inner, await openKeyRing([source('k1', 1)], counting));
    const made = await inner.read(await land(store, plain));
    expect(Buffer.from(made ?? []).toString('base64')).toBe((await readFile(golden)).toString('base64'));
    const path = lakePath('old/file.ndjson.lwenc');
    await inner.create(path, await readFile(golden));
    expect(Buffer.from((await store.read(path)) ?? []).toString()).toBe(plain.toString());
  });

  test('leaves no plain copy in the lake nor on the way, and its local file is gone', async () => {
    const own = await mkdtemp(join(tmpdir(), 'lakeward-encrypt-'));
    try {
      const lake = await openFileStore({ folder: join(own, 'lake'), clock });
      const store = encryptingStore(lake, await ringOf(source('k1', 1)));
      const local = join(own, 'local');
      const secret = Buffer.from('the secret '.repeat(20_000));
      await writeFile(local, secret);
      const staged = lakePath('_lakeward/d/staged/n/a.csv.lwenc');
      const object = { encryption: { kind: 'client', key: 'k1' } } as const;
      const handle = await store.stage({ local, staged, final: lakePath('d/a.csv.lwenc'), object });
      expect(await readdir(own)).toEqual(['lake']);
      expect(Buffer.from((await lake.read(staged)) ?? []).includes('secret')).toBe(false);
      expect(handle.bytes).toBeGreaterThan(secret.length);
      expect(Buffer.from((await store.read(staged)) ?? []).equals(secret)).toBe(true);
    } finally {
      await rm(own, { recursive: true, force: true });
    }
  });

  test('gives every range as the plain file would, across frames', async () => {
    const store = encryptingStore(memoryStore({ clock }), await ringOf(source('k1', 1)));
    const plain = Buffer.from(Array.from({ length: 3 * FRAME_BYTES + 777 }, (_, i) => (i * 31) % 251));
    const path = await land(store, plain);
    const position = fc.oneof(
      fc.integer({ min: 0, max: plain.length + 10 }),
      fc.constantFrom(0, FRAME_BYTES - 1, FRAME_BYTES, FRAME_BYTES + 1, 3 * FRAME_BYTES, plain.length),
    );
    await fc.assert(
      fc.asyncProperty(position, fc.option(position, { nil: undefined }), async (offset, length) => {
        const found = await store.read(path, length === undefined ? { offset } : { offset, length });
        const wanted = plain.subarray(offset, length === undefined ? undefined : offset + length);
        expect(Buffer.from(found ?? [1, 2, 3]).equals(wanted)).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  test.each([0, 1, FRAME_BYTES, 2 * FRAME_BYTES])('of %i bytes comes back whole', async (length) => {
    const store = encryptingStore(memoryStore({ clock }), await ringOf(source('k1', 1)));
    const plain = Buffer.alloc(length, 7);
    expect(Buffer.from((await store.read(await land(store, plain))) ?? [9]).equals(plain)).toBe(true);
  });

  test('shows every flipped byte, every cut and everything added', async () => {
    const inner = memoryStore({ clock });
    const ring = await ringOf(source('k1', 1));
    const sealed = await inner.read(await land(encryptingStore(inner, ring), Buffer.from('a,b\r\n1,2\r\n')));
    if (sealed === undefined) throw new Error('nothing landed');
    const damagedFiles = [
      ...sealed.keys().map((at) => sealed.map((byte, i) => (i === at ? byte ^ 0x40 : byte))),
      ...sealed.keys().map((length) => sealed.slice(0, length)),
      Uint8Array.from([...sealed, 0]),
    ];
    for (const [i, bytes] of damagedFiles.entries()) {
      const path = lakePath(`damaged/${i}.csv.lwenc`);
      await inner.create(path, bytes);
      // A flip in the key's name asks for a key nobody has.
      await expect(encryptingStore(inner, ring).read(path)).rejects.toMatchObject({
        code: expect.stringMatching(/^(encrypted-file-damaged|key-missing)$/),
      });
    }
  });

  test('whose frames were exchanged, or that ends at a frame, is refused', async () => {
    const inner = memoryStore({ clock });
    const ring = await ringOf(source('k1', 1));
    const sealed = await inner.read(await land(encryptingStore(inner, ring), Buffer.alloc(3 * FRAME_BYTES, 1)));
    const head = (sealed?.length ?? 0) - 3 * (FRAME_BYTES + 16);
    const frame = (n: number): number[] => [
      ...(sealed?.slice(head + n * (FRAME_BYTES + 16), head + (n + 1) * (FRAME_BYTES + 16)) ?? []),
    ];
    const header = [...(sealed?.slice(0, head) ?? [])];
    const swapped = Uint8Array.from([...header, ...frame(1), ...frame(0), ...frame(2)]);
    const short = Uint8Array.from([...header, ...frame(0), ...frame(1)]);
    for (const [name, bytes] of [['swapped', swapped] as const, ['short', short] as const]) {
      const path = lakePath(`damaged/${name}.lwenc`);
      await inner.create(path, bytes);
      const read = encryptingStore(inner, ring).read(path);
      await expect(read).rejects.toMatchObject({ code: 'encrypted-file-damaged' });
    }
  });

  test('is absent when it is, and is never made without being encrypted', async () => {
    const store = encryptingStore(memoryStore({ clock }), await ringOf(source('k1', 1)));
    expect(await store.read(lakePath('no/such.lwenc'))).toBeUndefined();
    const refusal = { code: 'argument-invalid' };
    await expect(store.create(lakePath('a.lwenc'), Buffer.from('x'))).rejects.toMatchObject(refusal);
    await expect(store.overwrite(lakePath('a.lwenc'), Buffer.from('x'))).rejects.toMatchObject(refusal);
    const object = { encryption: { kind: 'client', key: 'k1' } } as const;
    const content = Buffer.alloc(FRAME_BYTES + 1, 5);
    expect(await store.create(lakePath('a.lwenc'), content, { object })).toBe('created');
    expect(await store.create(lakePath('a.lwenc'), content, { object })).toBe('exists');
    expect(Buffer.from((await store.read(lakePath('a.lwenc'))) ?? []).equals(content)).toBe(true);
  });

  test('can be staged again when the store failed: its local file is still there', async () => {
    const inner = memoryStore({ clock });
    let failures = 1;
    const failing: LakeStore = {
      ...inner,
      async stage(file, options) {
        if (failures-- > 0) throw new Error('no');
        return inner.stage(file, options);
      },
    };
    const store = encryptingStore(failing, await ringOf(source('k1', 1)));
    const local = join(folder, 'again');
    await writeFile(local, 'rows');
    const staged = lakePath('_lakeward/d/staged/again.lwenc');
    const object = { encryption: { kind: 'client', key: 'k1' } } as const;
    const file = { local, staged, final: lakePath('d/again.lwenc'), object };
    await expect(store.stage(file)).rejects.toThrow('no');
    expect((await readdir(folder)).filter((name) => name.startsWith('again'))).toEqual(['again']);
    await store.stage(file);
    expect(Buffer.from((await store.read(staged)) ?? []).toString()).toBe('rows');
  });
});

describe('keys', () => {
  test('are added beside old ones: old files stay readable, and say which key they need when it is gone', async () => {
    const inner = memoryStore({ clock });
    const old = await land(encryptingStore(inner, await ringOf(source('2025', 1))), Buffer.from('old'), '2025');
    const both = encryptingStore(inner, await ringOf(source('2025', 1), source('2026', 2)));
    const fresh = await land(both, Buffer.from('new'), '2026');
    expect(Buffer.from((await both.read(old)) ?? []).toString()).toBe('old');
    expect(Buffer.from((await both.read(fresh)) ?? []).toString()).toBe('new');
    const without = encryptingStore(inner, await ringOf(source('2026', 2)));
    await expect(without.read(old)).rejects.toMatchObject({
      code: 'key-missing',
      message: expect.stringContaining("'2025'"),
    });
    const wrong = encryptingStore(inner, await ringOf(source('2025', 9)));
    await expect(wrong.read(old)).rejects.toMatchObject({ code: 'encrypted-file-damaged' });
  });

  test('come as bytes, hex or base64 in a file, and all bad ones are told at once', async () => {
    const bytes = Buffer.from(Array.from({ length: 32 }, (_, i) => i));
    const forms = { bytes, hex: `${bytes.toString('hex')}\n`, base64: bytes.toString('base64'), short: 'abc' };
    for (const [name, form] of Object.entries(forms)) await writeFile(join(folder, name), form);
    const inFile = (id: string): KeySource => ({ id, from: { file: join(folder, id) } });
    const ring = await ringOf(inFile('bytes'), inFile('hex'), inFile('base64'));
    for (const { id } of ring.keys) expect(Buffer.from(ring.raw(id)).equals(bytes)).toBe(true);
    await expect(ringOf(inFile('short'), inFile('absent'))).rejects.toMatchObject({
      code: 'config-invalid',
      message: expect.stringMatching(/'short'.*'absent'/),
    });
  });

  test('may be a command that wraps and unwraps and never shows its own', async () => {
    const program = join(folder, 'vault.mjs');
    // Exclusive or with a byte stands for a vault here; what is tested is how it is asked.
    await writeFile(
      program,
      `const [verb, id] = process.argv.slice(2);
       let text = ''; for await (const part of process.stdin) text += part;
       if (id !== 'vault' || !['wrap', 'unwrap'].includes(verb)) { console.error('no such key'); process.exit(3); }
       console.log(Buffer.from(Buffer.from(text, 'base64').map((byte) => byte ^ 0x55)).toString('base64'));`,
    );
    const inner = memoryStore({ clock });
    const command = [process.execPath, program];
    const store = encryptingStore(inner, await ringOf({ id: 'vault', from: { command } }));
    const path = await land(store, Buffer.from('rows'), 'vault');
    const elsewhere = encryptingStore(inner, await ringOf({ id: 'vault', from: { command } }));
    expect(Buffer.from((await elsewhere.read(path)) ?? []).toString()).toBe('rows');
    const refusing = encryptingStore(memoryStore({ clock }), await ringOf({ id: 'other', from: { command } }));
    await expect(stage(refusing, Buffer.from('x'), 'other')).rejects.toMatchObject({
      code: 'lake-unavailable',
      message: expect.stringContaining('no such key'),
    });
  });
});
