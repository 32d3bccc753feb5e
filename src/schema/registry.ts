/**
 * The registry of schemas on the catalog: every change is one change of the catalog made on the state it was judged on, so two
 * processes never give one id twice or break a subject's compatibility between them. Ids and texts are never removed: records in
 * streams carry them for longer than a subject may live.
 */
import type { CompatibilityMode, SubjectDocument, SubjectVersion } from '../model/schema.ts';
import { LakewardError } from '../model/errors.ts';
import { LIMITS } from '../model/limits.ts';
import type { CallOptions } from '../ports/call-options.ts';
import type { Catalog, CatalogEdit } from '../ports/catalog.ts';
import type { Clock } from '../ports/clock.ts';
import type { CompatibilityAnswer, RegisteredSchema, SchemaChoice, Schemas } from '../ports/schemas.ts';
import { fingerprintOf, normalText, settledText } from './canonical-form.ts';
import { modeProblems } from './compatibility.ts';
import type { RegistryView } from './registry-view.ts';
import { registryView, versionsOf } from './registry-view.ts';
import { resolveKnown, resolveSchema } from './resolved-type.ts';
import { removal } from './version-removal.ts';

const PRINTABLE = /^[^\p{Cc}]+$/u;

export function schemaRegistry({ catalog, clock }: { readonly catalog: Catalog; readonly clock: Clock }): Schemas {
  const view = (): RegistryView => registryView(catalog.read());

  async function change(edit: (view: RegistryView) => readonly CatalogEdit[], call?: CallOptions): Promise<void> {
    await catalog.edit((state) => edit(registryView(state)), call?.signal === undefined ? {} : { signal: call.signal });
  }

  return {
    subjects: ({ deleted = false } = {}) =>
      [...view().subjects.values()]
        .map(({ subject }) => ({ subject, versions: versionsOf(view(), subject, deleted) }))
        .filter(({ versions }) => versions.length > 0)
        .toSorted((a, b) => (a.subject < b.subject ? -1 : 1)),
    get: (subject, version, { deleted = false } = {}) => versionIn(view(), subject, { version, deleted }),
    byId(id) {
      const text = view().texts.get(id)?.text;
      if (text === undefined) return undefined;
      const named = [...view().subjects.keys()].flatMap((subject) => versionsOf(view(), subject, true));
      return { text, named: named.filter((version) => version.id === id) };
    },
    lookup(subject, schema, choice = {}) {
      resolveSchema(schema);
      const found = sameSchema(view(), subject, { schema, choice });
      if (found !== undefined) return found;
      if (versionsOf(view(), subject, choice.deleted).length === 0) throw noSubject(subject);
      throw new LakewardError('schema-not-found', `subject '${subject}' has no version of this schema`);
    },
    async register(subject, schema, { signal, ...choice } = {}) {
      checkSubject(subject);
      resolveSchema(schema);
      await change((current) => registration(current, { subject, schema, choice, nowMs: clock.nowMs() }), { signal });
      return sameSchema(view(), subject, { schema, choice }) ?? versionIn(view(), subject, { version: 'latest' });
    },
    check(subject, schema, version) {
      const current = view();
      const mode = modeOf(current, subject);
      if (version === undefined || (version === 'latest' && versionsOf(current, subject).length === 0)) {
        return judge(mode, schema, versionsOf(current, subject));
      }
      return judge(mode, schema, [versionIn(current, subject, { version })]);
    },
    async remove(subject, version, { permanent = false, signal } = {}) {
      let taken: readonly number[] = [];
      await change(
        (current) => {
          const document = current.subjects.get(subject);
          if (document === undefined) throw noSubject(subject);
          const made = removal(document, version, permanent);
          taken = made.versions;
          return [subjectEdit(subject, made.document)];
        },
        { signal },
      );
      return taken;
    },
    all: () => view().all,
    refresh: (call) => catalog.refresh(call),
    mode: (subject) => modeOf(view(), subject),
    subjectMode: (subject) => view().subjects.get(subject)?.compatibility,
    setMode: (mode, subject, call) => {
      if (subject !== undefined) checkSubject(subject);
      return change((current) => modeEdits(current, mode, subject), call);
    },
  };
}

interface Registration {
  readonly subject: string;
  readonly schema: unknown;
  readonly choice: SchemaChoice;
  readonly nowMs: number;
}

