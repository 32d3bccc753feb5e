/** One thing wrong with a configuration, and the error that tells all of them at once. */
import { LakewardError } from '../model/errors.ts';

export interface ConfigProblem {
  /** `server.port`, `deliveries[0].schema`; empty for the file as a whole. */
  readonly path: string;
  readonly value: unknown;
  readonly accepted: string;
}

const VALUE_CHARS_MAX = 80;

export function configInvalid(subject: string, problems: readonly ConfigProblem[]): LakewardError {
  const lines = problems.map(({ path, value, accepted }) => {
    const found = value === undefined ? 'is missing' : `is ${shown(value)}`;
    return `  ${path === '' ? 'it' : path} ${found}; accepted: ${accepted}`;
  });
  const count = problems.length === 1 ? 'a problem' : `${problems.length} problems`;
  return new LakewardError('config-invalid', `${subject} has ${count}:\n${lines.join('\n')}`, {
    details: { problems },
  });
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > VALUE_CHARS_MAX ? `${text.slice(0, VALUE_CHARS_MAX)}…` : text;
}
