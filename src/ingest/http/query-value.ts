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

/** Text of the query, undefined when it is empty or given twice. */
export function textIn(query: Readonly<Record<string, string>>, name: string): string | undefined {
  const text: unknown = query[name];
  return typeof text === 'string' && text !== '' ? text : undefined;
}
