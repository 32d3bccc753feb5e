import { expect, test } from 'vitest';
import { createCatalog } from '../../src/catalog/catalog.ts';
import { manualClock } from '../../src/clock/manual-clock.ts';
import { memoryStore } from '../../src/lake/memory/memory-store.ts';
import type { LakewardError } from '../../src/model/errors.ts';
import { LIMITS } from '../../src/model/limits.ts';
import type { Schemas } from '../../src/ports/schemas.ts';
import { schemaRegistry } from '../../src/schema/registry.ts';
import { record, withDefault } from './schema-examples.ts';

async function registries(count = 1): Promise<Schemas[]> {
  const clock = manualClock({ nowMs: 1_800_000_000_000 });
  const store = memoryStore({ clock });
  return Promise.all(
    Array.from({ length: count }, async () => {
      const catalog = createCatalog({ store, clock });
      await catalog.open();
      return schemaRegistry({ catalog, clock });
    }),
  );
}
const one = async (): Promise<Schemas> => (await registries())[0] as Schemas;
const codeOf = async (work: () => unknown): Promise<string> => {
  try {
    await work();
    return 'none';
  } catch (error) {
    return (error as LakewardError).code;
  }
};

const V1 = record({ a: 'int' });
const V2 = record({ a: 'int', b: withDefault('string', '') });
const V3 = record({ a: 'string' });

test('versions count up in a subject, ids over all, and one schema has one id', async () => {
  const schemas = await one();
  const [a1, a2] = [await schemas.register('a', V1), await schemas.register('a', V2)];
  const b1 = await schemas.register('b', V2);
  expect([a1, a2, b1].map(({ version, id }) => [version, id])).toEqual([
    [1, 1],
    [2, 2],
    [1, 2],
  ]);
  expect(await schemas.register('a', V1)).toEqual(a1);
  expect(schemas.byId(2)?.named.map(({ subject, version }) => `${subject}/${version}`)).toEqual(['a/2', 'b/1']);
  expect(JSON.parse(schemas.byId(1)?.text ?? '')).toEqual(V1);
});

test('processes that register at once give different schemas different ids, and one schema one', async () => {
  const all = await registries(4);
  const registered = await Promise.all(
    all.flatMap((schemas, p) => [0, 1, 2].map((n) => schemas.register(`s${p}-${n}`, record({ [`f${n}`]: 'int' })))),
  );
  const ids = registered.map(({ id }) => id);
  expect(new Set(ids).size).toBe(3);
  expect(ids).toEqual([...ids.slice(0, 3), ...ids.slice(0, 3), ...ids.slice(0, 3), ...ids.slice(0, 3)]);
});

test('a schema that does not fit is refused with the field, until the mode allows it', async () => {
  const schemas = await one();
  await schemas.register('a', V1);
  const refused = await schemas.register('a', V3).catch((error: unknown) => error as LakewardError);
  expect(refused).toMatchObject({ code: 'schema-incompatible', details: { mode: 'backward' } });
  expect((refused as LakewardError).message).toContain('a: the reader takes string, written is int (version 1)');
  expect(schemas.check('a', V3)).toMatchObject({ compatible: false, problems: [{ path: 'a', version: 1 }] });
  await schemas.setMode('none', 'a');
  expect(await schemas.register('a', V3)).toMatchObject({ version: 2, id: 2 });
  expect(schemas.mode('b')).toBe('backward');
  await schemas.setMode(undefined, 'a');
  expect(schemas.mode('a')).toBe('backward');
});

test('deleting hides first and removes then; ids and numbers are not given again', async () => {
  const schemas = await one();
  await schemas.register('a', V1);
  await schemas.register('a', V2);
  expect(await codeOf(() => schemas.remove('a', 1, { permanent: true }))).toBe('schema-not-deleted');
  expect(await schemas.remove('a', 2)).toEqual([2]);
  expect(await codeOf(() => schemas.remove('a', 2))).toBe('schema-deleted');
  expect(schemas.get('a', 'latest').version).toBe(1);
  expect(await codeOf(() => schemas.get('a', 2))).toBe('schema-not-found');
  expect(schemas.get('a', 2, { deleted: true }).version).toBe(2);
  expect(await schemas.remove('a', 2, { permanent: true })).toEqual([2]);
  expect(await schemas.register('a', V2)).toMatchObject({ version: 3, id: 2 });
  expect(await schemas.remove('a', 'all')).toEqual([1, 3]);
  expect(await codeOf(() => schemas.get('a', 'latest'))).toBe('subject-not-found');
  expect(await schemas.remove('a', 'all', { permanent: true })).toEqual([1, 3]);
  expect(await codeOf(() => schemas.remove('a', 'all', { permanent: true }))).toBe('subject-not-found');
  expect(schemas.byId(1)?.named).toEqual([]);
  expect(await schemas.register('b', V1)).toMatchObject({ version: 1, id: 1 });
});

