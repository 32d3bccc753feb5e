/**
 * The columns of a delivery that follows a subject: those of every version there is, merged in their order, so that records of any of
 * them land, whichever producer is still behind. A version that cannot follow the columns landed before is passed over and told; it
 * stops nothing. Each version is looked at once. Pure.
 */
import type { ColumnPlan } from '../model/column-plan.ts';
import type { FollowedSubject, PlanDocument, SubjectSource } from '../model/delivery.ts';
import { LakewardError, isLakewardError } from '../model/errors.ts';
import type { CatalogState } from '../ports/catalog.ts';
import type { RegisteredSchema } from '../ports/schemas.ts';
import { planFromAvro } from '../schema/avro-plan.ts';
import { mergePlans } from '../schema/plan-merge.ts';
import { registryView, versionsOf } from '../schema/registry-view.ts';

const REFUSED_MAX = 10;

export interface Followed {
  /** Its version says nothing. */
  readonly plan: ColumnPlan;
  readonly follows: FollowedSubject;
}

/**
 * Undefined when there is nothing new. Throws `subject-not-found` and `schema-not-found`, which a registration mends, and `schema-invalid` when
 * no version makes columns.
 */
export function followSubject(
  state: CatalogState,
  source: SubjectSource,
  before: PlanDocument | undefined,
): Followed | undefined {
  const versions = versionsFor(state, source);
  const through = versions.at(-1)?.version ?? 0;
  const known = same(before?.follows, source) ? before?.follows : undefined;
  if (known !== undefined && through === known.through) return undefined;
  // A subject that was removed for good and made anew counts from 1 again: all of its versions are new then.
  const seen = known === undefined || through < known.through ? 0 : known.through;
  const fresh = versions.filter(({ version }) => version > seen);
  // Inferred columns are no promise to keep.
  const base = before?.plan.misfit === 'reject' ? before.plan : undefined;
  const { plan, refused } = merge(base, fresh);
  if (plan === undefined) {
    throw new LakewardError(
      'schema-invalid',
      `no version of subject '${source.subject}' makes columns: ${refused[0]?.reason}`,
    );
  }
  const told = [...(known?.refused ?? []), ...refused].slice(-REFUSED_MAX);
  return { plan, follows: { ...source, through, refused: told } };
}

function versionsFor(state: CatalogState, { subject, version }: SubjectSource): RegisteredSchema[] {
  const all = versionsOf(registryView(state), subject, version !== 'latest');
  if (all.length === 0) throw new LakewardError('subject-not-found', `there is no subject '${subject}' to follow`);
  if (version === 'latest') return all;
  const found = all.find((one) => one.version === version);
  if (found === undefined) {
    throw new LakewardError('schema-not-found', `subject '${subject}' has no version ${version}`, {
      details: { version },
    });
  }
  return [found];
}

function merge(
  base: ColumnPlan | undefined,
  versions: readonly RegisteredSchema[],
): { readonly plan: ColumnPlan | undefined; readonly refused: FollowedSubject['refused'] } {
  const refused: { version: number; reason: string }[] = [];
  let plan = base;
  for (const { version, text } of versions) {
    try {
      const newer = planFromAvro(JSON.parse(text));
      plan = plan === undefined ? newer : mergePlans(plan, newer);
    } catch (error) {
      if (!isLakewardError(error, 'schema-invalid')) throw error;
      refused.push({ version, reason: error.message });
    }
  }
  return { plan, refused };
}

function same(follows: FollowedSubject | undefined, { subject, version }: SubjectSource): boolean {
  return follows?.subject === subject && follows.version === version;
}
