/**
 * The schema registry as Confluent's clients know it: the same routes, bodies and numbers, so that existing serializers work
 * unchanged. Avro only, without references. A thin skin over the port, which decides.
 */
import { LakewardError } from '../../model/errors.ts';
import { COMPATIBILITY_MODES } from '../../model/schema.ts';
import type { CompatibilityAnswer, RegisteredSchema, Schemas } from '../../ports/schemas.ts';
import { withFreshSchemas } from './fresh-schemas.ts';
import { REGISTRY_TYPE } from './registry-wire.ts';
import type { Call, ControlApiOptions, Route } from './route.ts';

/** Gives what becomes the JSON of the answer. */
type Handle = (call: Call) => unknown;

export function subjectRoutes({ schemas }: ControlApiOptions): Route[] {
  const route = (method: Route['method'], path: string, handle: Handle): Route => ({
    method,
    path,
    handle: async (call) => ({
      type: REGISTRY_TYPE,
      body: JSON.stringify(await withFreshSchemas(schemas, () => handle(call))),
    }),
  });
  return [
    route('GET', '/subjects', (call) => subjectsFor(schemas, call)),
    route('GET', '/subjects/:subject/versions', (call) => {
      const subject = subjectOf(call);
      schemas.get(subject, 'latest', { deleted: flag(call, 'deleted') });
      return viewOf(schemas, subject, flag(call, 'deleted')).map(({ version }) => version);
    }),
    route('GET', '/subjects/:subject/versions/:version', (call) => versionView(found(schemas, call))),
    route(
      'GET',
      '/subjects/:subject/versions/:version/schema',
      (call) => JSON.parse(found(schemas, call).text) as unknown,
    ),
    route('POST', '/subjects/:subject', (call) =>
      versionView(
        schemas.lookup(subjectOf(call), schemaIn(call), {
          normalize: flag(call, 'normalize'),
          deleted: flag(call, 'deleted'),
        }),
      ),
    ),
    route('POST', '/subjects/:subject/versions', async (call) => {
      const { signal } = call;
      const choice = { normalize: flag(call, 'normalize'), signal };
      const { id, version, text } = await schemas.register(subjectOf(call), schemaIn(call), choice);
      return { id, version, schemaType: 'AVRO', schema: text };
    }),
    route('DELETE', '/subjects/:subject', (call) =>
      schemas.remove(subjectOf(call), 'all', { permanent: flag(call, 'permanent'), signal: call.signal }),
    ),
    route('DELETE', '/subjects/:subject/versions/:version', async (call) => {
      const choice = { permanent: flag(call, 'permanent'), signal: call.signal };
      const [version] = await schemas.remove(subjectOf(call), versionOf(call), choice);
      return version;
    }),
    route('GET', '/schemas/types', () => ['AVRO']),
    route('GET', '/schemas/ids/:id', (call) => ({ schema: byId(schemas, call).text })),
    route('GET', '/schemas/ids/:id/schema', (call) => JSON.parse(byId(schemas, call).text) as unknown),
    route('GET', '/schemas/ids/:id/versions', (call) =>
      namedIn(schemas, call).map(({ subject, version }) => ({ subject, version })),
    ),
    route('GET', '/schemas/ids/:id/subjects', (call) => [
      ...new Set(namedIn(schemas, call).map(({ subject }) => subject)),
    ]),
    route('POST', '/compatibility/subjects/:subject/versions/:version', (call) =>
      compatibilityView(schemas.check(subjectOf(call), schemaIn(call), versionOf(call)), call),
    ),
    route('POST', '/compatibility/subjects/:subject/versions', (call) =>
      compatibilityView(schemas.check(subjectOf(call), schemaIn(call)), call),
    ),
    ...configRoutes(schemas, route),
  ];
}

function configRoutes(
  schemas: Schemas,
  route: (method: Route['method'], path: string, handle: Handle) => Route,
): Route[] {
  const set = async (call: Call, subject?: string): Promise<object> => {
    const { compatibility } = (call.body ?? {}) as { compatibility?: unknown };
    const mode = COMPATIBILITY_MODES.find((one) => one.toUpperCase() === compatibility);
    if (mode === undefined) {
      const accepted = COMPATIBILITY_MODES.map((one) => one.toUpperCase()).join(', ');
      throw wrong(42203, `compatibility is one of ${accepted}`);
    }
    await schemas.setMode(mode, subject, { signal: call.signal });
    return { compatibility: mode.toUpperCase() };
  };
  const clear = async (call: Call, subject?: string): Promise<object> => {
    const before = schemas.mode(subject);
    await schemas.setMode(undefined, subject, { signal: call.signal });
    return { compatibilityLevel: before.toUpperCase() };
  };
  return [
    route('GET', '/config', () => ({ compatibilityLevel: schemas.mode().toUpperCase() })),
    route('PUT', '/config', (call) => set(call)),
    route('DELETE', '/config', (call) => clear(call)),
    route('GET', '/config/:subject', (call) => {
      const mode = schemas.subjectMode(subjectOf(call)) ?? (flag(call, 'defaultToGlobal') ? schemas.mode() : undefined);
      if (mode === undefined) throw wrong(40408, `subject '${subjectOf(call)}' has no compatibility of its own`);
      return { compatibilityLevel: mode.toUpperCase() };
    }),
    route('PUT', '/config/:subject', (call) => set(call, subjectOf(call))),
    route('DELETE', '/config/:subject', (call) => {
      if (schemas.subjectMode(subjectOf(call)) === undefined) {
        throw wrong(40401, `subject '${subjectOf(call)}' has no compatibility of its own`);
      }
      return clear(call, subjectOf(call));
    }),
    route('GET', '/mode', () => ({ mode: 'READWRITE' })),
    route('GET', '/mode/:subject', () => ({ mode: 'READWRITE' })),
  ];
}

