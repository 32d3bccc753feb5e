/** `lakeward lake erase`. */
import { readFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import type { EraseReport } from '../../app/control-answers.ts';
import type { Command, Invocation } from '../command.ts';
import { EXIT, UsageError } from '../exit-code.ts';
import { plural } from '../wording.ts';
import { careRun } from './care-run.ts';

export const lakeErase: Command = {
  name: 'lake erase',
  summary: 'Erases rows by the value of a field from all files and rejected rows, and proves it by another look',
  arguments: [{ name: 'delivery', about: 'its name' }],
  options: {
    key: { value: 'field=value', about: 'rows with this value go; with --file the field alone' },
    file: { value: 'file', about: 'values, one a line' },
    by: { value: 'who', about: 'who asks, for the record (default: the user of this machine)' },
    'leave-unreadable': {
      about: 'files of format raw, and rejected rows that are no JSON, stay: they are known to hold no such rows',
    },
    'dry-run': { about: 'only counts' },
  },
  examples: [
    'lakeward lake erase clicks-hourly --key user=eve --dry-run',
    'lakeward lake erase clicks-hourly --key user.id --file ids.txt --by "ticket 4711"',
  ],
  async run(call) {
    const { terminal } = call;
    const name = call.argument(0);
    const dryRun = call.flag('dry-run');
    const by = call.option('by') ?? userInfo().username;
    const order = { kind: 'erase' as const, ...(await wanted(call)), by, dryRun };
    const report = await careRun(call, name, order);
    if (terminal.json) terminal.document({ delivery: name, ...report });
    else tell(call, report);
    const isLeft = !call.flag('leave-unreadable') && report.rawFiles + report.unreadableRejects > 0;
    return isLeft || report.waitingRows > 0 || report.missingFiles > 0 ? EXIT.findings : EXIT.ok;
  },
};

async function wanted(call: Invocation): Promise<{ readonly field: string; readonly values: readonly string[] }> {
  const key = call.option('key');
  const file = call.option('file');
  if (key === undefined) throw new UsageError('--key says which field, and which value: --key user=eve');
  if (file !== undefined) return { field: key, values: await valuesOf(file) };
  const at = key.indexOf('=');
  if (at > 0 && at < key.length - 1) return { field: key.slice(0, at), values: [key.slice(at + 1)] };
  throw new UsageError(`--key takes a field and a value, like user=eve, or a field with --file, not '${key}'`);
}

async function valuesOf(file: string): Promise<readonly string[]> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw new UsageError(`${file} cannot be read: ${(error as Error).message}`);
  });
  return text.split(/\r?\n/).filter((line) => line !== '');
}

function tell(call: Invocation, report: EraseReport): void {
  const { terminal } = call;
  const { matchedRows, matchedFiles, rejectedRows, proof } = report;
  const verb = report.dryRun ? 'would be erased' : 'erased';
  const rejected = rejectedRows === 0 ? '' : ` and ${plural(rejectedRows, 'rejected row')}`;
  terminal.data(`${plural(matchedRows, 'row')} in ${plural(matchedFiles, 'file')}${rejected} ${verb}`);
  if (proof !== undefined) {
    terminal.data(`another look at ${plural(proof.files, 'file')} finds ${plural(proof.found, 'row')}`);
    terminal.say(`on record: ${report.audit}`);
  }
  for (const line of remarks(report, call.flag('leave-unreadable'))) terminal.say(line);
}

function remarks(report: EraseReport, leaves: boolean): string[] {
  const lines: string[] = [];
  if (report.fieldFiles === 0) lines.push(`no file has a column '${report.field}': is it spelled so?`);
  if (report.hastenedFiles > 0) {
    lines.push(`${plural(report.hastenedFiles, 'replaced file')} that would have stayed for readers: gone at once`);
  }
  if (report.waitingRows > 0) {
    lines.push(`${plural(report.waitingRows, 'row')} landed a moment ago: run it again in 15 minutes`);
  }
  if (report.missingFiles > 0) {
    lines.push(
      `${plural(report.missingFiles, 'file')} of the landing log are not in the lake: see lakeward lake check`,
    );
  }
  if (report.rawFiles > 0) {
    const how = 'let them expire as a whole (lakeward lake expire)';
    lines.push(
      `NOT ERASED: ${plural(report.rawFiles, 'file')} of format raw, where nobody can tell rows apart; ${how}`,
    );
  }
  if (report.unreadableRejects > 0) {
    const how = 'look at them (lakeward rejected show), or let them expire';
    lines.push(`NOT ERASED: ${plural(report.unreadableRejects, 'rejected row')} that nobody can read; ${how}`);
  }
  if (!leaves && report.rawFiles + report.unreadableRejects > 0) {
    lines.push('when these are known to hold no such rows: --leave-unreadable');
  }
  lines.push(
    'not reached: records that are still in the stream (those that have not landed yet will land), older versions of files in a versioned bucket, backups',
  );
  return lines;
}
