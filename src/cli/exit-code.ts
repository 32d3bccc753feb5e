/**
 * What the exit code of a command says. Scripts branch on these numbers, so they never change their meaning; README lists them.
 */
import { isLakewardError } from '../model/errors.ts';

export const EXIT = {
  /** Done. */
  ok: 0,
  /** It failed; the words on stderr say why. */
  failed: 1,
  /** The command line is wrong; nothing was tried. */
  usage: 2,
  /** No server answers at the address. */
  unreachable: 3,
  /** Done, but with findings: `put` had records refused, `log verify` or `lake check` found damage, `apply --dry-run` would change something. */
  findings: 4,
  /** `lake wait`: the time is over and it is not complete. */
  timeout: 5,
  /** `lake wait`: it cannot become complete as things are; stderr says why. */
  blocked: 6,
  /** Ended by Ctrl-C before it was done. */
  interrupted: 130,
} as const;

/** A wrong command line: wording for the user, and the command whose help applies. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export function exitCodeOf(error: unknown): number {
  if (error instanceof UsageError) return EXIT.usage;
  if (isLakewardError(error, 'server-unreachable')) return EXIT.unreachable;
  return EXIT.failed;
}