test('lookup finds a schema however it is written, and normalized also by its meaning', async () => {
  const schemas = await one();
  await schemas.register('a', { ...V1, namespace: 'x' });
  expect(
    schemas.lookup('a', { fields: [{ type: 'int', name: 'a' }], namespace: 'x', name: 'R', type: 'record' }).id,
  ).toBe(1);
  const full = { ...V1, name: 'x.R' };
  expect(await codeOf(() => schemas.lookup('a', full))).toBe('schema-not-found');
  expect(schemas.lookup('a', full, { normalize: true }).id).toBe(1);
  expect((await schemas.register('a', full, { normalize: true })).version).toBe(1);
  expect(await codeOf(() => schemas.lookup('b', full))).toBe('subject-not-found');
});

test('what is no schema is refused with the reason', async () => {
  const schemas = await one();
  const refused = async (schema: unknown): Promise<string> => codeOf(() => schemas.register('a', schema));
  for (const schema of [
    null,
    7,
    {},
    { type: 'record', name: 'R' },
    { type: 'record', fields: [] },
    { type: 'enum', name: 'E', symbols: [] },
    record({ a: 'nothing' }),
    record({ a: withDefault('int', 'x') }),
    ['int', 'int'],
    record({ a: 'constructor' }),
  ]) {
    expect([schema, await refused(schema)]).toEqual([schema, 'schema-invalid']);
  }
  expect(await codeOf(() => schemas.register('', 'int'))).toBe('argument-invalid');
  expect(await codeOf(() => schemas.register('x'.repeat(LIMITS.subjectCharsMax + 1), 'int'))).toBe('argument-invalid');
  expect(await codeOf(() => schemas.register('a\n', 'int'))).toBe('argument-invalid');
  expect(await codeOf(() => schemas.register('x'.repeat(LIMITS.subjectCharsMax), 'int'))).toBe('none');
});

test('schemas have a bound of bytes, alone and together', async () => {
  const schemas = await one();
  const sized = (bytes: number, n: number): object => {
    const bare = { type: 'fixed', name: `F${n}`, size: 1, doc: '' };
    return { ...bare, doc: 'x'.repeat(bytes - JSON.stringify(bare).length) };
  };
  expect(await codeOf(() => schemas.register('a', sized(LIMITS.schemaBytesMax + 1, 0)))).toBe('schema-invalid');
  const fitting = LIMITS.registryBytesMax / LIMITS.schemaBytesMax;
  for (let n = 0; n < fitting; n++) await schemas.register(`s${n}`, sized(LIMITS.schemaBytesMax, n));
  expect(await codeOf(() => schemas.register('a', 'int'))).toBe('registry-full');
  expect(await codeOf(() => schemas.register('a', sized(LIMITS.schemaBytesMax, 0)))).toBe('none');
});

test('another process, and the next start, read the same registry, also past a checkpoint of the catalog', async () => {
  const clock = manualClock({ nowMs: 1_800_000_000_000 });
  const store = memoryStore({ clock });
  const open = async (): Promise<Schemas> => {
    const catalog = createCatalog({ store, clock });
    await catalog.open();
    return schemaRegistry({ catalog, clock });
  };
  const first = await open();
  for (let n = 0; n < 70; n++) await first.register(`s${n % 7}`, record({ [`f${n}`]: withDefault('int', n) }));
  await first.setMode('full', 's1');
  await first.remove('s2', 3);
  const second = await open();
  expect(second.subjects({ deleted: true })).toEqual(first.subjects({ deleted: true }));
  expect(second.all()).toEqual(first.all());
  expect([second.mode('s1'), second.mode('s2'), second.all().length]).toEqual(['full', 'backward', 70]);
});
