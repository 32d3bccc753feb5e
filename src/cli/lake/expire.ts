/** `lakeward lake expire`. */
import { DURATION } from '../accepted.ts';
import type { Command } from '../command.ts';
import { EXIT } from '../exit-code.ts';
import { plural, size, time } from '../wording.ts';
import { careRun } from './care-run.ts';

export const lakeExpire: Command = {
  name: 'lake expire',
  summary: 'Removes partitions that are older than the retention; the server does so by itself, hourly',
  arguments: [{ name: 'delivery', about: 'its name' }],
  options: {
    'older-than': {
      value: 'duration',
      about: 'instead of the retention of the delivery, like 400d',
      accepts: DURATION,
    },
    'dry-run': { about: 'only says what would be removed' },
  },
  examples: ['lakeward lake expire clicks-hourly --older-than 400d --dry-run', 'lakeward lake expire clicks-hourly'],
  async run(call) {
    const { terminal } = call;
    const name = call.argument(0);
    const olderThan = call.option('older-than');
    const dryRun = call.flag('dry-run');
    const order = { kind: 'expire' as const, dryRun, ...(olderThan !== undefined && { olderThan }) };
    const report = await careRun(call, name, order);
    if (terminal.json) {
      terminal.document({ delivery: name, ...report });
      return EXIT.ok;
    }
    const data = `${plural(report.rows, 'row')} in ${plural(report.files, 'file')} of ${plural(report.partitions, 'partition')}`;
    const rejected = `${plural(report.rejectedRows, 'rejected row')} in ${plural(report.rejectedFiles, 'file')}`;
    const verb = dryRun ? 'would be removed' : 'removed';
    terminal.data(`${data}, ${rejected} (${size(report.bytes)}) from before ${time(report.cutMs)} ${verb}`);
    if (report.left > 0) terminal.say(`${plural(report.left, 'file')} left to the next run`);
    if (dryRun && report.files + report.rejectedFiles > 0) {
      terminal.next(`lakeward lake expire ${name}${olderThan === undefined ? '' : ` --older-than ${olderThan}`}`);
    }
    return EXIT.ok;
  },
};
