/**
 * Changes to the delivery documents of the catalog, as pure functions from a state to edits: who may change what. What the
 * configuration file declares, only the file changes; stream, prefix and start of a delivery never change, because its landing log
 * stands on them.
 */
import type { DeliveryDocument, DeliverySpec } from '../model/delivery.ts';
import { LakewardError, isLakewardError } from '../model/errors.ts';
import type { Positions, StreamId } from '../model/stream.ts';
import type { CatalogEdit, CatalogState } from '../ports/catalog.ts';
import { planFromAvro } from '../schema/avro-plan.ts';
import { clashes } from './neighbours.ts';
import { declared, newestPlan, planRemovals } from './plan-keeper.ts';
import type { SpecProblem, SpecReader } from './spec-fields.ts';
import { specReader } from './spec-fields.ts';

export function creation(state: CatalogState, spec: DeliverySpec, nowMs: number): CatalogEdit[] {
  if (state.delivery.has(spec.name)) {
    throw new LakewardError('delivery-exists', `a delivery named '${spec.name}' exists`);
  }
  const streamId = streamIdOf(state, spec);
  const read = specReader();
  for (const { spec: other } of state.delivery.values()) {
    for (const problem of clashes(spec, other)) read.fault(problem, undefined);
  }
  for (const problem of receiverProblems(state, spec)) read.fault(problem, undefined);
  read.finish(`delivery '${spec.name}'`);
  return [edit({ spec, streamId, owner: 'api', createdMs: nowMs, paused: false })];
}

