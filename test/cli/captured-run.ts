/** Runs a command line as the program would, in this process, and captures what it writes. */
import { Readable } from 'node:stream';
import { run } from '../../src/cli/run.ts';

export interface Captured {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly url?: string;
  readonly stdin?: string | Uint8Array;
  readonly signal?: AbortSignal;
  /** Whether stderr is a terminal. */
  readonly live?: boolean;
  /** Called with everything written to stdout so far, at every write. */
  readonly onOutput?: (soFar: string) => void;
  /** Likewise for stderr. */
  readonly onWords?: (soFar: string) => void;
}

export async function lakeward(args: readonly string[], options: RunOptions = {}): Promise<Captured> {
  let stdout = '';
  let stderr = '';
  const code = await run(args, {
    stdout: {
      write(text) {
        stdout += typeof text === 'string' ? text : Buffer.from(text).toString();
        options.onOutput?.(stdout);
      },
    },
    stderr: {
      isTTY: options.live === true,
      write(text) {
        stderr += String(text);
        options.onWords?.(stderr);
      },
    },
    stdin: Readable.from(options.stdin === undefined ? [] : [Buffer.from(options.stdin)]),
    signal: options.signal ?? new AbortController().signal,
    environment: { colour: true, ...(options.url === undefined ? {} : { url: options.url }) },
  });
  return { code, stdout, stderr };
}

/** The JSON documents of an output, one a line. */
export function documents<T = Record<string, unknown>>(captured: Captured): T[] {
  return captured.stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as T);
}
