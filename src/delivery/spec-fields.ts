/**
 * Reading a specification field by field: every fault is gathered with its path, the value found and what is accepted, and reading
 * goes on with a stand-in, so that one answer names all of them. Owns no defaults and no meaning: `spec.ts` does.
 */
import type { ErrorCode } from '../model/errors.ts';
import { LakewardError, isLakewardError } from '../model/errors.ts';

export interface SpecProblem {
  readonly path: string;
  readonly value: unknown;
  readonly accepted: string;
  /** What a checker of the value said, where one spoke. */
  readonly reason?: string;
}

export interface SpecReader {
  /** Notes a fault; gives the stand-in. */
  fault<T>(problem: SpecProblem & { readonly code?: ErrorCode }, standIn: T): T;
  text(path: string, value: unknown, rule: TextRule): string;
  quantity(path: string, value: unknown, rule: QuantityRule): number;
  choice<T extends string>(path: string, value: unknown, rule: { accepted: readonly T[]; standIn: T }): T;
  /** The value as an object whose keys are all known; undefined and noted when it is none. */
  object(path: string, value: unknown, known: readonly string[]): Readonly<Record<string, unknown>> | undefined;
  /** Runs a checker; a `LakewardError` it throws becomes a fault of this path. */
  checked<T>(path: string, value: unknown, check: () => T): T | undefined;
  /** Throws when there were faults: with their code when they all have one, else `argument-invalid`. */
  finish(subject: string): void;
}

export interface TextRule {
  readonly accepted: string;
  readonly test: (text: string) => boolean;
}

export interface QuantityRule {
  readonly min: number;
  readonly max: number;
  readonly accepted: string;
  /** Reads a text like `64MiB`; gives undefined or throws when it cannot. Numbers are taken as they are. */
  readonly parse?: (text: string) => number | undefined;
}

export function specReader(): SpecReader {
  const problems: SpecProblem[] = [];
  const codes = new Set<ErrorCode>();

  const fault: SpecReader['fault'] = ({ code, ...problem }, standIn) => {
    problems.push(problem);
    codes.add(code ?? 'argument-invalid');
    return standIn;
  };

  return {
    fault,
    text(path, value, { accepted, test }) {
      if (typeof value === 'string' && test(value)) return value;
      return fault({ path, value, accepted }, '');
    },
    quantity(path, value, rule) {
      const number = typeof value === 'string' ? parsed(rule, value) : value;
      const inRange =
        typeof number === 'number' && Number.isInteger(number) && number >= rule.min && number <= rule.max;
      return inRange ? number : fault({ path, value, accepted: rule.accepted }, rule.min);
    },
    choice(path, value, { accepted, standIn }) {
      const found = accepted.find((one) => one === value);
      return found ?? fault({ path, value, accepted: accepted.join(', ') }, standIn);
    },
    object(path, value, known) {
      if (!isObject(value)) return fault({ path, value, accepted: `an object of ${known.join(', ')}` }, undefined);
      for (const key of Object.keys(value)) {
        if (known.includes(key)) continue;
        fault({ path: path === '' ? key : `${path}.${key}`, value: value[key], accepted: known.join(', ') }, undefined);
      }
      return value;
    },
    checked(path, value, check) {
      try {
        return check();
      } catch (error) {
        if (!isLakewardError(error)) throw error;
        const accepted = typeof error.details?.['accepted'] === 'string' ? error.details['accepted'] : error.message;
        return fault({ path, value, accepted, reason: error.message, code: error.code }, undefined);
      }
    },
    finish(subject) {
      if (problems.length === 0) return;
      const [only] = codes;
      const told = problems.map((problem) => `${problem.path}: ${problem.reason ?? tell(problem)}`).join('; ');
      const code = codes.size === 1 && only !== undefined ? only : 'argument-invalid';
      throw new LakewardError(code, `${subject}: ${told}`, { details: { problems } });
    },
  };
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function parsed(rule: QuantityRule, text: string): number | undefined {
  try {
    return rule.parse?.(text);
  } catch (error) {
    if (isLakewardError(error)) return undefined;
    throw error;
  }
}

function tell({ value, accepted }: SpecProblem): string {
  const shown = value === undefined ? 'is missing' : `${JSON.stringify(value)?.slice(0, 80)} is not accepted`;
  return `${shown} (accepted: ${accepted})`;
}
