import { expect, test } from 'vitest';
import { createCatalog } from '../../src/catalog/catalog.ts';
import { manualClock } from '../../src/clock/manual-clock.ts';
import type { FollowedSubject, PlanDocument } from '../../src/model/delivery.ts';
import type { LakewardError } from '../../src/model/errors.ts';
import { followSubject } from '../../src/delivery/followed-subject.ts';
import { parseDeliverySpec } from '../../src/delivery/spec.ts';
import { memoryStore } from '../../src/lake/memory/memory-store.ts';
import type { CatalogState } from '../../src/ports/catalog.ts';
import { planFromAvro } from '../../src/schema/avro-plan.ts';
import { schemaRegistry } from '../../src/schema/registry.ts';
import { record } from '../schema/schema-examples.ts';

const LATEST = { subject: 's', version: 'latest' } as const;

/** The catalog after these versions were registered. */
async function versions(...schemas: readonly unknown[]): Promise<CatalogState> {
  const clock = manualClock({ nowMs: 1_800_000_000_000 });
  const catalog = createCatalog({ store: memoryStore({ clock }), clock });
  await catalog.open();
  const registry = schemaRegistry({ catalog, clock });
  await registry.setMode('none');
  for (const schema of schemas) await registry.register('s', schema);
  return catalog.read();
}
const documentOf = (avro: unknown, follows?: FollowedSubject): PlanDocument => ({
  delivery: 'd',
  plan: planFromAvro(avro),
  createdMs: 0,
  ...(follows === undefined ? {} : { follows }),
});
const columnsOf = (state: CatalogState, source: Parameters<typeof followSubject>[1], before?: PlanDocument): string[] =>
  (followSubject(state, source, before)?.plan.columns ?? []).map(
    ({ name, type, nullable }) => `${name} ${type.kind}${nullable ? '?' : ''}`,
  );

const A = record({ a: 'int' });
const AB = record({ a: 'long', b: 'string' });
const B = record({ b: 'string' });

test('the columns are those of all versions up to the newest; of one, when one is named', async () => {
  const state = await versions(A, AB, B);
  expect(columnsOf(state, LATEST)).toEqual(['a int?', 'b string?']);
  expect(columnsOf(state, { subject: 's', version: 2 })).toEqual(['a int', 'b string']);
  expect(followSubject(state, LATEST, undefined)?.follows).toEqual({ ...LATEST, through: 3, refused: [] });
});

test('a subject that was made anew is followed again, on top of the columns landed before', async () => {
  const first = followSubject(await versions(A, AB), LATEST, undefined);
  if (first === undefined) throw new Error('it follows');
  const kept = { delivery: 'd', ...first, createdMs: 0 };
  const anew = followSubject(await versions(record({ z: 'string' })), LATEST, kept);
  expect(anew?.plan.columns.map(({ name }) => name)).toEqual(['a', 'b', 'z']);
  expect(anew?.follows.through).toBe(1);
  const fewer = followSubject(await versions(A), LATEST, kept);
  expect(fewer?.plan.columns).toEqual(first.plan.columns);
});

test('each version is looked at once', async () => {
  const state = await versions(A, AB);
  const first = followSubject(state, LATEST, undefined);
  if (first === undefined) throw new Error('it follows');
  const kept = { delivery: 'd', ...first, createdMs: 0 };
  expect(followSubject(state, LATEST, kept)).toBeUndefined();
  expect(columnsOf(await versions(A, AB, record({ c: 'int' })), LATEST, kept)).toEqual([
    'a int?',
    'b string?',
    'c int?',
  ]);
});

test('a version that cannot follow is passed over and told', async () => {
  const state = await versions(A, record({ a: 'boolean' }), 'string', record({ a: 'int', c: 'int' }));
  const followed = followSubject(state, LATEST, undefined);
  expect(followed?.plan.columns.map(({ name }) => name)).toEqual(['a', 'c']);
  expect(followed?.follows.refused.map(({ version }) => version)).toEqual([2, 3]);
});

test('columns of a declared schema are kept, those that were inferred are not', async () => {
  const state = await versions(B);
  expect(columnsOf(state, LATEST, documentOf(A))).toEqual(['a int?', 'b string?']);
  expect(columnsOf(state, LATEST, documentOf(record({ b: 'boolean' })))).toEqual(['b boolean']);
  const inferred = documentOf(A);
  expect(columnsOf(state, LATEST, { ...inferred, plan: { ...inferred.plan, misfit: 'extra' } })).toEqual(['b string']);
});

test('without a version that makes columns it says so', async () => {
  const refusal = (state: CatalogState, version: number | 'latest' = 'latest'): string => {
    try {
      followSubject(state, { subject: 's', version }, undefined);
      return 'none';
    } catch (error) {
      return (error as LakewardError).code;
    }
  };
  expect(refusal(await versions())).toBe('subject-not-found');
  expect(refusal(await versions(A), 2)).toBe('schema-not-found');
  expect(refusal(await versions('int'))).toBe('schema-invalid');
});

test('a specification names a subject and, if not the newest, a version', () => {
  const schemaOf = (schema: unknown): unknown => parseDeliverySpec({ name: 'd', stream: 's', schema }).schema;
  expect(schemaOf({ subject: 'x' })).toEqual(LATEST_OF_X);
  expect(schemaOf(LATEST_OF_X)).toEqual(LATEST_OF_X);
  expect(schemaOf({ subject: 'x', version: 3 })).toEqual({ subject: 'x', version: 3 });
  for (const schema of [
    { subject: '' },
    { subject: 'x', version: 0 },
    { subject: 'x', version: 'new' },
    { version: 1 },
  ]) {
    expect(() => schemaOf(schema)).toThrow(/schema/);
  }
  expect(() => schemaOf({ avro: A, version: 1 })).toThrow(/schema/);
});
const LATEST_OF_X = { subject: 'x', version: 'latest' };
