/**
 * The column plan a delivery lands with. Every plan is in the catalog before the first file written with it, under a version that
 * grows and is never given to other columns: files name theirs. A plan follows the one before, so that readers of older files
 * understand newer ones. Inferred plans are made once, from the first records met, and grow only where the delivery says so; they are
 * made anew only when a declared schema was given up for `auto`.
 */
import type { ColumnPlan } from '../model/column-plan.ts';
import type { DeliverySpec, FollowedSubject, SubjectSource } from '../model/delivery.ts';
import { LakewardError } from '../model/errors.ts';
import type { RecordBatch } from '../model/record-batch.ts';
import type { Catalog, CatalogEdit, CatalogState } from '../ports/catalog.ts';
import type { Clock } from '../ports/clock.ts';
import type { Converter } from '../ports/converter.ts';
import { planFromAvro } from '../schema/avro-plan.ts';
import { mergePlans } from '../schema/plan-merge.ts';
import { followSubject } from './followed-subject.ts';
import type { PlanGrowth } from './plan-growth.ts';

export interface PlanKeeperOptions {
  readonly catalog: Catalog;
  readonly converter: Converter;
  readonly clock: Clock;
  readonly spec: DeliverySpec;
  /** When the delivery was created: tells it from one of its name that was made anew. */
  readonly createdMs: number;
}

export interface PlanSearch {
  /** Records to infer from when there is no inferred plan yet. */
  readonly sample: readonly RecordBatch[];
  /** The highest version that landed files name: new plans are numbered above it. */
  readonly landedVersion: number;
  /** What an inferred plan may grow by. */
  readonly growth?: PlanGrowth | undefined;
  readonly signal: AbortSignal;
}

/** Raw records have no columns, and so do records that are all empty. */
const NO_COLUMNS: ColumnPlan = { version: 0, columns: [], misfit: 'extra' };

/** The plan to convert with now, stored if it is new. A sample without any column gives plan 0, which is not stored. */
export async function currentPlan(options: PlanKeeperOptions, search: PlanSearch): Promise<ColumnPlan> {
  const { catalog, spec } = options;
  if (spec.format === 'raw') return NO_COLUMNS;
  if (spec.schema !== 'auto' && 'subject' in spec.schema) return followedPlan(options, search, spec.schema);
  const wanted = spec.schema === 'auto' ? undefined : planFromAvro(spec.schema.avro);
  const kept = newestPlan(catalog.read(), spec.name);
  const following = (newest: ColumnPlan | undefined): ColumnPlan | undefined =>
    wanted === undefined ? goneOn(newest, search.growth) : declared(newest, wanted);
  const next = following(kept);
  if (next !== undefined && next === kept && transformsAs(kept, spec)) return kept;
  const made = await transformed(options, next ?? (await inferred(options, search)), search.signal);
  if (made.columns.length === 0) return { ...made, version: NO_COLUMNS.version };
  const state = await catalog.edit(
    (state) => {
      // A worker that still prepares leaves no plan behind for a delivery that is gone, or for another one.
      if (state.delivery.get(spec.name)?.createdMs !== options.createdMs) throw gone(spec.name);
      const newest = newestPlan(state, spec.name);
      const plan = following(newest) ?? made;
      if (newest !== undefined && plan === newest && transformsAs(newest, spec)) return [];
      if (!same(plan.columns, made.columns) && made.transform !== undefined) throw overtaken(spec.name);
      const version = Math.max(newest?.version ?? 0, search.landedVersion) + 1;
      const { columns, misfit } = plan;
      const whole = { version, columns, misfit, ...(made.transform && { transform: made.transform }) };
      return planEdits(state, { spec, plan: whole, createdMs: options.clock.nowMs() });
    },
    { signal: search.signal },
  );
  // Not the newest by now: another worker may have made one for another specification.
  return newestPlan(state, spec.name) ?? made;
}

/** The plan of a subject's versions as far as there are any now, stored when one is new. */
async function followedPlan(
  options: PlanKeeperOptions,
  { landedVersion, signal }: PlanSearch,
  source: SubjectSource,
): Promise<ColumnPlan> {
  const { catalog, spec, clock, createdMs } = options;
  const ahead = knownPlan(catalog.read(), spec);
  const kept = newestPlan(catalog.read(), spec.name);
  const unchanged = kept !== undefined && same(kept.columns, ahead?.columns) && transformsAs(kept, spec);
  const made = unchanged || ahead === undefined ? kept : await transformed(options, ahead, signal);
  const state = await catalog.edit(
    (state) => {
      if (state.delivery.get(spec.name)?.createdMs !== createdMs) throw gone(spec.name);
      const before = state.plan.get(spec.name);
      const followed = followSubject(state, source, before);
      const plan = followed?.plan ?? before?.plan;
      if (plan === undefined) return [];
      const follows = followed?.follows ?? before?.follows;
      if (before !== undefined && same(before.plan.columns, plan.columns) && transformsAs(before.plan, spec)) {
        if (followed === undefined) return [];
        return [{ kind: 'plan', key: spec.name, document: { ...before, ...(follows && { follows }) } }];
      }
      if (spec.transform !== undefined && !same(plan.columns, made?.columns)) throw overtaken(spec.name);
      const version = Math.max(before?.plan.version ?? 0, landedVersion) + 1;
      const { columns, misfit } = plan;
      const whole = { version, columns, misfit, ...(made?.transform && { transform: made.transform }) };
      return planEdits(state, { spec, plan: whole, ...(follows && { follows }), createdMs: clock.nowMs() });
    },
    { signal },
  );
  const plan = newestPlan(state, spec.name);
  if (plan === undefined) throw gone(spec.name);
  return plan;
}

