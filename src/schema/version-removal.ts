/** Deleting versions of a subject: first they are hidden, and only what is hidden is removed for good. Pure. */
import type { SubjectDocument } from '../model/schema.ts';
import { LakewardError } from '../model/errors.ts';

export interface Removal {
  /** Undefined when nothing of the subject is left. */
  readonly document: SubjectDocument | undefined;
  readonly versions: readonly number[];
}

/** Throws `subject-not-found`, `schema-not-found`, `schema-deleted`, `schema-not-deleted`. */
export function removal(document: SubjectDocument, version: number | 'latest' | 'all', permanent: boolean): Removal {
  const { subject, versions } = document;
  const live = versions.filter(({ deleted }) => deleted !== true);
  if (versions.length === 0) throw new LakewardError('subject-not-found', `there is no subject '${subject}'`);
  if (version === 'all') {
    if (permanent && live.length > 0) throw refuse('schema-not-deleted', `subject '${subject}'`, { subject });
    if (!permanent && live.length === 0) throw refuse('schema-deleted', `subject '${subject}'`, { subject });
    return taken(document, permanent ? versions : live, permanent);
  }
  const number = version === 'latest' ? (permanent ? versions : live).at(-1)?.version : version;
  const found = versions.find((one) => one.version === number);
  const what = `version ${number ?? version} of subject '${subject}'`;
  const details = { subject, version: number ?? version };
  if (found === undefined) throw new LakewardError('schema-not-found', `there is no ${what}`, { details });
  if (permanent && found.deleted !== true) throw refuse('schema-not-deleted', what, details);
  if (!permanent && found.deleted === true) throw refuse('schema-deleted', what, details);
  return taken(document, [found], permanent);
}

function taken(document: SubjectDocument, gone: SubjectDocument['versions'], permanent: boolean): Removal {
  const versions = permanent
    ? document.versions.filter((one) => !gone.includes(one))
    : document.versions.map((one) => (gone.includes(one) ? { ...one, deleted: true } : one));
  const numbers = gone.map(({ version }) => version);
  return { document: versions.length === 0 ? undefined : { ...document, versions }, versions: numbers };
}

function refuse(
  code: 'schema-deleted' | 'schema-not-deleted',
  what: string,
  details: Record<string, unknown>,
): LakewardError {
  const told =
    code === 'schema-deleted' ? 'is deleted already; delete it permanently' : 'is not deleted; delete it first';
  return new LakewardError(code, `${what} ${told}`, { details });
}
