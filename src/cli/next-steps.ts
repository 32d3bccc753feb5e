/**
 * What to do about an error: the command lines that help, told below its message. Pure. The server's messages say what is wrong; only
 * this side knows which command was run and with which words.
 */
import { isLakewardError } from '../model/errors.ts';
import { UsageError } from './exit-code.ts';

export interface Attempt {
  /** Name of the command, undefined when it was not found. */
  readonly command: string | undefined;
  /** What followed the name, options aside. */
  readonly positionals: readonly string[];
}

/** Command lines, the likeliest first; none when there is nothing to advise. */
export function nextSteps(error: unknown, { command, positionals }: Attempt): readonly string[] {
  if (error instanceof UsageError) return [`lakeward ${command === undefined ? '' : `${command} `}--help`];
  if (!isLakewardError(error)) return [];
  if (command === 'serve') {
    return portIsTaken(error) ? ['lakeward serve --port 0    (takes a free port; or name one)'] : [];
  }
  const name = positionals[0] ?? '<name>';
  switch (error.code) {
    case 'server-unreachable':
      return ['lakeward serve'];
    case 'unauthorized':
      return [`lakeward ${command ?? 'status'} --key <secret>    (or set LAKEWARD_KEY)`];
    case 'stream-not-found':
      return ['lakeward stream list', ...(command === 'put' ? [`lakeward stream create ${name}`] : [])];
    case 'stream-exists':
      return [`lakeward stream describe ${name}`];
    case 'stream-in-use':
      return ['lakeward delivery delete <delivery>', `lakeward stream delete ${name} --force`];
    case 'delivery-not-found':
      return ['lakeward delivery list'];
    case 'delivery-exists':
      return [`lakeward delivery describe ${name}`, `lakeward delivery update ${name} --help`];
    case 'delivery-paused':
      return [`lakeward delivery resume ${name}`];
    default:
      return [];
  }
}

function portIsTaken(error: Error): boolean {
  return (error.cause as NodeJS.ErrnoException | undefined)?.code === 'EADDRINUSE';
}