function subjectsFor(schemas: Schemas, call: Call): string[] {
  const only = flag(call, 'deletedOnly');
  const prefix = call.query['subjectPrefix'] ?? '';
  return schemas
    .subjects({ deleted: only || flag(call, 'deleted') })
    .filter(({ versions }) => !only || versions.every(({ deleted }) => deleted === true))
    .map(({ subject }) => subject)
    .filter((subject) => subject.startsWith(prefix));
}

function viewOf(schemas: Schemas, subject: string, deleted: boolean): readonly RegisteredSchema[] {
  return schemas.subjects({ deleted }).find((view) => view.subject === subject)?.versions ?? [];
}

function found(schemas: Schemas, call: Call): RegisteredSchema {
  const version = versionOf(call);
  return schemas.get(subjectOf(call), version, { deleted: flag(call, 'deleted') });
}

function versionView({ subject, version, id, text }: RegisteredSchema): object {
  return { subject, version, id, schemaType: 'AVRO', schema: text };
}

function byId(schemas: Schemas, { parameters }: Call): NonNullable<ReturnType<Schemas['byId']>> {
  const id = parameters['id'] ?? '';
  const schema = /^\d{1,10}$/.test(id) ? schemas.byId(Number(id)) : undefined;
  if (schema === undefined) throw new LakewardError('schema-not-found', `there is no schema of id ${id.slice(0, 20)}`);
  return schema;
}

function namedIn(schemas: Schemas, call: Call): readonly RegisteredSchema[] {
  return byId(schemas, call).named.filter((version) => flag(call, 'deleted') || version.deleted !== true);
}

function compatibilityView({ compatible, problems, mode }: CompatibilityAnswer, call: Call): object {
  if (!flag(call, 'verbose')) return { is_compatible: compatible };
  const messages = problems.map(({ kind, path, reason, version }) =>
    JSON.stringify({ errorType: kind, path, description: reason, oldSchemaVersion: version }),
  );
  if (!compatible) messages.push(JSON.stringify({ compatibility: mode.toUpperCase() }));
  return { is_compatible: compatible, messages };
}

/** The schema in a body: a text that is JSON, as Confluent's clients send it. */
function schemaIn({ body }: Call): unknown {
  const { schema, schemaType, references } = (body ?? {}) as Record<string, unknown>;
  if (schemaType !== undefined && schemaType !== null && schemaType !== 'AVRO') {
    throw wrong(42201, 'this registry holds Avro schemas only (schemaType AVRO)');
  }
  if (Array.isArray(references) && references.length > 0) {
    throw wrong(42201, 'references to other subjects are not served; put the named types into the schema');
  }
  if (typeof schema !== 'string') throw wrong(42201, 'schema must be the JSON text of an Avro schema');
  try {
    return JSON.parse(schema) as unknown;
  } catch {
    // The bare name of a primitive type is what some clients send.
    if (/^[a-z]+$/.test(schema)) return schema;
    throw wrong(42201, 'the schema is not valid JSON');
  }
}

function subjectOf({ parameters }: Call): string {
  return parameters['subject'] ?? '';
}

function versionOf({ parameters }: Call): number | 'latest' {
  const text = parameters['version'] ?? '';
  if (text === 'latest' || text === '-1') return 'latest';
  if (/^[1-9]\d{0,9}$/.test(text)) return Number(text);
  throw wrong(42202, `a version is a number from 1 or 'latest', not '${text.slice(0, 20)}'`);
}

function flag({ query }: Call, name: string): boolean {
  return query[name] === 'true' || query[name] === '';
}

function wrong(errorCode: number, message: string): LakewardError {
  const code = errorCode === 42201 ? 'schema-invalid' : 'argument-invalid';
  return new LakewardError(code, message, { details: { errorCode } });
}
