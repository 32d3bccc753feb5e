/**
 * From the words of a command line to the exit code of its command. The one place where errors become text and codes: on stderr for
 * people, or with `--json` as one JSON object.
 */
import { systemClock } from '../app/time.ts';
import { isLakewardError } from '../model/errors.ts';
import type { Command, Invocation } from './command.ts';
import { COMMON_OPTIONS, parseLine, readersOf } from './command.ts';
import { COMMANDS } from './commands.ts';
import { createControlClient } from './control-client.ts';
import { EXIT, exitCodeOf, UsageError } from './exit-code.ts';
import { commandHelp, groupHelp, overview } from './help.ts';
import { nearest } from './nearest.ts';
import type { Attempt } from './next-steps.ts';
import { nextSteps } from './next-steps.ts';
import type { Terminal, TextSink } from './terminal.ts';
import { createTerminal } from './terminal.ts';
import { packageVersion } from '../app/package-version.ts';

export interface Surroundings {
  readonly stdout: TextSink;
  readonly stderr: TextSink;
  readonly stdin: AsyncIterable<Uint8Array>;
  /** Aborted when the user wants an end. */
  readonly signal: AbortSignal;
  /** Values of the environment that commands heed. */
  readonly environment: { readonly url?: string; readonly key?: string; readonly colour: boolean };
}

const DEFAULT_URL = 'http://127.0.0.1:4567';

/** Runs one command line (without the program's name) and gives its exit code. Never throws. */
export async function run(args: readonly string[], around: Surroundings): Promise<number> {
  const clock = systemClock();
  const { stdout, stderr, environment } = around;
  const json = args.includes('--json');
  const terminal = createTerminal({
    stdout,
    stderr,
    json,
    colour: environment.colour,
    monotonicMs: () => clock.monotonicMs(),
  });
  let command: Command | undefined;
  let positionals: readonly string[] = [];
  try {
    const { found, rest } = find(commandFirst(args), terminal);
    if (found === undefined) return rest;
    command = found;
    const line = parseLine(command, rest);
    ({ positionals } = line);
    const readers = readersOf(line);
    if (readers.flag('help')) {
      for (const text of commandHelp(command)) terminal.data(text);
      return EXIT.ok;
    }
    const invocation: Invocation = {
      ...readers,
      terminal,
      clock,
      signal: around.signal,
      stdin: around.stdin,
      client: () =>
        createControlClient({
          url: readers.option('url') ?? environment.url ?? DEFAULT_URL,
          key: readers.option('key') ?? environment.key,
        }),
    };
    return await command.run(invocation);
  } catch (error) {
    if (around.signal.aborted && !isLakewardError(error)) return EXIT.interrupted;
    report(error, terminal, { command: command?.name, positionals });
    return exitCodeOf(error);
  }
}

type Found =
  | { readonly found: Command; readonly rest: readonly string[] }
  | { readonly found: undefined; readonly rest: number };

/** Options of every command may stand before it, as in `lakeward --url X status`: they are moved behind it. */
function commandFirst(args: readonly string[]): readonly string[] {
  let at = 0;
  for (let word = args[at]; word?.startsWith('--') === true && word !== '--help'; word = args[at]) {
    if (word === '--version') return args;
    const name = word.slice(2).split('=', 1)[0] ?? '';
    const spec = Object.hasOwn(COMMON_OPTIONS, name) ? COMMON_OPTIONS[name] : undefined;
    if (spec === undefined) throw new UsageError(`unknown option '${word}' before a command`);
    at += spec.value === undefined || word.includes('=') ? 1 : 2;
  }
  const words = args.slice(at);
  // What follows `--` is no option any more, so these go before it.
  const end = words.includes('--') ? words.indexOf('--') : words.length;
  return [...words.slice(0, end), ...args.slice(0, at), ...words.slice(end)];
}

/** The command that the first words name. Without one it prints help and gives the exit code. */
function find(args: readonly string[], terminal: Terminal): Found {
  const [first, second] = args;
  const print = (lines: readonly string[], code: number): Found => {
    for (const text of lines) terminal.data(text);
    return { found: undefined, rest: code };
  };
  if (first === '--version' || first === '-v') return print([packageVersion()], EXIT.ok);
  if (first === undefined || first === '--help' || first === '-h' || first === 'help') {
    return print(overview(COMMANDS, packageVersion()), EXIT.ok);
  }
  const single = COMMANDS.find(({ name }) => name === first);
  if (single !== undefined) return { found: single, rest: args.slice(1) };
  if (!COMMANDS.some(({ name }) => name.startsWith(`${first} `))) throw unknown(first, undefined);
  if (second === undefined || second === '--help' || second === '-h') {
    return print(groupHelp(first, COMMANDS), second === undefined ? EXIT.usage : EXIT.ok);
  }
  const double = COMMANDS.find(({ name }) => name === `${first} ${second}`);
  if (double === undefined) throw unknown(first, second);
  return { found: double, rest: args.slice(2) };
}

function unknown(first: string, second: string | undefined): UsageError {
  const candidates = COMMANDS.map(({ name }) => name);
  const given = second === undefined ? first : `${first} ${second}`;
  const groups = [...new Set(candidates.map((name) => name.split(' ')[0] ?? ''))];
  const guess = nearest(given, candidates) ?? (second === undefined ? nearest(first, groups) : undefined);
  return new UsageError(`no command '${given}'${guess === undefined ? '' : `, did you mean '${guess}'?`}`);
}

function report(error: unknown, terminal: Terminal, attempt: Attempt): void {
  const code = isLakewardError(error) ? error.code : error instanceof UsageError ? 'usage' : 'internal';
  const message = error instanceof Error ? error.message : String(error);
  const details = isLakewardError(error) ? error.details : undefined;
  if (terminal.json) {
    terminal.say(JSON.stringify({ error: { code, message, ...(details === undefined ? {} : { details }) } }));
    return;
  }
  terminal.say(`${terminal.words.bad('error:')} ${message}${code === 'usage' ? '' : ` [${code}]`}`);
  for (const step of nextSteps(error, attempt)) terminal.next(step);
}
