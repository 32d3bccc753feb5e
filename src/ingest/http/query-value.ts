/** Values of a query: text, until it has been read as what the parameter is. */
import { LakewardError } from '../../model/errors.ts';

export interface IntegerRule {
  readonly name: string;
  readonly fallback: number;
  readonly min: number;
  readonly max: number;
}

/** A whole number of the query. Throws `argument-invalid`. */
export function integerIn(query: Readonly<Record<string, string>>, { name, fallback, min, max }: IntegerRule): number {
  const text = query[name];
  if (text === undefined || text === '') return fallback;
  const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw new LakewardError('argument-invalid', `${name} must be a whole number from ${min} to ${max}`);
}

/**
 * Sees to it that a query holds nothing but what is heeded, each once: a mistyped name would be passed over in silence, and with it what
 * the caller asked for. Throws `argument-invalid`.
 */
export function checkNames(given: Iterable<string>, accepted: readonly string[]): void {
  const seen = new Set<string>();
  for (const name of given) {
    if (!accepted.includes(name)) {
      const told = `there is no query parameter '${name.slice(0, 80)}'; ${accepted.join(', ')} are accepted here`;
      throw new LakewardError('argument-invalid', told);
    }
    if (seen.has(name)) throw new LakewardError('argument-invalid', `the query parameter ${name} is given twice`);
    seen.add(name);
  }
}

/** The names of a parsed query, those given several times as often as that. */
export function namesOf(query: Readonly<Record<string, string | readonly string[]>>): string[] {
  return Object.entries(query).flatMap(([name, value]) => (typeof value === 'string' ? name : value.map(() => name)));
}

/** Text of the query, undefined when it is empty or given twice. */
export function textIn(query: Readonly<Record<string, string>>, name: string): string | undefined {
  const text: unknown = query[name];
  return typeof text === 'string' && text !== '' ? text : undefined;
}

/** `true` or `false` of the query, false when it is left out. Throws `argument-invalid`. */
export function flagIn(query: Readonly<Record<string, string>>, name: string): boolean {
  const text = query[name] ?? 'false';
  if (text === 'true' || text === 'false') return text === 'true';
  throw new LakewardError('argument-invalid', `${name} is true or false`);
}
