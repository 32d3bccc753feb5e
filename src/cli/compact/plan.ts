/** `lakeward compact plan`. */
import type { CompactionPlan } from '../../app/control-answers.ts';
import type { Command } from '../command.ts';
import { EXIT } from '../exit-code.ts';
import { count, size, table } from '../wording.ts';
import { compactionPath, planText } from './compaction-text.ts';

export const compactPlan: Command = {
  name: 'compact plan',
  summary: 'Says which files a compaction would merge now, and what comes of it; changes nothing',
  arguments: [{ name: 'delivery', about: 'its name' }],
  options: {},
  examples: ['lakeward compact plan clicks-hourly'],
  async run(call) {
    const { terminal } = call;
    const name = call.argument(0);
    const plan = await call.client().send<CompactionPlan>('POST', compactionPath(name), { dryRun: true }, call.signal);
    if (terminal.json) {
      terminal.document(plan);
      return EXIT.ok;
    }
    const rows = plan.groups.map(({ partition, files, bytes }) => [partition || '-', count(files), size(bytes)]);
    if (rows.length > 0)
      for (const line of table(['partition', 'files', 'bytes'], rows, ['files', 'bytes'])) terminal.data(line);
    terminal.data(planText(plan));
    if (plan.groupsInRun < plan.groupsInAll) {
      terminal.say(`one run merges ${count(plan.groupsInRun)} of ${count(plan.groupsInAll)} groups, oldest first`);
    }
    if (plan.groupsInAll > 0) terminal.next(`lakeward compact run ${name}`);
    return EXIT.ok;
  },
};
