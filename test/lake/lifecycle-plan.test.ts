/** Lifecycle rules as a comparison of what a bucket has with what deliveries want. */
import type { LifecycleRule } from '@aws-sdk/client-s3';
import { expect, test } from 'vitest';
import { planLifecycle } from '../../src/lake/s3/lifecycle-plan.ts';

const ground = { bucket: 'b', prefix: 'lake/' };
const lifecycle = [
  { afterDays: 30, to: 'STANDARD_IA' },
  { afterDays: 365, expire: true },
] as const;
const foreign: LifecycleRule = {
  ID: 'theirs',
  Status: 'Enabled',
  Filter: { Prefix: 'tmp/' },
  Expiration: { Days: 1 },
};

test('makes one rule a delivery, and its rule again when nothing changed', () => {
  const plan = planLifecycle(ground, [{ name: 'd', prefix: 'a/d', lifecycle }], [foreign]);
  expect(plan.changes.map(({ change, rule }) => [change, rule])).toEqual([
    ['add', 'lake/a/d/: after 30d to STANDARD_IA, after 365d expire'],
    ['foreign', 'tmp/: after 1d expire'],
  ]);
  expect(plan.rules).toEqual([
    foreign,
    {
      ID: expect.stringMatching(/^lakeward-[0-9a-f]{8}-d-0$/),
      Status: 'Enabled',
      Filter: { Prefix: 'lake/a/d/' },
      Transitions: [{ Days: 30, StorageClass: 'STANDARD_IA' }],
      Expiration: { Days: 365 },
    },
  ]);
  const again = planLifecycle(ground, [{ name: 'd', prefix: 'a/d', lifecycle }], plan.rules);
  expect(again.changes.map(({ change }) => change)).toEqual(['keep', 'foreign']);
  expect(again.rules).toEqual(plan.rules);
});

test('replaces what changed, removes what no delivery wants, and leaves rules of others and of other lakes alone', () => {
  const before = planLifecycle(
    ground,
    [
      { name: 'd', prefix: 'd', lifecycle },
      { name: 'e', prefix: 'e', lifecycle },
    ],
    [],
  );
  const elsewhere = planLifecycle({ bucket: 'b', prefix: '' }, [{ name: 'd', prefix: 'd', lifecycle }], []);
  const held = [...before.rules, foreign, ...elsewhere.rules];
  const plan = planLifecycle(ground, [{ name: 'd', prefix: 'd', lifecycle: [{ afterDays: 7, expire: true }] }], held);
  expect(plan.changes.map(({ change, rule }) => `${change} ${rule}`)).toEqual([
    'replace lake/d/: after 7d expire',
    'remove lake/e/: after 30d to STANDARD_IA, after 365d expire',
    'foreign tmp/: after 1d expire',
    'foreign d/: after 30d to STANDARD_IA, after 365d expire',
  ]);
  expect(plan.changes[0]?.before).toBe('lake/d/: after 30d to STANDARD_IA, after 365d expire');
  expect(plan.rules).toHaveLength(3);
});

test('keeps steps of different tags apart', () => {
  const tagged = [...lifecycle, { afterDays: 1, tags: { kind: 'raw' }, expire: true } as const];
  const { rules } = planLifecycle(ground, [{ name: 'd', prefix: 'd', lifecycle: tagged }], []);
  expect(rules.map(({ Filter }) => Filter)).toEqual([
    { Prefix: 'lake/d/' },
    { And: { Prefix: 'lake/d/', Tags: [{ Key: 'kind', Value: 'raw' }] } },
  ]);
});

test('never makes a rule that reaches the landing logs, and warns of those of others that do', () => {
  for (const prefix of ['', '_lakeward', 'a/_lakeward', '.hidden']) {
    expect(() => planLifecycle(ground, [{ name: 'd', prefix, lifecycle }], [])).toThrow('not the folder of a delivery');
  }
  const all: LifecycleRule = { ID: 'all', Status: 'Enabled', Filter: { Prefix: '' }, Expiration: { Days: 30 } };
  const harmless: LifecycleRule[] = [
    foreign,
    { ...all, ID: 'off', Status: 'Disabled' },
    { ID: 'uploads', Status: 'Enabled', Filter: {}, AbortIncompleteMultipartUpload: { DaysAfterInitiation: 7 } },
    { ...all, ID: 'tagged', Filter: { Tag: { Key: 'a', Value: 'b' } } },
  ];
  expect(planLifecycle(ground, [], harmless).warnings).toEqual([]);
  const bad = [
    all,
    { ...all, ID: 'top', Filter: { Prefix: 'lake/' } },
    { ...all, ID: 'in', Filter: { Prefix: 'lake/_lakeward/d' } },
  ];
  const { warnings } = planLifecycle(ground, [], bad);
  expect(warnings.map((warning) => /^rule '(\w+)'/.exec(warning)?.[1])).toEqual(['all', 'top', 'in']);
});
