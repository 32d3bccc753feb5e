/** `lakeward compact cancel`. */
import type { CompactionStatus } from '../../app/control-answers.ts';
import type { Command } from '../command.ts';
import { EXIT } from '../exit-code.ts';
import { compactionPath, statusText } from './compaction-text.ts';

export const compactCancel: Command = {
  name: 'compact cancel',
  summary: 'Ends the compaction under way; what it has merged stays merged, the rest stays as it is',
  arguments: [{ name: 'delivery', about: 'its name' }],
  options: {},
  examples: ['lakeward compact cancel clicks-hourly'],
  async run(call) {
    const { terminal } = call;
    const path = compactionPath(call.argument(0));
    const status = await call.client().send<CompactionStatus>('DELETE', path, undefined, call.signal);
    if (terminal.json) terminal.document(status);
    else for (const line of statusText(status)) terminal.data(line);
    return EXIT.ok;
  },
};
