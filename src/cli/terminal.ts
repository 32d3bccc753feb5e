/**
 * The two streams a command writes to: data on stdout, words for people on stderr. With `--json` stdout holds JSON alone. Colour
 * and moving bars appear on a terminal only, and never with NO_COLOR; so output that is piped is the same on every machine.
 */
import type { Progress } from './progress-bar.ts';
import { createProgress } from './progress-bar.ts';

export interface TextSink {
  write(text: string | Uint8Array): unknown;
  /** Where `write` says false when it holds enough for now. */
  once?(event: 'drain', listener: () => void): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

export interface Paint {
  bold(text: string): string;
  dim(text: string): string;
  good(text: string): string;
  bad(text: string): string;
}

export interface Terminal {
  readonly json: boolean;
  /** Whether a progress line is drawn: on a terminal, without `--json`. */
  readonly live: boolean;
  /** A line of data on stdout. */
  data(text: string): void;
  /** Bytes on stdout, as they are; resolves when more may come. */
  bytes(part: Uint8Array): Promise<void>;
  /** A JSON document on stdout, in one line so that outputs can be joined and piped. */
  document(value: unknown): void;
  /** A line of words on stderr. */
  say(text: string): void;
  /** The command that is useful next; nothing with `--json`. */
  next(command: string): void;
  /** A bar on stderr; without a total it counts only. Draws nothing off a terminal. */
  progress(label: string, total?: number): Progress;
  /** For stdout. */
  readonly paint: Paint;
  /** For stderr. */
  readonly words: Paint;
}

export interface TerminalOptions {
  readonly stdout: TextSink;
  readonly stderr: TextSink;
  readonly json: boolean;
  readonly colour: boolean;
  /** For drawing bars not too often, ms. */
  readonly monotonicMs: () => number;
}

export function createTerminal(options: TerminalOptions): Terminal {
  const { stdout, stderr, json } = options;
  const live = stderr.isTTY === true && !json;
  const words = painter(options.colour && stderr.isTTY === true);
  return {
    json,
    live,
    data: (text) => void stdout.write(`${text}\n`),
    async bytes(part) {
      if (stdout.write(part) !== false || stdout.once === undefined) return;
      const { promise, resolve } = Promise.withResolvers<void>();
      stdout.once('drain', resolve);
      await promise;
    },
    document: (value) => void stdout.write(`${JSON.stringify(value)}\n`),
    say: (text) => void stderr.write(`${text}\n`),
    next(command) {
      if (!json) stderr.write(`${words.dim('next:')} ${command}\n`);
    },
    progress: (label, total) =>
      createProgress({
        sink: stderr,
        label,
        total,
        live,
        monotonicMs: options.monotonicMs,
      }),
    paint: painter(options.colour && stdout.isTTY === true),
    words,
  };
}

function painter(on: boolean): Paint {
  const wrap = (code: string) => (text: string) => (on ? `\u001b[${code}m${text}\u001b[0m` : text);
  return { bold: wrap('1'), dim: wrap('2'), good: wrap('32'), bad: wrap('31') };
}
