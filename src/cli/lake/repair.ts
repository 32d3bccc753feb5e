/** `lakeward lake repair`. */
import { userInfo } from 'node:os';
import { DURATION } from '../accepted.ts';
import type { Command, Invocation } from '../command.ts';
import { EXIT, UsageError } from '../exit-code.ts';
import { plural } from '../wording.ts';
import { careRun } from './care-run.ts';

export const lakeRepair: Command = {
  name: 'lake repair',
  summary:
    'Makes files that the lake lost anew from the stream, while it has the records; removes strays when asked to',
  arguments: [
    { name: 'delivery', about: 'its name' },
    { name: 'path', about: 'with --accept-loss: lost files, as lake check tells them', optional: true, many: true },
  ],
  options: {
    'accept-loss': {
      about: 'gives up the lost files named, if they cannot be made anew: their rows are gone for good',
    },
    by: { value: 'who', about: 'who gives them up, for the record (default: the user of this machine)' },
    'remove-strays': {
      value: 'duration',
      about: 'also removes files that no landing log names and that nobody changed for so long, like 7d',
      accepts: DURATION,
    },
    'dry-run': { about: 'only says what would be done' },
  },
  examples: [
    'lakeward lake repair clicks-hourly --dry-run',
    'lakeward lake repair clicks-hourly --remove-strays 7d',
    'lakeward lake repair clicks-hourly --accept-loss clicks-hourly/year=2026/month=01/day=31/hour=10/f.parquet',
  ],
  async run(call) {
    const { terminal } = call;
    const name = call.argument(0);
    const dryRun = call.flag('dry-run');
    const straysOlderThan = call.option('remove-strays');
    const order = {
      kind: 'repair' as const,
      dryRun,
      ...(straysOlderThan !== undefined && { straysOlderThan }),
      ...loss(call),
    };
    const report = await careRun(call, name, order);
    if (terminal.json) terminal.document({ delivery: name, ...report });
    else {
      for (const path of report.rebuilt) terminal.data(`made anew ${path}`);
      const { accepted } = report;
      for (const path of accepted?.paths ?? []) terminal.data(`${dryRun ? 'would be given up' : 'given up'} ${path}`);
      if (accepted?.audit !== undefined) terminal.say(`on record: ${accepted.audit}`);
      if (accepted !== undefined && accepted.waitingFiles > 0) {
        terminal.say(`${plural(accepted.waitingFiles, 'file')} may still come: run it again in 15 minutes`);
      }
      for (const path of report.lost) terminal.data(`lost ${path}`);
      for (const path of report.strays) terminal.data(`${dryRun ? 'would be removed' : 'removed'} ${path}`);
      const lost = `${plural(report.rebuiltFiles, 'file')} made anew, ${plural(report.lostFiles, 'file')} lost`;
      terminal.say(
        `${lost}, ${plural(report.strayFiles, 'stray')} removed, ${plural(report.left, 'other finding')} left`,
      );
      if (!dryRun && report.lostFiles > 0) {
        terminal.say(
          'the stream, or the log, does not hold what is lost any more: restore it from a backup, or give it up with --accept-loss',
        );
      }
    }
    return report.lostFiles + report.left === 0 ? EXIT.ok : EXIT.findings;
  },
};

function loss(call: Invocation): { readonly acceptLoss?: { readonly paths: readonly string[]; readonly by: string } } {
  const paths = call.arguments.slice(1);
  const isAsked = call.flag('accept-loss');
  if (isAsked !== paths.length > 0) throw new UsageError('--accept-loss goes with the paths of lost files');
  return isAsked ? { acceptLoss: { paths, by: call.option('by') ?? userInfo().username } } : {};
}
