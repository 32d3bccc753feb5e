/** `lakeward lake restore`. */
import type { RestoreReport } from '../../app/control-answers.ts';
import type { Command } from '../command.ts';
import { EXIT } from '../exit-code.ts';
import { plural } from '../wording.ts';

export const lakeRestore: Command = {
  name: 'lake restore',
  summary: 'Brings back deleted files of a lake in a versioned bucket, as far as the landing logs still name them',
  arguments: [{ name: 'prefix', about: 'a path, or how paths begin' }],
  options: {
    'as-of': {
      value: 'time',
      about: 'only what was deleted then or later, like 2026-01-31T10:00:00Z',
      accepts: { words: 'a time like 2026-01-31T10:00:00Z', test: (text) => !Number.isNaN(Date.parse(text)) },
    },
    'dry-run': { about: 'only says what would come back' },
  },
  examples: [
    'lakeward lake restore clicks/year=2026/month=11/ --dry-run',
    'lakeward lake restore clicks/ --as-of 2026-11-22T09:00:00Z',
  ],
  async run(call) {
    const asOf = call.option('as-of');
    const dryRun = call.flag('dry-run');
    const order = { prefix: call.argument(0), dryRun, ...(asOf !== undefined && { sinceMs: Date.parse(asOf) }) };
    const report = await call.client().send<RestoreReport>('POST', '/v1/lake/restore', order, call.signal);
    if (call.terminal.json) call.terminal.document(report);
    else for (const path of report.restored) call.terminal.data(path);
    for (const { path, why } of report.left) call.terminal.say(`left ${path}: ${why}`);
    call.terminal.say(`${plural(report.restored.length, 'file')} ${dryRun ? 'would come back' : 'came back'}`);
    if (report.more) call.terminal.say('there are more: run it again');
    return EXIT.ok;
  },
};
