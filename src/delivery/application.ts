/**
 * Deliveries as one file wants them: what is missing is made, what differs changes, and what the file does not know goes when that is
 * asked for. Pure: one list of edits on one state, so that all of it happens in one version of the catalog or nothing does.
 */
import type { DeliverySpec } from '../model/delivery.ts';
import { LakewardError, isLakewardError } from '../model/errors.ts';
import type { LakeOffers } from '../model/object-settings.ts';
import type { StreamDocument } from '../model/stream.ts';
import { asStreamId } from '../model/stream.ts';
import type { CatalogEdit, CatalogState } from '../ports/catalog.ts';
import type { DeliveryChange } from '../ports/deliveries.ts';
import { creation, declarationProblems, removal, replacement } from './documents.ts';
import type { SpecProblem } from './spec-fields.ts';
import { specReader } from './spec-fields.ts';
import { parseDeliverySpec } from './spec.ts';

export interface ApplicationOptions {
  /** Deliveries that are not among the specifications go, but for those that a server's file declares. */
  readonly prune: boolean;
  readonly nowMs: number;
  /** Streams that will exist by then. */
  readonly streamsToMake: readonly string[];
}

export interface Application {
  readonly edits: readonly CatalogEdit[];
  readonly changes: readonly DeliveryChange[];
}

/** Throws what `parseDeliverySpec` throws, with the problems of all, each with its path in the file. */
export function parseAll(inputs: readonly unknown[], offers: LakeOffers | undefined): DeliverySpec[] {
  const read = specReader();
  const specs = inputs.flatMap((input, i) => {
    try {
      return [parseDeliverySpec(input, offers)];
    } catch (error) {
      if (!isLakewardError(error)) throw error;
      for (const problem of (error.details?.['problems'] ?? []) as readonly SpecProblem[]) {
        read.fault({ ...problem, path: `deliveries[${i}].${problem.path}`, code: error.code }, undefined);
      }
      return [];
    }
  });
  // Places count only where all are there.
  if (specs.length === inputs.length) for (const problem of declarationProblems(specs)) read.fault(problem, undefined);
  read.finish('the deliveries');
  return specs;
}

/** Throws the refusals of all deliveries together. */
export function application(
  state: CatalogState,
  specs: readonly DeliverySpec[],
  options: ApplicationOptions,
): Application {
  const { prune, nowMs, streamsToMake } = options;
  const edits: CatalogEdit[] = [];
  const changes: DeliveryChange[] = [];
  const refusals: LakewardError[] = [];
  const delivery = new Map(state.delivery);
  const now: CatalogState = { ...state, stream: withStreams(state, streamsToMake), delivery };

  function take(made: readonly CatalogEdit[], change: DeliveryChange): void {
    if (made.length === 0) return;
    edits.push(...made);
    changes.push(change);
    for (const edit of made) {
      if (edit.kind !== 'delivery') continue;
      if (edit.document === undefined) delivery.delete(edit.key);
      else delivery.set(edit.key, edit.document);
    }
  }

  const wanted = new Set(specs.map(({ name }) => name));
  const pruned = prune ? [...state.delivery].toSorted(([a], [b]) => (a < b ? -1 : 1)) : [];
  for (const [name, { owner, spec }] of pruned) {
    if (owner === 'api' && !wanted.has(name)) take(removal(now, name), { name, before: spec });
  }
  for (const spec of specs) {
    const { name } = spec;
    const before = now.delivery.get(name)?.spec;
    try {
      if (before === undefined) take(creation(now, spec, nowMs), { name, after: spec });
      // One that a file declares is as good when nothing is to change.
      else if (JSON.stringify(before) !== JSON.stringify(spec))
        take(replacement(now, spec), { name, before, after: spec });
    } catch (error) {
      if (!isLakewardError(error)) throw error;
      refusals.push(error);
    }
  }
  if (refusals.length > 0) throw together(refusals);
  return { edits, changes };
}

function withStreams({ stream }: CatalogState, toMake: readonly string[]): ReadonlyMap<string, StreamDocument> {
  const made = toMake
    .filter((name) => !stream.has(name))
    .map((name): [string, StreamDocument] => {
      return [name, { name, id: asStreamId('to be made'), createdMs: 0, retentionMs: 0, shards: [] }];
    });
  return new Map([...stream, ...made]);
}

function together(refusals: readonly LakewardError[]): LakewardError {
  const [first] = refusals;
  if (first === undefined || refusals.length === 1) return first ?? new LakewardError('internal', 'no refusal');
  const same = refusals.every(({ code }) => code === first.code);
  return new LakewardError(same ? first.code : 'argument-invalid', refusals.map(({ message }) => message).join('; '));
}