function registration(view: RegistryView, { subject, schema, choice, nowMs }: Registration): CatalogEdit[] {
  if (sameSchema(view, subject, { schema, choice: { ...choice, deleted: false } }) !== undefined) return [];
  const { problems, mode } = judge(modeOf(view, subject), schema, versionsOf(view, subject));
  if (problems.length > 0) throw incompatible(subject, mode, problems);
  const text = settledText(schema);
  const document = view.subjects.get(subject);
  const version = document?.nextVersion ?? 1;
  const known = view.ids.get(text);
  if (known === undefined && view.bytes + text.length > LIMITS.registryBytesMax) {
    throw full(`all schemas together have at most ${LIMITS.registryBytesMax} bytes`);
  }
  if ((document?.versions.length ?? 0) >= LIMITS.subjectVersionsMax) {
    throw full(`subject '${subject}' has ${LIMITS.subjectVersionsMax} versions; delete old ones permanently`);
  }
  const id = known ?? view.nextId;
  const added: SubjectVersion = { version, id, createdMs: nowMs };
  const before: SubjectDocument = document ?? { is: 'subject', subject, versions: [], nextVersion: 1 };
  const after = { ...before, versions: [...before.versions, added], nextVersion: version + 1 };
  const edits: CatalogEdit[] = [subjectEdit(subject, after)];
  const stored = { is: 'schema', id, text, fingerprint: fingerprintOf(schema), createdMs: nowMs } as const;
  if (known === undefined) edits.push({ kind: 'schema', key: `id/${id}`, document: stored });
  return edits;
}

function sameSchema(
  view: RegistryView,
  subject: string,
  { schema, choice }: { readonly schema: unknown; readonly choice: SchemaChoice },
): RegisteredSchema | undefined {
  const versions = versionsOf(view, subject, choice.deleted).toReversed();
  const text = settledText(schema);
  const exact = versions.find((version) => version.text === text);
  if (exact !== undefined || choice.normalize !== true) return exact;
  const normal = normalText(schema);
  return versions.find((version) => normalText(JSON.parse(version.text)) === normal);
}

function judge(mode: CompatibilityMode, schema: unknown, versions: readonly RegisteredSchema[]): CompatibilityAnswer {
  const type = resolveSchema(schema);
  if (mode === 'none') return { compatible: true, mode, problems: [] };
  const against = mode.endsWith('_transitive') ? versions : versions.slice(-1);
  const earlier = against.map(({ version, text }) => ({ version, type: resolveKnown(text) }));
  const problems = modeProblems(mode, type, earlier);
  return { compatible: problems.length === 0, mode, problems };
}

function versionIn(
  view: RegistryView,
  subject: string,
  { version, deleted }: { readonly version: number | 'latest'; readonly deleted?: boolean },
): RegisteredSchema {
  const versions = versionsOf(view, subject, deleted);
  const found = version === 'latest' ? versions.at(-1) : versions.find((one) => one.version === version);
  if (found !== undefined) return found;
  if (versions.length === 0) throw noSubject(subject);
  const known = versions.map((one) => one.version).join(', ');
  throw new LakewardError('schema-not-found', `subject '${subject}' has no version ${version}; it has ${known}`, {
    details: { subject, version },
  });
}

function modeOf(view: RegistryView, subject?: string): CompatibilityMode {
  return (subject === undefined ? undefined : view.subjects.get(subject)?.compatibility) ?? view.compatibility;
}

function modeEdits(view: RegistryView, mode: CompatibilityMode | undefined, subject?: string): CatalogEdit[] {
  if (subject === undefined) {
    if (mode === undefined) return [{ kind: 'schema', key: 'settings' }];
    return [{ kind: 'schema', key: 'settings', document: { is: 'settings', compatibility: mode } }];
  }
  const known = view.subjects.get(subject);
  const { compatibility: _, ...rest } = known ?? { is: 'subject', subject, versions: [], nextVersion: 1 };
  if (mode !== undefined) return [subjectEdit(subject, { ...rest, compatibility: mode })];
  if (known === undefined) return [];
  return [subjectEdit(subject, rest.versions.length === 0 ? undefined : rest)];
}

function subjectEdit(subject: string, document: SubjectDocument | undefined): CatalogEdit {
  return { kind: 'schema', key: `subject/${subject}`, ...(document === undefined ? {} : { document }) };
}

function checkSubject(subject: string): void {
  const { subjectCharsMax } = LIMITS;
  if (subject.length <= subjectCharsMax && PRINTABLE.test(subject) && subject.isWellFormed()) return;
  throw new LakewardError('argument-invalid', `a subject has 1 to ${subjectCharsMax} printable characters`);
}

function incompatible(
  subject: string,
  mode: CompatibilityMode,
  problems: CompatibilityAnswer['problems'],
): LakewardError {
  const told = problems
    .slice(0, 3)
    .map(({ path, reason, version }) => `${path === '' ? 'the schema' : path}: ${reason} (version ${version})`);
  const more = problems.length > told.length ? `; and ${problems.length - told.length} more` : '';
  return new LakewardError(
    'schema-incompatible',
    `the schema is not ${mode} compatible with subject '${subject}': ${told.join('; ')}${more}`,
    { details: { subject, mode, problems } },
  );
}

function noSubject(subject: string): LakewardError {
  return new LakewardError('subject-not-found', `there is no subject '${subject}'`, { details: { subject } });
}

function full(reason: string): LakewardError {
  return new LakewardError('registry-full', reason);
}