export function replacement(state: CatalogState, spec: DeliverySpec): CatalogEdit[] {
  const document = ownedByApi(state, spec.name);
  requireSameGround(state, document.spec, spec);
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

/** Also of a delivery that is not paused: a worker of another process may be in trouble. */
export function resuming(state: CatalogState, name: string, nowMs: number): CatalogEdit[] {
  return [edit({ ...documentOf(state, name), paused: false, resumedMs: nowMs })];
}

/** Never back: an earlier demand may be under way. */
export function flushing(state: CatalogState, name: string, ends: Positions): CatalogEdit[] {
  const document = documentOf(state, name);
  const flushTo: Record<string, number> = { ...document.flushTo };
  for (const [shard, end] of ends) flushTo[String(shard)] = Math.max(end, flushTo[String(shard)] ?? 0);
  return same(document.flushTo, flushTo) ? [] : [edit({ ...document, flushTo })];
}

/** A resume that lets what waits now through the error budget once. */
export function lettingThrough(state: CatalogState, name: string, ends: Positions): CatalogEdit[] {
  return [edit({ ...documentOf(state, name), paused: false, letThrough: Object.fromEntries(ends) })];
}

/** What the file declares is created or taken over; what it declared once and no longer does is dropped. Landed files stay. */
export function declaration(state: CatalogState, specs: readonly DeliverySpec[], nowMs: number): CatalogEdit[] {
  checkDeclaration(state, specs, new Set());
  const edits: CatalogEdit[] = [];
  for (const spec of specs) {
    const known = state.delivery.get(spec.name);
    if (known === undefined) {
      edits.push(edit({ spec, streamId: streamIdOf(state, spec), owner: 'file', createdMs: nowMs, paused: false }));
    } else if (known.owner !== 'file' || !same(known.spec, spec)) edits.push(edit({ ...known, spec, owner: 'file' }));
  }
  const declared = new Set(specs.map(({ name }) => name));
  for (const [name, document] of state.delivery) {
    if (document.owner === 'file' && !declared.has(name)) edits.push(...dropping(state, name));
  }
  return edits;
}

/**
 * Asks whether the file may declare these deliveries, with streams that are still to be made; changes nothing. Throws
 * `stream-not-found` or `argument-invalid` with all problems, each with its path in the file.
 */
export function checkDeclaration(
  state: CatalogState,
  specs: readonly DeliverySpec[],
  streamsToMake: ReadonlySet<string>,
): void {
  const read = specReader();
  for (const problem of declarationProblems(specs)) read.fault(problem, undefined);
  for (const [i, spec] of specs.entries()) {
    const known = state.delivery.get(spec.name);
    const problems = known === undefined ? [] : groundProblems(state, known.spec, spec);
    for (const { spec: other, owner } of state.delivery.values()) {
      if (owner === 'api' && !specs.some(({ name }) => name === other.name)) problems.push(...clashes(spec, other));
    }
    const streams = { has: (name: string) => state.stream.has(name) || streamsToMake.has(name) };
    problems.push(...receiverProblems({ stream: streams }, spec));
    for (const problem of problems) read.fault({ ...problem, path: pathOf(i, problem.path) }, undefined);
    if (state.stream.has(spec.stream) || streamsToMake.has(spec.stream)) continue;
    const [path, reason] = [pathOf(i, 'stream'), `stream '${spec.stream}' does not exist`];
    const accepted = 'a stream that exists or is declared';
    read.fault({ path, value: spec.stream, accepted, reason, code: 'stream-not-found' }, undefined);
  }
  read.finish('the declared deliveries');
}

/** What keeps deliveries from being declared together, whatever exists. */
export function declarationProblems(specs: readonly DeliverySpec[]): SpecProblem[] {
  return specs.flatMap((spec, i) => {
    const before = specs.slice(0, i);
    const problems = before.flatMap((other) => clashes(spec, other));
    if (before.some(({ name }) => name === spec.name)) {
      const reason = `delivery '${spec.name}' is declared twice`;
      problems.push({ path: 'name', value: spec.name, accepted: 'another name', reason });
    }
    return problems.map((problem) => ({ ...problem, path: pathOf(i, problem.path) }));
  });
}

function pathOf(index: number, path: string): string {
  return path === '' ? `deliveries[${index}]` : `deliveries[${index}].${path}`;
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

/** Nobody would hear of notices for a stream that is not there. */
function receiverProblems(
  { stream }: { readonly stream: Pick<CatalogState['stream'], 'has'> },
  { notify }: DeliverySpec,
): Parameters<SpecReader['fault']>[0][] {
  if (notify === undefined || 'url' in notify || stream.has(notify.stream)) return [];
  const reason = `stream '${notify.stream}' does not exist`;
  const accepted = 'a stream that exists';
  return [{ path: 'notify.stream', value: notify.stream, accepted, reason, code: 'stream-not-found' }];
}

function requireSameGround(state: CatalogState, known: DeliverySpec, spec: DeliverySpec): void {
  const read = specReader();
  for (const problem of groundProblems(state, known, spec)) read.fault(problem, undefined);
  for (const problem of receiverProblems(state, spec)) read.fault(problem, undefined);
  read.finish(`delivery '${spec.name}'`);
}

function groundProblems(
  state: CatalogState,
  known: DeliverySpec,
  spec: DeliverySpec,
): Parameters<SpecReader['fault']>[0][] {
  const schema = same(known.schema, spec.schema) ? [] : schemaProblems(state, spec);
  const ground = (['stream', 'prefix', 'start'] as const)
    .filter((path) => !same(known[path], spec[path]))
    .map((path) => {
      const accepted = `${JSON.stringify(known[path])}, as it was created`;
      const reason = `cannot change (it is ${accepted}); make another delivery`;
      return { path, value: spec[path], accepted, reason };
    });
  return [...ground, ...schema];
}

/** Files that have landed stay readable beside those to come: columns may be added and widened. */
function schemaProblems(state: CatalogState, { name, schema }: DeliverySpec): Parameters<SpecReader['fault']>[0][] {
  // A subject that cannot follow is told in the status: what is registered under it may change by then.
  if (schema === 'auto' || 'subject' in schema) return [];
  try {
    declared(newestPlan(state, name), planFromAvro(schema.avro));
    return [];
  } catch (error) {
    if (!isLakewardError(error)) throw error;
    const accepted = 'a schema that only adds and widens columns, or another delivery';
    return [{ path: 'schema.avro', value: 'the schema', accepted, reason: error.message, code: error.code }];
  }
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
