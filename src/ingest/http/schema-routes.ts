/** The schema registry in the control API: what people and the command line ask. Serializers use the routes of `subject-routes.ts`. */
import Type from 'typebox';
import { LakewardError } from '../../model/errors.ts';
import type { CompatibilityMode } from '../../model/schema.ts';
import { COMPATIBILITY_MODES } from '../../model/schema.ts';
import type { RegisteredSchema, Schemas } from '../../ports/schemas.ts';
import { readProblems } from '../../schema/compatibility.ts';
import { resolveKnown } from '../../schema/resolved-type.ts';
import { schemaChanges } from '../../schema/schema-diff.ts';
import type { Call, ControlApiOptions, Route } from './route.ts';

const MODE = Type.Object(
  { compatibility: Type.Union([...COMPATIBILITY_MODES.map((mode) => Type.Literal(mode)), Type.Null()]) },
  { additionalProperties: false },
);
const SCHEMA = Type.Object({ schema: Type.Unknown() }, { additionalProperties: false });

export function schemaRoutes({ schemas }: ControlApiOptions): Route[] {
  return [
    {
      method: 'GET',
      path: '/v1/schemas',
      handle: ({ query }) => {
        const subjects = schemas.subjects({ deleted: query['deleted'] === 'true' });
        return {
          body: {
            compatibility: schemas.mode(),
            subjects: subjects.map(({ subject, versions }) => ({
              subject,
              compatibility: schemas.mode(subject),
              versions: versions.map(({ version, id, createdMs, deleted = false }) => ({
                version,
                id,
                createdMs,
                deleted,
              })),
            })),
          },
        };
      },
    },
    { method: 'PUT', path: '/v1/schemas', bodySchema: MODE, handle: (call) => setMode(schemas, call) },
    {
      method: 'GET',
      path: '/v1/schemas/:subject',
      handle: (call) => {
        const version = call.query['version'] ?? 'latest';
        return { body: view(schemas.get(subjectOf(call), versionIn('version', version), { deleted: true }), schemas) };
      },
    },
    {
      method: 'POST',
      path: '/v1/schemas/:subject',
      bodySchema: SCHEMA,
      handle: async (call) => {
        const registered = await schemas.register(subjectOf(call), schemaIn(call), { signal: call.signal });
        return { status: 201, body: view(registered, schemas) };
      },
    },
    {
      method: 'PUT',
      path: '/v1/schemas/:subject',
      bodySchema: MODE,
      handle: (call) => setMode(schemas, call, subjectOf(call)),
    },
    {
      method: 'DELETE',
      path: '/v1/schemas/:subject',
      handle: async (call) => {
        const { version, permanent } = call.query;
        const which = version === undefined ? 'all' : versionIn('version', version);
        const choice = { permanent: permanent === 'true', signal: call.signal };
        return { body: { deleted: await schemas.remove(subjectOf(call), which, choice) } };
      },
    },
    {
      method: 'POST',
      path: '/v1/schemas/:subject/check',
      bodySchema: SCHEMA,
      handle: (call) => ({ body: schemas.check(subjectOf(call), schemaIn(call)) }),
    },
    {
      method: 'GET',
      path: '/v1/schemas/:subject/diff',
      handle: (call) => ({ body: difference(schemas, call) }),
    },
  ];
}

/** From the version before the newest to the newest, unless they are named. */
function difference(schemas: Schemas, call: Call): object {
  const subject = subjectOf(call);
  const to = schemas.get(subject, versionIn('to', call.query['to'] ?? 'latest'));
  const before = schemas.subjects().find((one) => one.subject === subject)?.versions ?? [];
  const named = call.query['from'];
  const previous = before.findLast(({ version }) => version < to.version);
  const from = named === undefined ? previous : schemas.get(subject, versionIn('from', named));
  if (from === undefined) {
    throw new LakewardError('schema-not-found', `subject '${subject}' has no version before ${to.version}`);
  }
  const [older, newer] = [resolveKnown(from.text), resolveKnown(to.text)];
  return {
    subject,
    from: from.version,
    to: to.version,
    changes: schemaChanges(older, newer),
    backward: readProblems(newer, older),
    forward: readProblems(older, newer),
  };
}

async function setMode(schemas: Schemas, call: Call, subject?: string): Promise<{ body: object }> {
  const { compatibility } = call.body as { compatibility: CompatibilityMode | null };
  await schemas.setMode(compatibility ?? undefined, subject, { signal: call.signal });
  return { body: { compatibility: schemas.mode(subject) } };
}

function view({ text, ...version }: RegisteredSchema, schemas: Schemas): object {
  return { ...version, compatibility: schemas.mode(version.subject), schema: JSON.parse(text) as unknown };
}

/** As JSON, or as the text of it. */
function schemaIn({ body }: Call): unknown {
  const { schema } = body as { schema: unknown };
  if (typeof schema !== 'string' || !/^\s*[{["]/.test(schema)) return schema;
  try {
    return JSON.parse(schema) as unknown;
  } catch (cause) {
    throw new LakewardError('schema-invalid', 'the schema is not valid JSON', { cause });
  }
}

function subjectOf({ parameters }: Call): string {
  return parameters['subject'] ?? '';
}

function versionIn(name: string, text: string): number | 'latest' {
  if (text === 'latest') return text;
  if (/^[1-9]\d{0,9}$/.test(text)) return Number(text);
  throw new LakewardError('argument-invalid', `${name} must be a number from 1 or 'latest'`);
}
