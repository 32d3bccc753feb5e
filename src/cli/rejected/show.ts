/** `lakeward rejected show`. */
import type { ShownRow } from '../../app/control-answers.ts';
import type { Command } from '../command.ts';
import { EXIT } from '../exit-code.ts';
import { editLine } from './edit-lines.ts';
import { rejectedRows } from './rejected-rows.ts';

const SHOWN_CHARS = 200;

export const rejectedShow: Command = {
  name: 'rejected show',
  summary: 'Shows rejected rows: reason and original bytes, oldest first (--json: one document a row)',
  arguments: [{ name: 'delivery', about: 'its name' }],
  options: {
    limit: { value: 'n', about: 'at most this many rows (default 20; 0 for all)' },
    code: { value: 'code', about: 'only rows rejected for this reason' },
    edit: { about: 'one line a row to edit and give to `rejected replay --file`' },
    raw: { about: 'only the original bytes, one record a line: mend them and send them again' },
  },
  examples: [
    'lakeward rejected show clicks-hourly --limit 5',
    'lakeward rejected show clicks-hourly --code wrong-type --edit --limit 0 > mend.ndjson',
  ],
  async run(call) {
    const given = call.number('limit', 0) ?? 20;
    const limit = given === 0 ? Number.POSITIVE_INFINITY : given;
    const code = call.option('code');
    let shown = 0;
    for await (const row of rejectedRows(call.client(), call.argument(0))) {
      if (code !== undefined && row.code !== code) continue;
      if (shown >= limit) {
        call.terminal.say(`there are more: --limit 0 shows all`);
        break;
      }
      shown += 1;
      if (call.terminal.json) call.terminal.document(row);
      else if (call.flag('edit')) call.terminal.data(editLine(row));
      else if (call.flag('raw')) call.terminal.data(textOf(row));
      else for (const line of described(row)) call.terminal.data(line);
    }
    if (shown === 0) call.terminal.say('no rejected rows');
    return EXIT.ok;
  },
};

/** A record in Avro as JSON, where its schema is known: it can be mended and sent like that. */
function textOf({ json, data }: ShownRow): string {
  return json ?? Buffer.from(data, 'base64').toString('utf8');
}

function described(row: ShownRow): string[] {
  const text = textOf(row);
  const column = row.column === null ? '' : ` (${row.column})`;
  const shown = text.length > SHOWN_CHARS ? `${text.slice(0, SHOWN_CHARS)}…` : text;
  return [`${row.arrival}  ${row.code}${column}: ${printable(row.reason)}`, `    ${printable(shown)}`];
}

/** Characters that move the cursor, break the line or turn its direction; all others are shown as they are. */
const UNPRINTABLE = /[\p{Cc}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;
const SHORT: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

export function printable(text: string): string {
  return text.replace(UNPRINTABLE, (it) => SHORT[it] ?? `\\u${(it.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`);
}
