/** `lakeward lake repair`. */
import { DURATION } from '../accepted.ts';
import type { Command } from '../command.ts';
import { EXIT } from '../exit-code.ts';
import { plural } from '../wording.ts';
import { careRun } from './care-run.ts';

export const lakeRepair: Command = {
  name: 'lake repair',
  summary:
    'Makes files that the lake lost anew from the stream, while it has the records; removes strays when asked to',
  arguments: [{ name: 'delivery', about: 'its name' }],
  options: {
    'remove-strays': {
      value: 'duration',
      about: 'also removes files that no landing log names and that nobody changed for so long, like 7d',
      accepts: DURATION,
    },
    'dry-run': { about: 'only says what would be done' },
  },
  examples: ['lakeward lake repair clicks-hourly --dry-run', 'lakeward lake repair clicks-hourly --remove-strays 7d'],
  async run(call) {
    const { terminal } = call;
    const name = call.argument(0);
    const dryRun = call.flag('dry-run');
    const straysOlderThan = call.option('remove-strays');
    const order = { kind: 'repair' as const, dryRun, ...(straysOlderThan !== undefined && { straysOlderThan }) };
    const report = await careRun(call, name, order);
    if (terminal.json) terminal.document({ delivery: name, ...report });
    else {
      for (const path of report.rebuilt) terminal.data(`made anew ${path}`);
      for (const path of report.lost) terminal.data(`lost ${path}`);
      for (const path of report.strays) terminal.data(`${dryRun ? 'would be removed' : 'removed'} ${path}`);
      const lost = `${plural(report.rebuiltFiles, 'file')} made anew, ${plural(report.lostFiles, 'file')} lost`;
      terminal.say(
        `${lost}, ${plural(report.strayFiles, 'stray')} removed, ${plural(report.left, 'other finding')} left`,
      );
      if (!dryRun && report.lostFiles > 0) {
        terminal.say('the stream, or the log, does not hold what is lost any more: restore it from a backup');
      }
    }
    return report.lostFiles + report.left === 0 ? EXIT.ok : EXIT.findings;
  },
};
