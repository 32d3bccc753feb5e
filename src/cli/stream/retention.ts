/** `lakeward stream retention`. */
import type { StreamView } from '../../app/control-answers.ts';
import { wholeNumber } from '../accepted.ts';
import type { Command } from '../command.ts';
import { EXIT } from '../exit-code.ts';

export const streamRetention: Command = {
  name: 'stream retention',
  summary: 'Says how long a stream keeps records',
  arguments: [
    { name: 'stream', about: 'its name' },
    {
      name: 'hours',
      about: '1 to 8760; with fewer than before, older records are dropped',
      accepts: wholeNumber(1, 8760),
    },
  ],
  options: {},
  examples: ['lakeward stream retention clicks 72'],
  async run(call) {
    const name = call.argument(0);
    const body = { retentionHours: Number(call.argument(1)) };
    const stream = await call.client().send<StreamView>('PUT', `/v1/streams/${encodeURIComponent(name)}`, body);
    if (call.terminal.json) call.terminal.document(stream);
    else call.terminal.data(`${name} keeps records ${stream.retentionHours} h`);
    return EXIT.ok;
  },
};
