/** The keys `object` and `lifecycle` of a specification, and what becomes of them for one file. */
import { describe, expect, test } from 'vitest';
import { objectOf } from '../../src/delivery/object-settings.ts';
import { parseDeliverySpec } from '../../src/delivery/spec.ts';
import { isLakewardError } from '../../src/model/errors.ts';
import type { LakeOffers } from '../../src/model/object-settings.ts';

const S3: LakeOffers = {
  kind: 's3',
  keys: [
    { id: 'local', raw: true },
    { id: 'vault', raw: false },
  ],
};
const FOLDER: LakeOffers = { ...S3, kind: 'folder' };

function problemsOf(change: object, offers: LakeOffers = S3): string[] {
  try {
    parseDeliverySpec({ name: 'd', stream: 's', ...change }, offers);
    return [];
  } catch (error) {
    if (!isLakewardError(error)) throw error;
    return ((error.details?.['problems'] ?? []) as { path: string }[]).map(({ path }) => path);
  }
}

describe('object settings of a delivery', () => {
  const object = {
    storageClass: 'INTELLIGENT_TIERING',
    tags: { team: 'web', of: '{delivery}/{partition}' },
    metadata: { rows: '{rows}', schema: 'v{plan} of {stream} as {format}' },
    encryption: { kind: 'kms', keyId: 'alias/lake', bucketKey: true },
    acl: 'bucket-owner-full-control',
    bucketOwner: '123456789012',
  };

  test('parse to themselves and are filled in for each file', () => {
    const spec = parseDeliverySpec({ name: 'd', stream: 's', object }, S3);
    expect(parseDeliverySpec(JSON.parse(JSON.stringify(spec)), S3)).toEqual(spec);
    const facts = { kind: 'data', partition: 'year=2026/user=a%20b', planVersion: 3, rows: 1234 } as const;
    expect(objectOf(spec, facts).object).toEqual({
      ...object,
      tags: { team: 'web', of: 'd/year=2026/user=a_20b' },
      metadata: { rows: '1234', schema: 'v3 of s as parquet' },
    });
  });

  test('leave rejected rows in a class that can be read at once', () => {
    const spec = parseDeliverySpec({ name: 'd', stream: 's', object: { ...object, storageClass: 'GLACIER' } }, S3);
    const rejected = objectOf(spec, { kind: 'rejected', partition: '', planVersion: 1, rows: 1 }).object;
    expect(rejected).not.toHaveProperty('storageClass');
    expect(rejected).toMatchObject({ encryption: object.encryption, metadata: { schema: 'v1 of s as ndjson' } });
  });

  test('are absent for a delivery that has none', () => {
    const spec = parseDeliverySpec({ name: 'd', stream: 's' }, S3);
    expect(spec).not.toHaveProperty('object');
    expect(objectOf(spec, { kind: 'data', partition: '', planVersion: 1, rows: 1 })).toEqual({});
  });

  test('percent-encode in metadata what a header cannot hold', () => {
    const spec = parseDeliverySpec({ name: 'd', stream: 's', object: { metadata: { place: 'Zürich {rows}' } } });
    const { object: made } = objectOf(spec, { kind: 'data', partition: '', planVersion: 1, rows: 2 });
    expect(made?.metadata).toEqual({ place: 'Z%C3%BCrich 2' });
  });

  test('are refused with all problems at once where S3 would refuse every file', () => {
    const eleven = Object.fromEntries(Array.from({ length: 11 }, (_, i) => [`t${i}`, 'x']));
    expect(problemsOf({ object: { tags: eleven } })).toEqual(['object.tags']);
    expect(
      problemsOf({
        object: {
          storageClass: 'COLD',
          tags: { 'aws:mine': 'x', long: 'x'.repeat(257), odd: '{hour}', '': 'x' },
          metadata: { Upper: 'x', wide: 'x'.repeat(2048), none: 1 },
          encryption: { kind: 'client', key: 'nobody' },
          acl: 'everybody',
          bucketOwner: 'me',
          colour: 'red',
        },
      }),
    ).toEqual([
      'object.colour',
      'object.storageClass',
      'object.tags.odd',
      'object.tags.aws:mine',
      'object.tags.long',
      'object.tags.',
      'object.metadata.none',
      'object.metadata.Upper',
      'object.metadata',
      'object.acl',
      'object.bucketOwner',
      'object.encryption.key',
    ]);
  });

  test('count fields by the widest they can be', () => {
    const layout = 'a={a}/b={b}/';
    expect(problemsOf({ layout, object: { tags: { p: '{partition}' } } })).toEqual(['object.tags.p']);
    expect(problemsOf({ layout: 'a={a}/', object: { tags: { p: '{partition}' } } })).toEqual([]);
    const metadata = Object.fromEntries(Array.from({ length: 8 }, (_, i) => [`m${i}`, '{partition}']));
    expect(problemsOf({ layout, object: { metadata } })).toEqual(['object.metadata']);
  });

  test('take only what the lake can do: a folder encrypts before storing and nothing else', () => {
    expect(problemsOf({ object }, FOLDER)).toEqual([
      'object.storageClass',
      'object.tags',
      'object.metadata',
      'object.acl',
      'object.bucketOwner',
      'object.encryption',
    ]);
    expect(problemsOf({ lifecycle: [{ after: '1d', expire: true }] }, FOLDER)).toEqual(['lifecycle']);
    expect(problemsOf({ object: { encryption: { kind: 'client', key: 'vault' } } }, FOLDER)).toEqual([]);
  });

  test('hand a key to the store only when it is at hand', () => {
    expect(problemsOf({ object: { encryption: { kind: 'customer', key: 'local' } } })).toEqual([]);
    expect(problemsOf({ object: { encryption: { kind: 'customer', key: 'vault' } } })).toEqual([
      'object.encryption.key',
    ]);
    expect(problemsOf({ object: { encryption: { kind: 'client', key: 'vault' } } })).toEqual([]);
  });
});

