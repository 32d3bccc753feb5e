/**
 * Log lines for a person at a terminal: `12:03:44.120 warn  disk is filling freeBytes=1024`. Turns the JSON lines of the
 * logger; what it does not understand passes unchanged.
 */
/** Takes whole lines. */
export interface LogDestination {
  write(text: string): void;
}

const HEAD = new Set(['level', 'time', 'message']);

export function readableLines(out: LogDestination): LogDestination {
  return {
    write(line) {
      out.write(`${readableLine(line.trimEnd())}\n`);
    },
  };
}

function readableLine(line: string): string {
  let fields: Record<string, unknown>;
  try {
    fields = JSON.parse(line) as Record<string, unknown>;
  } catch {
    return line;
  }
  const time = String(fields['time']).slice(11, 23);
  const rest = Object.entries(fields).filter(([key]) => !HEAD.has(key));
  const told = rest.map(([key, value]) => ` ${key}=${readableValue(value)}`).join('');
  return `${time} ${String(fields['level']).padEnd(5)} ${String(fields['message'])}${told}`;
}

function readableValue(value: unknown): string {
  if (typeof value === 'string') return /^[\w./:@-]+$/.test(value) ? value : JSON.stringify(value);
  // Of an error its text; the stack goes on lines of its own.
  const stack = typeof value === 'object' && value !== null && 'stack' in value ? value.stack : undefined;
  return typeof stack === 'string' ? `\n  ${stack.replaceAll('\n', '\n  ')}` : JSON.stringify(value);
}
