/** Kinds of values that options and arguments take, as far as they are known without a server. */
import { CODECS } from '../model/delivery.ts';
import { LIMITS } from '../model/limits.ts';
import { COMPATIBILITY_MODES } from '../model/schema.ts';
import { isName } from '../model/stream.ts';
import { parseBytes, parseDurationMs } from '../model/units.ts';
import type { Accepted } from './command.ts';

/** A stream or a delivery that is to be made. */
export const NEW_NAME: Accepted = { words: `1-${LIMITS.nameCharsMax} of A-Z a-z 0-9 _ . -`, test: isName };
export const FORMAT: Accepted = oneOf(Object.keys(CODECS));
export const CODEC: Accepted = oneOf([...new Set(Object.values(CODECS).flat())]);
export const ON_OFF: Accepted = oneOf(['on', 'off']);
export const REJECT_MODE: Accepted = oneOf(['reject', 'suspend', 'skip']);
export const SHARE: Accepted = {
  words: 'a share like 0.05, or one of so many rows like 0.05:1000',
  test: (text) => /^(0(\.\d+)?|1(\.0+)?)(:\d{1,7})?$/.test(text),
};
export const COMPACT: Accepted = oneOf(['listing', 'manifest', 'none']);
export const EVOLVE: Accepted = oneOf(['none', 'add']);
export const COMPATIBILITY: Accepted = oneOf([...COMPATIBILITY_MODES, 'default']);
export const DURATION: Accepted = {
  words: 'a duration such as 90s or 1h',
  test: (text) => parseDurationMs(text) !== undefined,
};
export const SIZE: Accepted = { words: 'a size such as 64MiB', test: (text) => parseBytes(text) !== undefined };

export function wholeNumber(min: number, max: number): Accepted {
  return {
    words: `a whole number from ${min} to ${max}`,
    test: (text) => /^\d{1,9}$/.test(text) && +text >= min && +text <= max,
  };
}

function oneOf(names: readonly string[]): Accepted {
  return { words: `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`, test: (text) => names.includes(text) };
}