describe('the lifecycle of a delivery', () => {
  test('is written in days and parses to itself', () => {
    const lifecycle = [
      { after: '30d', to: 'STANDARD_IA' },
      { after: '90d', to: 'GLACIER' },
      { after: '365d', expire: true },
    ];
    const spec = parseDeliverySpec({ name: 'd', stream: 's', lifecycle }, S3);
    expect(spec.lifecycle).toEqual([
      { afterDays: 30, to: 'STANDARD_IA' },
      { afterDays: 90, to: 'GLACIER' },
      { afterDays: 365, expire: true },
    ]);
    expect(parseDeliverySpec(JSON.parse(JSON.stringify(spec)), S3)).toEqual(spec);
  });

  test.each([
    ['infrequent access before 30 days', [{ after: '7d', to: 'STANDARD_IA' }], 0],
    ['half days', [{ after: '36h', to: 'GLACIER' }], 0],
    [
      'a step back',
      [
        { after: '30d', to: 'GLACIER' },
        { after: '60d', to: 'GLACIER_IR' },
      ],
      1,
    ],
    [
      'less than 30 days of infrequent access',
      [
        { after: '30d', to: 'STANDARD_IA' },
        { after: '40d', to: 'GLACIER' },
      ],
      1,
    ],
    [
      'days out of order',
      [
        { after: '90d', to: 'GLACIER' },
        { after: '30d', expire: true },
      ],
      1,
    ],
    [
      'something behind the end',
      [
        { after: '1d', expire: true },
        { after: '2d', to: 'GLACIER' },
      ],
      1,
    ],
    [
      'a class S3 does not move to from another',
      [
        { after: '30d', to: 'ONEZONE_IA' },
        { after: '90d', to: 'GLACIER_IR' },
      ],
      1,
    ],
  ])('refuses %s', (_what, lifecycle, at) => {
    expect(problemsOf({ lifecycle })[0]).toMatch(new RegExp(`^lifecycle\\[${at}\\]`));
  });

  test('begins at the class the files land in', () => {
    const cold = { object: { storageClass: 'GLACIER' } };
    expect(problemsOf({ ...cold, lifecycle: [{ after: '60d', to: 'STANDARD_IA' }] })).toEqual(['lifecycle[0]']);
    expect(problemsOf({ ...cold, lifecycle: [{ after: '60d', to: 'DEEP_ARCHIVE' }] })).toEqual([]);
  });
});
