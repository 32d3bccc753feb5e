/** Which objects of a versioned bucket count as deleted, and which markers bring them back. */
import { expect, test } from 'vitest';
import { deletedAmong, type ObjectVersion } from '../../src/lake/s3/deleted-objects.ts';

/** Newest first: `m` a marker, `v` a version; a second apart, the newest at 100 s. */
function versions(key: string, kinds: string): ObjectVersion[] {
  return Array.from(kinds).map((kind, i) => ({
    key,
    versionId: `${key}${i}`,
    modifiedMs: (100 - i) * 1000,
    isMarker: kind === 'm',
    isLatest: i === 0,
  }));
}

test.each([
  ['v', undefined],
  ['mv', ['k0']],
  ['mmv', ['k0', 'k1']],
  ['mvmv', ['k0']],
  ['vmv', undefined],
  ['m', undefined],
])('of %s the markers on top go, when there is a version below', (kinds, markers) => {
  const found = deletedAmong(versions('k', kinds), 0);
  expect(found.map((object) => object.markers)).toEqual(markers === undefined ? [] : [markers]);
});

test('only what was deleted at a time or later counts, to the second', () => {
  const all = [...versions('a', 'mv'), ...versions('b', 'vv'), ...versions('c', 'mmv')];
  expect(deletedAmong(all, 100_999).map(({ key }) => key)).toEqual(['a']);
  expect(deletedAmong(all, 99_000).map(({ key }) => key)).toEqual(['a', 'c']);
  expect(deletedAmong(all, 101_000)).toEqual([]);
});
