/** `lakeward rejected replay`. */
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import type { ReplayReport } from '../../app/control-answers.ts';
import type { Command, Invocation } from '../command.ts';
import { deliveryPath, reasonName } from '../delivery/status-text.ts';
import { EXIT, UsageError } from '../exit-code.ts';
import { count, plural, table } from '../wording.ts';
import { type Edit, parseEdit } from './edit-lines.ts';

/** Edits sent at once, in characters of base64. */
const EDIT_CHARS = 2 * 1024 * 1024;

type Failed = ReplayReport['failed'][number];
interface Sum {
  replayed: number;
  failed: Map<string, Failed>;
  edits: number;
}

export const rejectedReplay: Command = {
  name: 'rejected replay',
  summary: 'Lands rejected rows that fit now, as they are or edited, each once',
  arguments: [{ name: 'delivery', about: 'its name' }],
  options: {
    code: { value: 'code', about: 'only rows rejected for this reason' },
    column: { value: 'name', about: 'only rows rejected for this column' },
    from: { value: 'time', about: 'only rows that arrived then or later, like 2026-11-22T10:00:00Z' },
    until: { value: 'time', about: 'only rows that arrived before' },
    file: { value: 'ndjson', about: 'the rows in this file, as edited: lines of `rejected show --edit`' },
    'dry-run': { about: 'only says what would land' },
  },
  examples: [
    'lakeward rejected replay clicks-hourly --dry-run',
    'lakeward rejected replay clicks-hourly --code wrong-type --column price',
    'lakeward rejected show clicks-hourly --edit --limit 0 > mend.ndjson && lakeward rejected replay clicks-hourly --file mend.ndjson',
  ],
  async run(call) {
    const [code, column, from, until] = ['code', 'column', 'from', 'until'].map((name) => call.option(name));
    const dryRun = call.flag('dry-run');
    const request = { ...present({ code, column, from, until }), dryRun };
    const sum: Sum = { replayed: 0, failed: new Map(), edits: 0 };
    const file = call.option('file');
    if (file === undefined) await replayAll(call, request, sum);
    else for await (const edits of editsOf(file)) await replayAll(call, { ...request, edits }, sum, edits.length);
    return printReport(call, sum, dryRun);
  },
};

async function replayAll(call: Invocation, request: object, sum: Sum, edits = 0): Promise<void> {
  const path = `${deliveryPath(call.argument(0))}/rejected/replay`;
  sum.edits += edits;
  let after: string | undefined;
  do {
    const body = { ...request, ...present({ after }) };
    const report = await call.client().send<ReplayReport>('POST', path, body, call.signal);
    sum.replayed += report.replayedRows;
    for (const group of report.failed) {
      const key = reasonName(group);
      sum.failed.set(key, { ...group, rows: group.rows + (sum.failed.get(key)?.rows ?? 0) });
    }
    after = report.next;
  } while (after !== undefined);
}

function printReport(call: Invocation, { replayed, failed, edits }: Sum, dryRun: boolean): number {
  const groups = [...failed.values()].toSorted((a, b) => b.rows - a.rows);
  const failedRows = groups.reduce((rows, group) => rows + group.rows, 0);
  const notOpen = Math.max(0, edits - replayed - failedRows);
  if (call.terminal.json) {
    call.terminal.document({ dryRun, replayedRows: replayed, failedRows, failed: groups, notOpen });
    return EXIT.ok;
  }
  call.terminal.data(
    `${plural(replayed, 'row')} ${dryRun ? 'would land' : 'landed'}, ${plural(failedRows, 'row')} ${dryRun ? 'would stay' : 'stay'} rejected`,
  );
  if (notOpen > 0) call.terminal.say(`${plural(notOpen, 'edited row')} not found among the open rejects`);
  const rows = groups.map(({ code, column, rows: n, example }) => [
    code,
    column ?? '-',
    count(n),
    `shard ${example.shard} offset ${example.offset}: ${example.reason}`.slice(0, 100),
  ]);
  if (rows.length > 0) {
    for (const line of table(['code', 'column', 'rows', 'for example'], rows, ['rows'])) call.terminal.data(line);
  }
  call.terminal.next(`lakeward rejected list ${call.argument(0)}`);
  return EXIT.ok;
}

/** The edited rows of a file, so many at a time. */
async function* editsOf(path: string): AsyncGenerator<Edit[]> {
  let edits: Edit[] = [];
  let chars = 0;
  let number = 0;
  try {
    for await (const line of createInterface({ input: createReadStream(path), crlfDelay: Infinity })) {
      number += 1;
      if (line.trim() === '') continue;
      const edit = parseEdit(line, number);
      edits.push(edit);
      chars += edit.data.length;
      if (chars < EDIT_CHARS) continue;
      yield edits;
      edits = [];
      chars = 0;
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw code === 'ENOENT' || code === 'EACCES' ? new UsageError(`${path} cannot be read (${code})`) : error;
  }
  if (edits.length > 0) yield edits;
}

function present(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}
