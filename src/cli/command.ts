/**
 * What a command is: a name, what it takes, examples, and a function that does it. The command line is parsed from this
 * description and the help is written from it, so the two cannot differ.
 */
import { parseArgs } from 'node:util';
import type { Clock } from '../app/time.ts';
import type { ControlClient } from './control-client.ts';
import { UsageError } from './exit-code.ts';
import { nearest } from './nearest.ts';
import type { Terminal } from './terminal.ts';

export interface OptionSpec {
  readonly about: string;
  /** Placeholder of its value; a flag has none. */
  readonly value?: string;
  /** One letter, as in `-f`. */
  readonly short?: string;
  readonly accepts?: Accepted;
}

/** What this side can know to be wrong before anything is tried; the server checks all of it again. */
export interface Accepted {
  readonly words: string;
  test(text: string): boolean;
}

export interface ArgumentSpec {
  readonly name: string;
  readonly about: string;
  readonly optional?: boolean;
  readonly many?: boolean;
  readonly accepts?: Accepted;
}

export interface Command {
  /** One or two words: `status`, `stream create`. */
  readonly name: string;
  readonly summary: string;
  readonly arguments: readonly ArgumentSpec[];
  readonly options: Readonly<Record<string, OptionSpec>>;
  readonly examples: readonly string[];
  /** Resolves with the exit code. */
  run(invocation: Invocation): Promise<number>;
}

export interface Invocation {
  readonly terminal: Terminal;
  readonly clock: Clock;
  /** Aborted by Ctrl-C or SIGTERM. */
  readonly signal: AbortSignal;
  readonly stdin: AsyncIterable<Uint8Array>;
  /** A client for the server that `--url` or the environment names. */
  client(): ControlClient;
  readonly arguments: readonly string[];
  /** A required argument by position; the parser has seen to it that it is there. */
  argument(position: number): string;
  option(name: string): string | undefined;
  flag(name: string): boolean;
  /** A whole number within the bounds, or undefined when not given. */
  number(name: string, min: number, max?: number): number | undefined;
}

export const COMMON_OPTIONS: Readonly<Record<string, OptionSpec>> = {
  url: { value: 'url', about: 'address of the server (LAKEWARD_URL; default http://127.0.0.1:4567)' },
  key: { value: 'secret', about: 'key of the server (LAKEWARD_KEY), when it asks for one' },
  json: { about: 'JSON on stdout' },
  help: { about: 'this help' },
};

export interface ParsedLine {
  readonly positionals: readonly string[];
  readonly values: Readonly<Record<string, string | boolean | undefined>>;
}

/** Parses what follows the command's name. Throws `UsageError`. */
export function parseLine(command: Command, args: readonly string[]): ParsedLine {
  const specs = { ...command.options, ...COMMON_OPTIONS };
  const options = Object.fromEntries(
    Object.entries(specs).map(([name, spec]) => [
      name,
      {
        type: spec.value === undefined ? 'boolean' : 'string',
        ...(spec.short !== undefined && { short: spec.short }),
      } as const,
    ]),
  );
  const { values, positionals, tokens } = parseArgs({
    args: [...args],
    options,
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  for (const token of tokens) {
    if (token.kind !== 'option') continue;
    const spec = specs[token.name];
    if (spec === undefined) throw new UsageError(unknownOption(token.rawName, Object.keys(specs)));
    if (spec.value !== undefined && token.value === undefined) throw new UsageError(`${token.rawName} needs a value`);
    if (spec.value === undefined && token.value !== undefined) throw new UsageError(`${token.rawName} takes no value`);
  }
  if (values['help'] !== true) {
    checkArguments(command, positionals);
    checkValues(command, { positionals, values });
  }
  return { positionals, values };
}

function checkArguments(command: Command, positionals: readonly string[]): void {
  const required = command.arguments.filter((argument) => argument.optional !== true);
  const missing = required[positionals.length];
  if (missing !== undefined) throw new UsageError(`<${missing.name}> is missing: ${missing.about}`);
  const open = command.arguments.some((argument) => argument.many === true);
  const extra = open ? undefined : positionals[command.arguments.length];
  if (extra !== undefined) throw new UsageError(`'${extra}' is one argument too many`);
}

/** All wrong values are told at once. */
function checkValues(command: Command, { positionals, values }: ParsedLine): void {
  const given = [
    ...command.arguments.map((it, at) => ({ name: `<${it.name}>`, accepts: it.accepts, value: positionals[at] })),
    ...Object.entries(command.options).map(([name, { accepts }]) => ({
      name: `--${name}`,
      accepts,
      value: values[name],
    })),
  ];
  const wrong = given.flatMap(({ name, accepts, value }) =>
    accepts === undefined || typeof value !== 'string' || accepts.test(value)
      ? []
      : `${name} takes ${accepts.words}, not '${value}'`,
  );
  if (wrong.length > 0) throw new UsageError(wrong.join('; '));
}

function unknownOption(given: string, known: readonly string[]): string {
  const guess = nearest(given.replace(/^-+/, ''), known);
  return `unknown option '${given}'${guess === undefined ? '' : `, did you mean --${guess}?`}`;
}

/** Accessors over a parsed line. */
export function readersOf({
  positionals,
  values,
}: ParsedLine): Pick<Invocation, 'arguments' | 'argument' | 'option' | 'flag' | 'number'> {
  const option = (name: string): string | undefined => {
    const value = values[name];
    return typeof value === 'string' ? value : undefined;
  };
  return {
    arguments: positionals,
    argument: (position) => positionals[position] ?? '',
    option,
    flag: (name) => values[name] === true,
    number(name, min, max = Number.MAX_SAFE_INTEGER) {
      const text = option(name);
      if (text === undefined) return undefined;
      const value = Number(text);
      if (/^\d+$/.test(text) && value >= min && value <= max) return value;
      throw new UsageError(`--${name} takes a whole number from ${min} to ${max}, not '${text}'`);
    },
  };
}
