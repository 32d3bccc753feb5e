/** Kinds of scanned values as inference tells them apart. */
import type { ValueFamily } from '../../model/column-plan.ts';
import { KIND } from './json-scan.ts';

/** Longer integers may not fit 64 bits; doubles hold them as JSON.parse would. */
const INTEGER_CHARS_MAX = 18;
const FAMILIES: Readonly<Record<number, ValueFamily>> = {
  [KIND.text]: 'string',
  [KIND.escapedText]: 'string',
  [KIND.integer]: 'integer',
  [KIND.fraction]: 'double',
  [KIND.exponent]: 'double',
  [KIND.true]: 'boolean',
  [KIND.false]: 'boolean',
  [KIND.object]: 'nested',
  [KIND.array]: 'nested',
};

/** Undefined for null, which tells nothing. */
export function familyOf(kind: number, chars: number): ValueFamily | undefined {
  const family = FAMILIES[kind];
  return family === 'integer' && chars > INTEGER_CHARS_MAX ? 'double' : family;
}
