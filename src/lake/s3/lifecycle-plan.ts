/**
 * Which lifecycle rules a bucket has and which it should have by the deliveries: a pure comparison. A rule is ours by its name, which
 * holds a hash of the lake's place, so that lakes that share a bucket leave each other alone; all other rules stay as they are. A rule
 * names the folder of one delivery and nothing else: landing logs, below `_lakeward/`, are in none.
 */
import type { LifecycleRule } from '@aws-sdk/client-s3';
import { createHash } from 'node:crypto';
import { LakewardError } from '../../model/errors.ts';
import { SYSTEM_FOLDER } from '../../model/lake-path.ts';
import type { LifecycleStep } from '../../model/object-settings.ts';
import type { LifecycleChange, LifecyclePlan } from '../../ports/lake-desk.ts';

/** What S3 takes for one bucket. */
const RULES_MAX = 1000;

export interface DeliveryLifecycle {
  readonly name: string;
  /** Folder in the lake. */
  readonly prefix: string;
  readonly lifecycle?: readonly LifecycleStep[];
}

export interface LifecycleGround {
  readonly bucket: string;
  /** Of the lake in the bucket; ends with a slash, or is empty. */
  readonly prefix: string;
}

export interface PlannedRules extends LifecyclePlan {
  /** What the bucket is to hold: the rules of others as they are, then ours. */
  readonly rules: readonly LifecycleRule[];
}

export function planLifecycle(
  ground: LifecycleGround,
  deliveries: readonly DeliveryLifecycle[],
  held: readonly LifecycleRule[],
): PlannedRules {
  const own = `lakeward-${createHash('sha256').update(`${ground.bucket}/${ground.prefix}`).digest('hex').slice(0, 8)}-`;
  const foreign = held.filter(({ ID = '' }) => !ID.startsWith(own));
  const before = new Map(held.filter((rule) => !foreign.includes(rule)).map((rule) => [rule.ID ?? '', rule]));
  const wanted = deliveries.flatMap((delivery) => rulesOf(ground, own, delivery));
  if (foreign.length + wanted.length > RULES_MAX) {
    throw new LakewardError(
      'argument-invalid',
      `a bucket takes ${RULES_MAX} rules; these are ${wanted.length} beside ${foreign.length} of others`,
    );
  }
  const changes: LifecycleChange[] = wanted.map((rule) => {
    const id = rule.ID ?? '';
    const known = before.get(id);
    before.delete(id);
    if (known === undefined) return { id, change: 'add', rule: inWords(rule) };
    const same = inWords(known) === inWords(rule);
    return { id, change: same ? 'keep' : 'replace', rule: inWords(rule), ...(!same && { before: inWords(known) }) };
  });
  for (const [id, rule] of before) changes.push({ id, change: 'remove', rule: inWords(rule) });
  for (const rule of foreign) changes.push({ id: rule.ID ?? '', change: 'foreign', rule: inWords(rule) });
  return { changes, warnings: foreign.flatMap((rule) => warningOf(ground, rule)), rules: [...foreign, ...wanted] };
}

/** One rule a set of tags: S3 wants all steps of the same objects together. */
function rulesOf(
  ground: LifecycleGround,
  own: string,
  { name, prefix, lifecycle = [] }: DeliveryLifecycle,
): LifecycleRule[] {
  const folder = `${ground.prefix}${prefix}/`;
  if (prefix === '' || /(^|\/)[_.]/.test(prefix)) throw new Error(`'${prefix}' is not the folder of a delivery`);
  const groups = Map.groupBy(lifecycle, ({ tags = {} }) => JSON.stringify(tags));
  return [...groups.values()].map((steps, i) => {
    const tags = Object.entries(steps[0]?.tags ?? {}).map(([Key, Value]) => ({ Key, Value }));
    const moves = steps.flatMap((step) => ('to' in step ? [{ Days: step.afterDays, StorageClass: step.to }] : []));
    const end = steps.find((step) => 'expire' in step);
    return {
      ID: `${own}${name}-${i}`,
      Status: 'Enabled',
      Filter: tags.length === 0 ? { Prefix: folder } : { And: { Prefix: folder, Tags: tags } },
      ...(moves.length > 0 && { Transitions: moves as NonNullable<LifecycleRule['Transitions']> }),
      ...(end !== undefined && { Expiration: { Days: end.afterDays } }),
    };
  });
}

/** Objects of the landing logs must not go by themselves, nor become unreadable. */
function warningOf(ground: LifecycleGround, rule: LifecycleRule): string[] {
  const system = `${ground.prefix}${SYSTEM_FOLDER}/`;
  const prefix = prefixOf(rule);
  const covers = system.startsWith(prefix) || prefix.startsWith(system);
  const narrowed = rule.Filter?.Tag !== undefined || (rule.Filter?.And?.Tags ?? []).length > 0;
  const acts =
    rule.Expiration?.Days !== undefined || rule.Expiration?.Date !== undefined || (rule.Transitions ?? []).length > 0;
  if (!covers || narrowed || !acts || rule.Status !== 'Enabled') return [];
  return [
    `rule '${rule.ID ?? ''}' also takes the landing logs below ${system}: ${inWords(rule)}; without them deliveries stop or land again, so narrow it to another folder`,
  ];
}

function prefixOf({ Filter, Prefix }: LifecycleRule): string {
  return Filter?.And?.Prefix ?? Filter?.Prefix ?? Prefix ?? '';
}

function inWords(rule: LifecycleRule): string {
  const tags = rule.Filter?.And?.Tags ?? (rule.Filter?.Tag === undefined ? [] : [rule.Filter.Tag]);
  const what = [
    prefixOf(rule) === '' ? 'all objects' : prefixOf(rule),
    ...tags.map(({ Key = '', Value = '' }) => `tagged ${Key}=${Value}`),
  ].join(' ');
  const when = ({ Days, Date }: { Days?: number | undefined; Date?: Date | undefined }): string =>
    Days === undefined ? `on ${Date?.toISOString().slice(0, 10) ?? 'a day'}` : `after ${Days}d`;
  const acts = [
    ...(rule.Transitions ?? []).map((move) => `${when(move)} to ${move.StorageClass ?? '?'}`),
    ...(rule.Expiration?.Days === undefined && rule.Expiration?.Date === undefined
      ? []
      : [`${when(rule.Expiration)} expire`]),
    ...(rule.NoncurrentVersionTransitions ?? []).map(
      (move) => `old versions after ${move.NoncurrentDays ?? 0}d to ${move.StorageClass ?? '?'}`,
    ),
    ...(rule.NoncurrentVersionExpiration === undefined
      ? []
      : [`old versions after ${rule.NoncurrentVersionExpiration.NoncurrentDays ?? 0}d expire`]),
    ...(rule.AbortIncompleteMultipartUpload === undefined
      ? []
      : [`unfinished uploads after ${rule.AbortIncompleteMultipartUpload.DaysAfterInitiation ?? 0}d dropped`]),
  ];
  return `${what}: ${acts.join(', ') || 'nothing'}${rule.Status === 'Enabled' ? '' : ' (disabled)'}`;
}
