/**
 * Help texts, written from the descriptions of the commands.
 */
import type { Command, OptionSpec } from './command.ts';
import { COMMON_OPTIONS } from './command.ts';

/** What `lakeward --help` says. */
export function overview(commands: readonly Command[], version: string): string[] {
  const width = Math.max(...commands.map(({ name }) => name.length));
  return [
    `lakeward ${version}: records in over HTTP or Kinesis, partitioned Parquet, CSV or NDJSON out, exactly once`,
    '',
    'Usage: lakeward <command> [arguments] [options]',
    '',
    ...commands.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`),
    '',
    'Options of every command:',
    ...optionLines(COMMON_OPTIONS),
    '',
    'Exit codes: 0 done, 1 failed, 2 wrong command line, 3 server unreachable, 4 done with findings.',
    'First steps: lakeward demo    Help on one command: lakeward <command> --help',
  ];
}

export function groupHelp(group: string, commands: readonly Command[]): string[] {
  const members = commands.filter(({ name }) => name.startsWith(`${group} `));
  const width = Math.max(...members.map(({ name }) => name.length));
  return [
    `Usage: lakeward ${group} <command>`,
    '',
    ...members.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`),
  ];
}

export function commandHelp(command: Command): string[] {
  const places = command.arguments.map(({ name, optional, many }) => {
    const text = `<${name}>${many === true ? '...' : ''}`;
    return optional === true ? `[${text}]` : text;
  });
  const lines = [
    `Usage: ${['lakeward', command.name, ...places, '[options]'].join(' ')}`,
    '',
    `${command.summary}.`,
    '',
  ];
  if (command.arguments.length > 0) {
    const width = Math.max(...command.arguments.map(({ name }) => name.length + 2));
    lines.push(
      'Arguments:',
      ...command.arguments.map(({ name, about }) => `  ${`<${name}>`.padEnd(width)}  ${about}`),
      '',
    );
  }
  lines.push('Options:', ...optionLines({ ...command.options, ...COMMON_OPTIONS }), '');
  lines.push('Examples:', ...command.examples.map((example) => `  ${example}`));
  return lines;
}

function optionLines(options: Readonly<Record<string, OptionSpec>>): string[] {
  const heads = Object.entries(options).map(
    ([name, spec]) =>
      [
        `${spec.short === undefined ? '' : `-${spec.short}, `}--${name}${spec.value === undefined ? '' : ` <${spec.value}>`}`,
        spec.about,
      ] as const,
  );
  const width = Math.max(...heads.map(([head]) => head.length));
  return heads.map(([head, about]) => `  ${head.padEnd(width)}  ${about}`);
}
