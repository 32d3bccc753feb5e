/** `lakeward compact status`. */
import type { CompactionStatus } from '../../app/control-answers.ts';
import type { Command } from '../command.ts';
import { EXIT } from '../exit-code.ts';
import { compactionPath, statusText } from './compaction-text.ts';

export const compactStatus: Command = {
  name: 'compact status',
  summary: 'How far a compaction is, and what the last one did',
  arguments: [{ name: 'delivery', about: 'its name' }],
  options: {},
  examples: ['lakeward compact status clicks-hourly'],
  async run(call) {
    const { terminal } = call;
    const status = await call.client().get<CompactionStatus>(compactionPath(call.argument(0)), call.signal);
    if (terminal.json) terminal.document(status);
    else for (const line of statusText(status)) terminal.data(line);
    return EXIT.ok;
  },
};
