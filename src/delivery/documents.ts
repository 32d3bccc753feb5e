/**
 * Changes to the delivery documents of the catalog, as pure functions from a state to edits: who may change what. What the
 * configuration file declares, only the file changes; stream, prefix and start of a delivery never change, because its landing log
 * stands on them.
 */
import type { DeliveryDocument, DeliverySpec } from '../model/delivery.ts';
import { LakewardError } from '../model/errors.ts';
import type { StreamId } from '../model/stream.ts';
import type { CatalogEdit, CatalogState } from '../ports/catalog.ts';
import { planRemovals } from './plan-keeper.ts';

export function creation(state: CatalogState, spec: DeliverySpec, nowMs: number): CatalogEdit[] {
  if (state.delivery.has(spec.name)) {
    throw new LakewardError('delivery-exists', `a delivery named '${spec.name}' exists`);
  }
  const streamId = streamIdOf(state, spec);
  return [edit({ spec, streamId, owner: 'api', createdMs: nowMs, paused: false })];
}

export function replacement(state: CatalogState, spec: DeliverySpec): CatalogEdit[] {
  const document = ownedByApi(state, spec.name);
  requireSameGround(document.spec, spec);
  return same(document.spec, spec) ? [] : [edit({ ...document, spec })];
}

export function removal(state: CatalogState, name: string): CatalogEdit[] {
  ownedByApi(state, name);
  return dropping(state, name);
}

export function pausing(state: CatalogState, name: string, paused: boolean): CatalogEdit[] {
  const document = documentOf(state, name);
  return document.paused === paused ? [] : [edit({ ...document, paused })];
}

/** What the file declares is created or taken over; what it declared once and no longer does is dropped. Landed files stay. */
export function declaration(state: CatalogState, specs: readonly DeliverySpec[], nowMs: number): CatalogEdit[] {
  const edits: CatalogEdit[] = [];
  const declared = new Set<string>();
  for (const spec of specs) {
    if (declared.has(spec.name)) {
      throw new LakewardError('argument-invalid', `delivery '${spec.name}' is declared twice`);
    }
    declared.add(spec.name);
    const streamId = streamIdOf(state, spec);
    const known = state.delivery.get(spec.name);
    if (known === undefined) edits.push(edit({ spec, streamId, owner: 'file', createdMs: nowMs, paused: false }));
    else {
      requireSameGround(known.spec, spec);
      if (known.owner !== 'file' || !same(known.spec, spec)) edits.push(edit({ ...known, spec, owner: 'file' }));
    }
  }
  for (const [name, document] of state.delivery) {
    if (document.owner === 'file' && !declared.has(name)) edits.push(...dropping(state, name));
  }
  return edits;
}

export function documentOf(state: CatalogState, name: string): DeliveryDocument {
  const document = state.delivery.get(name);
  if (document === undefined) throw new LakewardError('delivery-not-found', `no delivery is named '${name}'`);
  return document;
}

function ownedByApi(state: CatalogState, name: string): DeliveryDocument {
  const document = documentOf(state, name);
  if (document.owner === 'api') return document;
  throw new LakewardError('owned-by-file', `the configuration file declares delivery '${name}'; change it there`);
}

function streamIdOf(state: CatalogState, spec: DeliverySpec): StreamId {
  const stream = state.stream.get(spec.stream);
  if (stream !== undefined) return stream.id;
  throw new LakewardError(
    'stream-not-found',
    `delivery '${spec.name}' reads stream '${spec.stream}', which does not exist`,
  );
}

function requireSameGround(known: DeliverySpec, spec: DeliverySpec): void {
  const problems = (['stream', 'prefix', 'start'] as const)
    .filter((path) => !same(known[path], spec[path]))
    .map((path) => ({ path, value: spec[path], accepted: `${JSON.stringify(known[path])}, as it was created` }));
  if (problems.length === 0) return;
  const paths = problems.map(({ path, accepted }) => `${path} (${accepted})`).join(', ');
  const message = `delivery '${spec.name}' cannot change ${paths}; make another delivery`;
  throw new LakewardError('argument-invalid', message, { details: { problems } });
}

function dropping(state: CatalogState, name: string): CatalogEdit[] {
  return [{ kind: 'delivery', key: name }, ...planRemovals(state, name)];
}

function edit(document: DeliveryDocument): CatalogEdit {
  return { kind: 'delivery', key: document.spec.name, document };
}

/** Equal as JSON: both sides come out of the same parser, which writes their keys in one order. */
function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
