/** `lakeward compact run`. */
import type { CompactionStatus } from '../../app/control-answers.ts';
import type { Command } from '../command.ts';
import { EXIT } from '../exit-code.ts';
import { compactionPath, runText } from './compaction-text.ts';

const LOOK_MS = 250;
/** Of a bar. */
const WHOLE = 1000;

export const compactRun: Command = {
  name: 'compact run',
  summary: 'Merges small files now, whatever the time of day, and shows how far it is; Ctrl-C leaves it running',
  arguments: [{ name: 'delivery', about: 'its name' }],
  options: {},
  examples: ['lakeward compact run clicks-hourly'],
  async run(call) {
    const { terminal } = call;
    const name = call.argument(0);
    const path = compactionPath(name);
    const client = call.client();
    let status = await client.send<CompactionStatus>('POST', path, {}, call.signal);
    const progress = terminal.progress(`compacting ${name}`, WHOLE);
    try {
      while (status.running !== undefined) {
        const { share, text } = status.running;
        progress.set(Math.floor(share * WHOLE), { part: share, note: text });
        await call.clock.sleep(LOOK_MS, call.signal);
        status = await client.get<CompactionStatus>(path, call.signal);
      }
    } finally {
      progress.end();
    }
    const { last } = status;
    if (terminal.json) terminal.document(status);
    else terminal.data(last === undefined ? 'nothing ran' : runText(last));
    if (last !== undefined && last.outcome !== 'done') return EXIT.failed;
    terminal.next(`lakeward lake ls ${name}`);
    return EXIT.ok;
  },
};