/** The columns a delivery will land with, as far as they are known before its records are. Throws what a schema or subject does. */
export function knownPlan(state: CatalogState, { name, schema }: DeliverySpec): ColumnPlan | undefined {
  const before = state.plan.get(name);
  if (schema === 'auto') return before?.plan.misfit === 'extra' ? before.plan : undefined;
  if ('subject' in schema) return followSubject(state, schema, before)?.plan ?? before?.plan;
  return declared(before?.plan, planFromAvro(schema.avro));
}

function gone(name: string): LakewardError {
  return new LakewardError('service-stopping', `delivery '${name}' was removed while a landing was prepared`);
}

/** Drops every version of a delivery's plan. */
export function planRemovals(state: CatalogState, delivery: string): CatalogEdit[] {
  return [...state.plan]
    .filter(([, document]) => document.delivery === delivery)
    .map(([key]) => ({ kind: 'plan', key }));
}

export function newestPlan(state: CatalogState, delivery: string): ColumnPlan | undefined {
  return state.plan.get(delivery)?.plan;
}

/** The plan files of a version were written with. */
export function planOfVersion(state: CatalogState, delivery: string, version: number): ColumnPlan | undefined {
  if (version === NO_COLUMNS.version) return NO_COLUMNS;
  const newest = newestPlan(state, delivery);
  return newest?.version === version ? newest : state.plan.get(`${delivery}@${version}`)?.plan;
}

function planEdits(
  state: CatalogState,
  made: {
    readonly spec: DeliverySpec;
    readonly plan: ColumnPlan;
    readonly follows?: FollowedSubject;
    readonly createdMs: number;
  },
): CatalogEdit[] {
  const key = made.spec.name;
  const before = state.plan.get(key);
  const { plan, follows, createdMs } = made;
  const document = { delivery: key, plan, ...(follows === undefined ? {} : { follows }), createdMs };
  const edits: CatalogEdit[] = [{ kind: 'plan', key, document }];
  if (before !== undefined) edits.push({ kind: 'plan', key: `${key}@${before.plan.version}`, document: before });
  return edits;
}

/**
 * The plan of a declared schema after the newest, which is itself when it takes all that the schema asks for. An inferred one is
 * replaced: its columns were guesses. Throws `schema-invalid` when the schema cannot follow.
 */
export function declared(newest: ColumnPlan | undefined, wanted: ColumnPlan): ColumnPlan {
  return newest?.misfit === wanted.misfit ? mergePlans(newest, wanted) : wanted;
}

/** `auto` goes on with the columns it inferred, whatever they are; undefined when they are to be inferred. */
function goneOn(newest: ColumnPlan | undefined, growth: PlanGrowth | undefined): ColumnPlan | undefined {
  return newest?.misfit === 'extra' ? (growth?.grown(newest) ?? newest) : undefined;
}

/** The plan with the transform the delivery has now. Throws `transform-invalid`. */
async function transformed(
  { converter, spec }: PlanKeeperOptions,
  { version, columns, misfit }: ColumnPlan,
  signal: AbortSignal,
): Promise<ColumnPlan> {
  const plan = { version, columns, misfit };
  if (spec.transform === undefined) return plan;
  const transform = await converter.checkTransform(spec.transform, plan, { signal });
  return transform === undefined ? plan : { ...plan, transform };
}

function transformsAs(plan: ColumnPlan, { transform }: DeliverySpec): boolean {
  return same(plan.transform?.source, transform);
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** The transform was checked against other columns than there are now. */
function overtaken(name: string): LakewardError {
  return new LakewardError('catalog-conflict', `the columns of '${name}' changed while its transform was checked`);
}

async function inferred({ converter, spec }: PlanKeeperOptions, search: PlanSearch): Promise<ColumnPlan> {
  const { eventTime, layout } = spec;
  return converter.infer(search.sample, { eventTime, layout, signal: search.signal });
}
