/** Where a subject is in the control API, and how its problems read. */
import type { SchemaProblem } from '../../app/control-answers.ts';

export function subjectPath(subject: string): string {
  return `/v1/schemas/${encodeURIComponent(subject)}`;
}

export function problemText({ path, reason, version }: SchemaProblem): string {
  const where = path === '' ? 'the schema' : path;
  return version === undefined ? `${where}: ${reason}` : `${where}: ${reason} (version ${version})`;
}
